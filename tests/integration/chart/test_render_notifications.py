"""What the chart makes of notification sinks: the operator's settings, and no more rights than they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.chart.helm import CHART, Helm
from sluice.config import load
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.errors import CommandFailed

pytestmark = pytest.mark.integration
ROLE = ("Role", "sluice-notifications")
SINKS: list[dict[str, Any]] = [
    {"name": "chat", "slack": {"urlSecretKeyRef": {"name": "chat", "key": "url"}}},
    {
        "name": "pager",
        "optIn": True,
        "webhook": {
            "url": "https://pager.example.com/in",
            "headers": [
                {"name": "Authorization", "secretKeyRef": {"name": "pager", "key": "token"}},
                {"name": "X-Team", "value": "a"},
            ],
            "tls": {"caSecretKeyRef": {"name": "ca", "key": "pem"}},
            "body": {"text": "{{title}}", "tags": ["{{namespace}}"]},
        },
    },
    {"name": "mail", "sns": {"topicArn": "arn:aws:sns:eu-west-1:111122223333:rollouts"}},
    {"name": "bus", "eventBridge": {}},
]


@pytest.fixture
def offline(tmp_path: Path, helm_home: Path) -> Helm:
    """Helm without a cluster: rendering asks nobody."""
    return Helm(Cluster(tmp_path), helm_home)


def rendered(helm: Helm, folder: Path, **values: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the documents by kind and name."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump({"installationId": "demo", **values}), encoding="utf-8")
    text = helm.run("template", "sluice", str(CHART), "--namespace=sluice-system", f"--values={file}")
    documents = [document for document in yaml.safe_load_all(text) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def test_sinks_arrive_as_they_are_written(offline: Helm, tmp_path: Path) -> None:
    """Templates, references and defaults, read by the operator's own loader."""
    documents = rendered(
        offline,
        tmp_path,
        notifications={"sinks": SINKS},
        awsEvents={"queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/q"},
    )
    file = tmp_path / "config.yaml"
    file.write_text(documents["ConfigMap", "sluice"]["data"]["config.yaml"], encoding="utf-8")
    settings = load(file=file, environment={})
    assert [sink.name for sink in settings.notifications.sinks] == ["chat", "pager", "mail", "bus"]
    pager = settings.notifications.sinks[1].webhook
    assert pager is not None
    assert pager.body == {"text": "{{title}}", "tags": ["{{namespace}}"]}
    assert settings.notifications.expire_after == 3600
    assert settings.aws_events.queue_url.endswith("/q")


def test_sinks_need_their_outbox_and_secrets_and_nothing_else(offline: Helm, tmp_path: Path) -> None:
    """One ConfigMap by name, and exactly the Secrets that sinks refer to, in the Lease's namespace."""
    documents = rendered(
        offline, tmp_path, notifications={"sinks": SINKS}, lease={"name": "boss", "namespace": "leases"}
    )
    role = documents[ROLE]
    assert role["metadata"]["namespace"] == "leases"
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["boss-notifications"],
            "verbs": ["get", "update"],
        },
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["ca", "chat", "pager"],
            "verbs": ["get"],
        },
    ]
    binding = documents["RoleBinding", ROLE[1]]
    assert binding["metadata"]["namespace"] == "leases"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "sluice", "namespace": "sluice-system"}]


def test_without_secrets_none_may_be_read(offline: Helm, tmp_path: Path) -> None:
    """A rule without names would allow all of them."""
    documents = rendered(offline, tmp_path, notifications={"sinks": SINKS[2:]})
    assert [rule["resources"] for rule in documents[ROLE]["rules"]] == [["configmaps"], ["configmaps"]]


def test_without_sinks_there_is_no_role(offline: Helm, tmp_path: Path) -> None:
    """Nobody is told, so nothing is kept."""
    assert ROLE not in rendered(offline, tmp_path)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"notifications": {"sinks": [{**SINKS[0], "sns": SINKS[2]["sns"]}]}}, "/notifications/sinks/0"),
        ({"notifications": {"sinks": [{"name": "x"}]}}, "/notifications/sinks/0"),
        ({"notifications": {"sinks": [{**SINKS[3], "events": ["Done"]}]}}, "/notifications/sinks/0/events/0"),
        ({"awsEvents": {"queueUrl": "sluice"}}, "/awsEvents/queueUrl"),
        ({"awsEvents": {"driftFactor": 0}}, "/awsEvents/driftFactor"),
    ],
    ids=["two kinds", "no kind", "unknown event", "no URL", "factor"],
)
def test_values_that_cannot_work_are_refused(
    offline: Helm, tmp_path: Path, values: dict[str, Any], text: str
) -> None:
    """Before anything is installed, with the path."""
    with pytest.raises(CommandFailed) as failure:
        rendered(offline, tmp_path, **values)
    assert text in failure.value.stderr
