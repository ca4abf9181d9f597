"""The policy simulator: SimulatePrincipalPolicy and SimulateCustomPolicy, which moto does not have.

botocore's iam model: every action against every resource, each with a decision, the statements that
decided it, and the context keys that the policies ask for and the request does not give.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.identity.directory import Directory
from sluice_sandbox.aws.identity.policy import (
    ALLOWED,
    EXPLICIT_DENY,
    IMPLICIT_DENY,
    Decision,
    Document,
    Request,
    as_list,
    evaluate,
)
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+|\*")
_PAGE = 100


class Simulator:
    """The two simulating operations."""

    def __init__(self, directory: Directory) -> None:
        """Simulate the principals of `directory`."""
        self._directory = directory

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        """Return the handlers by service and operation."""
        return {
            ("iam", "SimulatePrincipalPolicy"): self.simulate_principal_policy,
            ("iam", "SimulateCustomPolicy"): self.simulate_custom_policy,
        }

    def simulate_principal_policy(self, caller: Caller, params: Params) -> Response:
        """Evaluate what a user, group or role may do, with PolicyInputList beside its own policies."""
        del caller
        source = str(params["PolicySourceArn"])
        if not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:(user|group|role)/.+", source):
            raise AwsError("InvalidInput", f"Invalid Entity Arn: {source}")
        identity = self._directory.identity(source)
        if identity is None:
            raise AwsError("NoSuchEntity", f"No such entity: {source}", status=404)
        documents = (*identity.documents, *_given(params, "PolicyInputList"))
        boundary = tuple(_given(params, "PermissionsBoundaryPolicyInputList")) or identity.boundary
        return _results(documents, boundary or None, params)

    def simulate_custom_policy(self, caller: Caller, params: Params) -> Response:
        """Evaluate the policies of the request alone."""
        del caller
        boundary = tuple(_given(params, "PermissionsBoundaryPolicyInputList"))
        return _results(tuple(_given(params, "PolicyInputList")), boundary or None, params)


def _given(params: Params, member: str) -> Iterator[Document]:
    for number, text in enumerate(params.get(member, ()), 1):
        document = Document(f"{member}.{number}", text, "IAM policy")
        if not document.statements():
            raise AwsError("MalformedPolicyDocument", "Syntax errors in policy.")
        yield document


def _results(documents: Sequence[Document], boundary: Sequence[Document] | None, params: Params) -> Response:
    actions = params["ActionNames"]
    for action in actions:
        if _ACTION.fullmatch(action) is None:
            raise AwsError("InvalidInput", f"Invalid action name: {action}")
    context = {
        entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", ()))
        for entry in params.get("ContextEntries", ())
    }
    found = [
        _result(
            documents,
            boundary,
            Request(action=action, resource=resource, context=context),
        )
        for action in actions
        for resource in params.get("ResourceArns") or ["*"]
    ]
    marker = str(params.get("Marker", "0"))
    if not marker.isdecimal():
        raise AwsError("InvalidInput", f"Invalid Marker: {marker}")
    start = int(marker)
    size = params.get("MaxItems", _PAGE)
    response: Response = {"EvaluationResults": found[start : start + size], "IsTruncated": False}
    if start + size < len(found):
        response |= {"IsTruncated": True, "Marker": str(start + size)}
    return response


def _result(documents: Sequence[Document], boundary: Sequence[Document] | None, request: Request) -> Response:
    decision = evaluate(documents, request)
    result: Response = {}
    if boundary is not None:
        bounded = evaluate(boundary, request)
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bounded.allowed}
        if bounded.effect == EXPLICIT_DENY:
            decision = bounded
        elif not bounded.allowed and decision.effect == ALLOWED:
            decision = Decision(IMPLICIT_DENY)
    return result | {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": decision.effect,
        "MatchedStatements": [
            {
                "SourcePolicyId": document.name,
                "SourcePolicyType": "IAM Policy",
                "StartPosition": {"Line": 1, "Column": 1},
                "EndPosition": {
                    "Line": document.text.count("\n") + 1,
                    "Column": len(document.text.rpartition("\n")[2]) + 1,
                },
            }
            for document in decision.matched
        ],
        "MissingContextValues": sorted(_missing(documents, request)),
    }


def _missing(documents: Sequence[Document], request: Request) -> set[str]:
    """Return the condition keys that the policies ask for and the request does not give."""
    asked = {
        str(key)
        for document in documents
        for statement in document.statements()
        for keys in as_list(statement.get("Condition") or {})
        for operator in keys.values()
        for key in operator
    }
    return {key for key in asked if key.lower() not in request.context}
