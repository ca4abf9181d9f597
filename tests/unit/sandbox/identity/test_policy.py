"""IAM's policy language: what is allowed, what is denied, and by which statement."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.aws.identity.policy import (
    ALLOWED,
    EXPLICIT_DENY,
    IMPLICIT_DENY,
    Document,
    Request,
    evaluate,
    like,
)

SERVICE = "arn:aws:ecs:eu-west-1:111122223333:service/c/web"


def document(*statements: dict[str, Any]) -> Document:
    """Return a policy of the statements."""
    return Document("p", json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """Return a statement that says yes to everything, but for `elements`."""
    base: dict[str, Any] = {"Effect": effect, "Action": "*", "Resource": "*"}
    for name in elements:
        if name.startswith("Not"):
            base.pop(name.removeprefix("Not"))
    return base | elements


@pytest.mark.parametrize(
    ("statements", "effect"),
    [
        pytest.param([], IMPLICIT_DENY, id="nothing said"),
        pytest.param([statement()], ALLOWED, id="everything"),
        pytest.param([statement(Action="ecs:UpdateService")], ALLOWED, id="the action"),
        pytest.param([statement(Action="ECS:updateservice")], ALLOWED, id="actions have no case"),
        pytest.param([statement(Action=["ecs:Create*", "ecs:*Service"])], ALLOWED, id="wildcards in a list"),
        pytest.param([statement(Action="ecs:Describe*")], IMPLICIT_DENY, id="another action"),
        pytest.param([statement(NotAction="iam:*")], ALLOWED, id="all but another"),
        pytest.param([statement(NotAction="ecs:*")], IMPLICIT_DENY, id="all but this"),
        pytest.param([statement(Resource=SERVICE)], ALLOWED, id="the resource"),
        pytest.param([statement(Resource="arn:aws:ecs:*:*:service/c/*")], ALLOWED, id="resource pattern"),
        pytest.param([statement(Resource=SERVICE.upper())], IMPLICIT_DENY, id="resources have case"),
        pytest.param([statement(NotResource=SERVICE)], IMPLICIT_DENY, id="all but this resource"),
        pytest.param([statement(), statement("Deny", Action="ecs:*")], EXPLICIT_DENY, id="a deny wins"),
        pytest.param([statement(), statement("Deny", Action="iam:*")], ALLOWED, id="a deny of another"),
        pytest.param(
            [statement(Resource="arn:aws:ecs:*:*:service/c/${aws:username}")], ALLOWED, id="variable"
        ),
        pytest.param(
            [statement(Resource="arn:aws:ecs:*:*:service/c/${aws:PrincipalTag/team}")],
            IMPLICIT_DENY,
            id="variable without a value",
        ),
    ],
)
def test_evaluation(statements: list[dict[str, Any]], effect: str) -> None:
    """An explicit deny wins, then an allow is needed."""
    request = Request(action="ecs:UpdateService", resource=SERVICE, context={"aws:username": ("web",)})
    assert evaluate([document(*statements)], request).effect == effect


CONTEXT = {
    "aws:resourcetag/team": ("checkout",),
    "aws:tagkeys": ("team", "cost"),
    "ecs:cluster": ("arn:aws:ecs:eu-west-1:111122223333:cluster/prod",),
    "aws:sourceip": ("127.0.0.1",),
    "aws:currenttime": ("2026-11-21T10:00:00Z",),
    "s3:max-keys": ("10",),
    "aws:securetransport": ("false",),
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        pytest.param({"StringEquals": {"aws:ResourceTag/team": "checkout"}}, True, id="equals"),
        pytest.param({"StringEquals": {"aws:ResourceTag/team": ["a", "checkout"]}}, True, id="one of"),
        pytest.param({"StringEquals": {"aws:ResourceTag/team": "Checkout"}}, False, id="case"),
        pytest.param(
            {"StringEqualsIgnoreCase": {"aws:ResourceTag/team": "Checkout"}}, True, id="ignoring case"
        ),
        pytest.param({"StringEquals": {"aws:ResourceTag/owner": "x"}}, False, id="absent key"),
        pytest.param({"StringEqualsIfExists": {"aws:ResourceTag/owner": "x"}}, True, id="if exists"),
        pytest.param({"StringNotEquals": {"aws:ResourceTag/owner": "x"}}, True, id="absent, negated"),
        pytest.param({"StringNotEquals": {"aws:ResourceTag/team": "checkout"}}, False, id="not equals"),
        pytest.param({"StringLike": {"aws:ResourceTag/team": "check*"}}, True, id="like"),
        pytest.param({"StringNotLike": {"aws:ResourceTag/team": "check*"}}, False, id="not like"),
        pytest.param({"ArnLike": {"ecs:cluster": "arn:aws:ecs:*:*:cluster/p*"}}, True, id="arn"),
        pytest.param({"ArnEquals": {"ecs:cluster": "arn:aws:*"}}, False, id="arn over colons"),
        pytest.param({"Null": {"aws:ResourceTag/owner": "true"}}, True, id="null"),
        pytest.param({"Null": {"aws:ResourceTag/team": "true"}}, False, id="not null"),
        pytest.param({"Bool": {"aws:SecureTransport": False}}, True, id="bool"),
        pytest.param({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True, id="address"),
        pytest.param({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, False, id="not address"),
        pytest.param({"NumericLessThanEquals": {"s3:max-keys": "10"}}, True, id="number"),
        pytest.param({"NumericGreaterThan": {"s3:max-keys": "x"}}, False, id="no number"),
        pytest.param({"DateGreaterThan": {"aws:CurrentTime": "2026-11-20T00:00:00Z"}}, True, id="date"),
        pytest.param(
            {"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost", "x"]}}, True, id="all values"
        ),
        pytest.param({"ForAllValues:StringEquals": {"aws:TagKeys": "team"}}, False, id="not all values"),
        pytest.param({"ForAllValues:StringEquals": {"absent": "team"}}, True, id="all of none"),
        pytest.param({"ForAnyValue:StringEquals": {"aws:TagKeys": "cost"}}, True, id="any value"),
        pytest.param({"ForAnyValue:StringEquals": {"absent": "cost"}}, False, id="any of none"),
        pytest.param(
            {"StringEquals": {"aws:ResourceTag/team": "checkout"}, "Bool": {"aws:SecureTransport": True}},
            False,
            id="all operators must hold",
        ),
        pytest.param({"Resembles": {"aws:SourceIp": "x"}}, False, id="no such operator"),
    ],
)
def test_conditions(condition: dict[str, Any], *, holds: bool) -> None:
    """Each operator compares as IAM documents it; absent keys fail it unless it is negated."""
    request = Request(action="ecs:UpdateService", resource=SERVICE, context=CONTEXT)
    assert evaluate([document(statement(Condition=condition))], request).allowed is holds


def test_the_deciding_policy_is_named() -> None:
    """What matched is told, for the simulator and for people."""
    allow = Document("allow", json.dumps({"Statement": statement()}))
    deny = Document("deny", json.dumps({"Statement": statement("Deny")}))
    request = Request(action="a:B")
    assert evaluate([allow], request).matched == (allow,)
    assert evaluate([allow, deny], request).matched == (deny,)


@given(st.text(alphabet="ab*?[]$.", max_size=8))
def test_patterns_have_only_two_signs(text: str) -> None:
    """A pattern without `*` and `?` fits itself alone, and `*` fits everything."""
    plain = text.replace("*", "").replace("?", "")
    assert like(plain, plain)
    assert not like(plain, plain + "x")
    assert like("*", text)
