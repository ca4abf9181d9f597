"""The query protocol reads what botocore's serialiser writes, and botocore's parser reads the XML."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.wire import models, query
from sluice_sandbox.aws.wire.operation import operation

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=["Cc", "Cs"]), min_size=1
)
FORWARD = st.fixed_dictionaries(
    {"Type": st.just("forward")},
    optional={
        "Order": st.integers(1, 50_000),
        "ForwardConfig": st.fixed_dictionaries(
            {
                "TargetGroups": st.lists(
                    st.fixed_dictionaries({"TargetGroupArn": TEXT, "Weight": st.integers(0, 999)}), max_size=5
                ),
                "TargetGroupStickinessConfig": st.fixed_dictionaries({"Enabled": st.booleans()}),
            }
        ),
    },
)


def sent(name: str, params: dict[str, Any]) -> str:
    """Return the form that boto3 sends."""
    model = models.service_model("elbv2").operation_model(name)
    return urlencode(create_serializer("query").serialize_to_request(params, model)["body"])


@given(st.lists(FORWARD, max_size=3))
def test_a_form_reads_back_as_the_parameters(actions: list[dict[str, Any]]) -> None:
    """Lists, structures, numbers and booleans survive boto3's form."""
    params = {"RuleArn": "arn", "Actions": actions}
    compiled = operation("elbv2", "ModifyRule")
    assert compiled.accept_wire(compiled.read_form(sent("ModifyRule", params))) == params


@given(st.lists(FORWARD, max_size=3), TEXT)
def test_botocore_reads_the_xml(actions: list[dict[str, Any]], arn: str) -> None:
    """Whatever text a rule carries, the client gets it back from the XML."""
    compiled = operation("elbv2", "ModifyRule")
    rule = {"RuleArn": arn, "Priority": "1", "IsDefault": False, "Actions": actions}
    text = query.response(
        "ModifyRule",
        namespace="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
        wrapper=compiled.wrapper,
        result=compiled.to_xml({"Rules": [rule]}),
        request_id="id-1",
    )
    shape = models.service_model("elbv2").operation_model("ModifyRule").output_shape
    parsed = create_parser("query").parse({"headers": {}, "status_code": 200, "body": text.encode()}, shape)
    assert parsed.pop("ResponseMetadata")["RequestId"] == "id-1"
    assert parsed == {"Rules": [rule]}


def test_an_empty_list_is_a_list() -> None:
    """boto3 sends an empty list as an empty field; it is a list, not text."""
    compiled = operation("elbv2", "ModifyRule")
    assert compiled.read_form(sent("ModifyRule", {"RuleArn": "a", "Actions": []}))["Actions"] == []


@pytest.mark.parametrize(
    ("form", "text"),
    [
        pytest.param(
            "RuleArn=a&Actions.member.1.Type=fly",
            "Value 'fly' at 'actions.1.member.type' failed to satisfy constraint",
            id="enum",
        ),
        pytest.param(
            "RuleArn=a&Actions.member.1.Type=forward&Actions.member.1.Order=x",
            "Member must be a Number",
            id="number",
        ),
        pytest.param("Actions.member.1.Type=forward", "Value null at 'ruleArn'", id="required"),
        pytest.param("RuleArn=a&Actions=x", "Member must be a List", id="list"),
    ],
)
def test_broken_forms_are_refused_as_validation_errors(form: str, text: str) -> None:
    """What does not fit the model is elbv2's ValidationError, naming the member."""
    compiled = operation("elbv2", "ModifyRule")
    with pytest.raises(AwsError) as caught:
        compiled.accept_wire(compiled.read_form(form))
    assert caught.value.code == "ValidationError"
    assert text in caught.value.message


@given(st.text(max_size=60))
def test_no_form_crashes_the_reader(form: str) -> None:
    """Any text is either parameters or a refusal."""
    compiled = operation("elbv2", "ModifyRule")
    try:
        compiled.accept_wire(compiled.read_form(form))
    except AwsError as error:
        refusal = error
    else:
        return
    assert refusal.status == 400


@pytest.mark.parametrize(
    ("body", "action"),
    [
        (b"Action=DescribeRules&Version=2015-12-01", "DescribeRules"),
        (b"Version=2015-12-01&Action=DescribeRules", "DescribeRules"),
        (b"Version=2015-12-01&Action=Describe%52ules", "DescribeRules"),
        (b"Action=First&Action=Last", "Last"),
        (b"Action.1=DescribeRules", ""),
        (b"Tag=Action=No&Other=Action%3DNo", ""),
        (b"Action=&Version=2015-12-01", ""),
        (b"", ""),
    ],
    ids=["first", "later", "escaped", "twice", "dotted", "in a value", "empty", "no form"],
)
def test_a_form_names_its_action(body: bytes, action: str) -> None:
    """Wherever it stands and however it is escaped, as folding the whole form would tell it."""
    assert query.action(body) == action
