"""The calls of STS that moto answers without looking: who may assume a role, and who one is.

A role is assumed when it exists and its trust policy lets the caller (https://docs.aws.amazon.com/IAM/latest/
UserGuide/reference_policies_evaluation-logic.html, cross-account: the caller's own policies must allow it
too, when it has any). A missing role and an untrusting one get the same AccessDenied, so that nobody can
find out which roles exist. An account in which nobody ever made a user or role stands for one whose set-up
the sandbox does not show: its roles can be assumed, so that a second account needs no preparation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.identity.directory import Directory, RoleView
from sluice_sandbox.aws.identity.policy import Document, Request, evaluate
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

SANDBOX_USER_ID = "AIDASANDBOXSANDBOX001"
_CHAINED_MAX_S = 3600

Ask = Callable[[Caller, str, str, Params], Response]
"""moto's answer to (caller, service, operation, params)."""


class StsCalls:
    """AssumeRole, AssumeRoleWithWebIdentity and GetCallerIdentity."""

    def __init__(
        self, directory: Directory, *, ask: Ask, allowed: Callable[[Caller, str, str], bool]
    ) -> None:
        """Check against `directory`; `allowed` tells whether the caller's own policies allow an action."""
        self._directory = directory
        self._ask = ask
        self._allowed = allowed

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        """Return the handlers by service and operation."""
        return {
            ("sts", "AssumeRole"): self.assume_role,
            ("sts", "AssumeRoleWithWebIdentity"): self.assume_role_with_web_identity,
            ("sts", "GetCallerIdentity"): self.get_caller_identity,
        }

    def assume_role(self, caller: Caller, params: Params) -> Response:
        """Give out keys of a role that trusts the caller."""
        arn = _role_arn(params)
        role = self._directory.role(arn)
        if role is None:
            if _account(arn) == caller.account or self._directory.has_principals(_account(arn)):
                raise denied(caller, "sts:AssumeRole", arn)
        else:
            context = {
                "sts:externalid": _present(params.get("ExternalId")),
                "sts:rolesessionname": _present(params.get("RoleSessionName")),
                "aws:principalarn": (role_arn_of(caller.principal),),
                "aws:principalaccount": (caller.account,),
                "aws:sourceidentity": _present(params.get("SourceIdentity")),
            } | {f"aws:requesttag/{tag['Key'].lower()}": (tag["Value"],) for tag in params.get("Tags", ())}
            self._check_trust(caller, role, "sts:AssumeRole", context, principals=names_of(caller))
            if not self._allowed(caller, "sts:AssumeRole", arn):
                raise denied(caller, "sts:AssumeRole", arn)
            self._check_duration(role, params, chained=":assumed-role/" in caller.principal)
        _check_policy(params)
        return self._ask(caller, "sts", "AssumeRole", params)

    def assume_role_with_web_identity(self, caller: Caller, params: Params) -> Response:
        """Give out keys of a role for a token; who issued it is looked up in the trust policy only.

        The token itself is not verified: there is no issuer in the sandbox.
        """
        arn = _role_arn(params)
        role = self._directory.role(arn)
        if role is not None:
            allows = any(
                statement.get("Effect") == "Allow"
                and "AssumeRoleWithWebIdentity" in str(statement.get("Action", ""))
                for statement in role.trust.statements()
            )
            if not allows and "sts:*" not in role.trust.text and '"*"' not in role.trust.text:
                raise AwsError(
                    "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", status=403
                )
            self._check_duration(role, params, chained=False)
        return self._ask(caller, "sts", "AssumeRoleWithWebIdentity", params)

    def get_caller_identity(self, caller: Caller, params: Params) -> Response:
        """Tell account, ARN and unique id; a key that IAM never gave out is the sandbox's own user."""
        if self._directory.secret(caller.account, caller.access_key) is not None:
            return self._ask(caller, "sts", "GetCallerIdentity", params)
        return {"UserId": SANDBOX_USER_ID, "Account": caller.account, "Arn": caller.principal}

    def _check_trust(
        self,
        caller: Caller,
        role: RoleView,
        action: str,
        context: Mapping[str, Sequence[str]],
        *,
        principals: frozenset[str],
    ) -> None:
        request = Request(action=action, resource=role.arn, context=context, principals=principals)
        if not evaluate([role.trust], request).allowed:
            raise denied(caller, action, role.arn)

    def _check_duration(self, role: RoleView, params: Params, *, chained: bool) -> None:
        seconds = params.get("DurationSeconds")
        if seconds is None:
            return
        if chained and seconds > _CHAINED_MAX_S:
            raise AwsError(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
                "role chaining",
            )
        if seconds > role.max_session_seconds:
            raise AwsError(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )


def _check_policy(params: Params) -> None:
    """Refuse a session policy without statements (botocore's MalformedPolicyDocument, 400)."""
    text = params.get("Policy")
    if text and not Document("Policy", text, "session policy").statements():
        raise AwsError("MalformedPolicyDocument", "The session policy is not a valid policy document.")


def denied(caller: Caller, action: str, resource: str) -> AwsError:
    """Return STS's refusal: AccessDenied, 403 (wording of public issues on AssumeRole)."""
    text = f"User: {caller.principal} is not authorized to perform: {action} on resource: {resource}"
    return AwsError("AccessDenied", text, status=403)


def names_of(caller: Caller) -> frozenset[str]:
    """Return what a Principal element may call the caller: itself, its role, its account."""
    return frozenset(
        {
            caller.principal,
            role_arn_of(caller.principal),
            caller.account,
            f"arn:aws:iam::{caller.account}:root",
        }
    )


def role_arn_of(principal: str) -> str:
    """Return the role's ARN of a role session's (`aws:PrincipalArn`), any other ARN as it is."""
    parts = principal.split(":", 5)
    if len(parts) == 6 and parts[5].startswith("assumed-role/"):
        return f"arn:{parts[1]}:iam::{parts[4]}:role/{parts[5].split('/')[1]}"
    return principal


def _role_arn(params: Params) -> str:
    arn = str(params["RoleArn"])
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise AwsError("ValidationError", f"{arn} is invalid")
    return arn


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _present(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()
