"""What a message names, and what is no message at all."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.aws_events.happening import Malformed, Place, read
from unit.aws_events.heard import ACCOUNT, NOW, REGION, SERVICE, acted, event, task

OLD_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/web-1f-a1"


@pytest.mark.parametrize(
    ("body", "what", "services"),
    [
        pytest.param(task(), "task", (("prod", "web-1f-a1"),), id="task"),
        pytest.param(task("family:migrate"), "task", (), id="task-of-nobody"),
        pytest.param(acted(), "service-action", (("prod", "web-1f-a1"),), id="service-action"),
        pytest.param(acted(OLD_ARN), "service-action", (("", "web-1f-a1"),), id="old-arn"),
        pytest.param(
            event("ECS Deployment State Change", resources=[SERVICE, SERVICE, "x"]),
            "deployment",
            (("prod", "web-1f-a1"),),
            id="deployment",
        ),
        pytest.param(event("ECS Container Instance State Change"), "unknown", (), id="another-ecs-event"),
        pytest.param(
            event("ECS Task State Change", resources=[SERVICE], source="my.app"),
            "unknown",
            (),
            id="not-from-ecs",
        ),
    ],
)
def test_what_a_message_names(body: str, what: str, services: tuple[tuple[str, str], ...]) -> None:
    """Services by cluster and name, whatever else it says."""
    found = read(body)
    assert (found.what, found.services, found.place) == (what, services, Place(ACCOUNT, REGION))
    assert found.at == NOW - 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", "no JSON"),
        ("[1]", "no JSON object"),
        ("{}", "without source, detail-type, account, region, detail"),
        (json.dumps({"Type": "Notification", "Message": "{}"}), "without source"),
        (event("ECS Service Action", account=7), "without account"),
        ("[" * 100_000, "no JSON"),
        (event("ECS Service Action", account="\ud800"), "another account"),
        (event("ECS Service Action", account="\N{SUPERSCRIPT TWO}" * 12), "another account"),
        (event("ECS Service Action", region='eu"}\n'), "another region"),
        (event("ECS Service Action", detail=None).replace('"detail": {}', '"detail": 3'), "without detail"),
    ],
    ids=[
        "empty",
        "list",
        "nothing",
        "through-sns",
        "number",
        "nested-deeply",
        "no-text-for-a-label",
        "other-digits",
        "no-region",
        "detail",
    ],
)
def test_what_is_no_event(body: str, expected: str) -> None:
    """The text tells what is missing, and nothing of the message."""
    with pytest.raises(Malformed, match=expected):
        read(body)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["source", "detail-type", "account", "region", "detail", "resources", "time", "group"]
                ),
                inner,
            )
        ),
        max_leaves=10,
    )
)
def test_nothing_but_malformed_is_raised(body: object) -> None:
    """Whatever JSON anybody sends to the queue."""
    for text in (
        json.dumps(body),
        event("ECS Task State Change", detail={"group": body, "clusterArn": body}),
    ):
        with contextlib.suppress(Malformed):
            read(text)
