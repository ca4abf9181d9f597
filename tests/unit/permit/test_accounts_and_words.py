"""Work stays in the account and region where it began, and a refusal says what would be allowed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sluice.model.binding import Binding
from sluice.model.errors import Refused
from sluice.model.tenancy import ListenerGrant, TenancyRule
from sluice.plan.permit import (
    matches,
    permit_adoption,
    permit_deployment,
    permit_hostname,
    permit_listener,
    permit_place,
    permit_revision,
)

HERE, ELSEWHERE = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{HERE}:role/sluice"
CURE = "Ask the platform team to extend the tenancy rule, or use one that is allowed."


def service(account: str = HERE, region: str = "eu-west-1") -> str:
    """Return an ARN."""
    return f"arn:aws:ecs:{region}:{account}:service/main/web"


def refusal(call: Callable[[], object]) -> str:
    """Return what the call is refused with, '' when it is not."""
    try:
        call()
    except Refused as refused:
        return f"{refused.reason}: {refused.message}"
    return ""


def is_in(account: str, region: str, *, ours: str, here: str = "eu-west-1") -> str:
    """Return the words for an ARN that is somewhere else."""
    where = f"service/main/web is in account {account}, region {region}"
    return f"{where}, but the tenancy's account for this namespace is {ours} in {here}"


@pytest.mark.parametrize(
    ("binding", "arn", "elsewhere"),
    [
        pytest.param(Binding(account=HERE, region="eu-west-1"), service(), "", id="here"),
        pytest.param(Binding(account="", region="eu-west-1", role_arn=ROLE), service(), "", id="by the role"),
        pytest.param(
            Binding(account=HERE, region="eu-west-1"),
            service(ELSEWHERE),
            is_in(ELSEWHERE, "eu-west-1", ours=HERE),
            id="another account",
        ),
        pytest.param(
            Binding(account="", region="eu-west-1", role_arn=ROLE),
            service(ELSEWHERE),
            is_in(ELSEWHERE, "eu-west-1", ours=HERE),
            id="another account than the role's",
        ),
        pytest.param(
            Binding(account=ELSEWHERE, region="eu-west-1", role_arn=ROLE),
            service(ELSEWHERE),
            "",
            id="the account goes before the role's",
        ),
        pytest.param(
            Binding(account=HERE, region="us-east-1"),
            service(),
            is_in(HERE, "eu-west-1", ours=HERE, here="us-east-1"),
            id="another region",
        ),
        pytest.param(
            Binding(account="", region="us-east-1"),
            service(),
            is_in(HERE, "eu-west-1", ours="of the operator", here="us-east-1"),
            id="another region, the account is not known",
        ),
        pytest.param(Binding(account="", region="eu-west-1"), service(ELSEWHERE), "", id="account not known"),
        pytest.param(
            Binding(account="", region="eu-west-1", role_arn=f"arn:aws:iam::{HERE}"),
            service(ELSEWHERE),
            "",
            id="a role that is no ARN tells no account",
        ),
        pytest.param(Binding(account=HERE, region=""), service(), "", id="region not known"),
        pytest.param(
            Binding(account=HERE, region=""),
            service(ELSEWHERE),
            is_in(ELSEWHERE, "eu-west-1", ours=HERE, here=""),
            id="another account, the region is not known",
        ),
        pytest.param(Binding(account=HERE, region="eu-west-1"), "web", "", id="a plain name"),
        pytest.param(Binding(account=HERE, region="eu-west-1"), "", "", id="nothing"),
        pytest.param(
            Binding(account=HERE, region="eu-west-1"),
            f"arn:aws:ecs:x:{ELSEWHERE}",
            "",
            id="no ARN: too short",
        ),
    ],
)
def test_where_things_are(binding: Binding, arn: str, elsewhere: str) -> None:
    """What is known of both is compared; what was begun elsewhere would not be found, so nothing goes on."""
    advice = (
        "; an account cannot be changed while something is left there: put the old one back, delete the "
        "object, and create it again"
    )
    told = refusal(lambda: permit_place(binding, ["", arn]))
    assert told == (f"NotPermitted: {elsewhere}{advice}" if elsewhere else "")
    adopted = refusal(lambda: permit_adoption(binding, arn))
    assert adopted == (f"NotPermitted: spec.adopt.serviceArn: {elsewhere}" if elsewhere else "")


@pytest.mark.parametrize(
    ("patterns", "shown"),
    [
        pytest.param(1, "p0", id="one"),
        pytest.param(5, "p0, p1, p2, p3, p4", id="as many as are shown"),
        pytest.param(6, "p0, p1, p2, p3, p4 and 1 more", id="one more"),
        pytest.param(9, "p0, p1, p2, p3, p4 and 4 more", id="four more"),
    ],
)
def test_a_refusal_shows_what_is_allowed(patterns: int, shown: str) -> None:
    """Five values at most: the rest is in the configuration."""
    rule = TenancyRule(name="shop", hostnames=tuple(f"p{number}" for number in range(patterns)))
    told = refusal(lambda: permit_hostname(rule, "a.io"))
    allows = f"tenancy rule 'shop' allows [{shown}]"
    assert told == f"NotPermitted: this namespace may not serve host name a.io: {allows}. {CURE}"


SHOP = TenancyRule(
    name="shop",
    hostnames=("a.io",),
    default_cluster="main",
    task_roles=("arn:aws:iam::*:role/shop-*",),
    listeners=(
        ListenerGrant(load_balancer="public", ports=(80, 443), priorities=(1, 9)),
        ListenerGrant(listener_arn="arn:one", priorities=(1, 9)),
        ListenerGrant(load_balancer="shared-*", priorities=(1, 9)),
    ),
)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        pytest.param(
            lambda: permit_hostname(SHOP, ""),
            "serve every host name (spec.hostnames is empty): tenancy rule 'shop' allows [a.io]",
            id="every host",
        ),
        pytest.param(
            lambda: permit_deployment(SHOP, cluster="", task_role="", execution_role="", account="prod"),
            "use account prod: tenancy rule 'shop' allows [(the operator's own)]",
            id="an account where the rule has none",
        ),
        pytest.param(
            lambda: permit_deployment(
                TenancyRule(name="shop", account="test"),
                cluster="",
                task_role="",
                execution_role="",
                account="prod",
            ),
            "use account prod: tenancy rule 'shop' allows [test]",
            id="another account",
        ),
        pytest.param(
            lambda: permit_listener(SHOP, load_balancer="x", listener_arn="arn:two", port=80),
            "have rules on the listener x:80: tenancy rule 'shop' allows [public:80,443, arn:one, shared-*]",
            id="a listener",
        ),
        pytest.param(
            lambda: permit_revision(SHOP, definition={"taskRoleArn": "arn:admin"}, service={}),
            "use task role arn:admin: tenancy rule 'shop' allows [arn:aws:iam::*:role/shop-*]",
            id="a task role",
        ),
    ],
)
def test_words_of_refusals(call: Callable[[], object], told: str) -> None:
    """What was asked for, by which rule, and what that allows."""
    assert refusal(call) == f"NotPermitted: this namespace may not {told}. {CURE}"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("*bb*bb*", "xxbbb", False, id="two pieces share no character"),
        pytest.param("*bb*bb*", "xxbbbb", True, id="two pieces side by side"),
        pytest.param("bb*bb", "bbb", False, id="nor do begin and end"),
        pytest.param("a*b*b", "ab", False, id="nor a piece and the end"),
    ],
)
def test_pieces_of_a_pattern(pattern: str, text: str, *, expected: bool) -> None:
    """Each stands for itself, in order."""
    assert matches(pattern, text) is expected
