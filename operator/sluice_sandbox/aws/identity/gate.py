"""The gate before every call: signatures verified and policies enforced, as far as the switches say.

By default nobody's signature is verified (the sandbox has dummy keys) and who has policies is held to
them: a user or role that was given any policy may do what its policies allow and nothing else, one without
any is not bound. `POLICIES_ALL` binds everyone whom IAM knows, `POLICIES_OFF` nobody. Keys that IAM and STS
never gave out belong to the sandbox's own user, who administers all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sluice_sandbox.aws.identity import demands
from sluice_sandbox.aws.identity.directory import Directory, Identity
from sluice_sandbox.aws.identity.policy import EXPLICIT_DENY, Decision, Request, evaluate
from sluice_sandbox.aws.refusals import access_denied
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.wire.models import Value

POLICIES_OFF, POLICIES_WRITTEN, POLICIES_ALL = "off", "written", "all"
MODES = (POLICIES_OFF, POLICIES_WRITTEN, POLICIES_ALL)

_UNCHECKED = {("sts", "GetCallerIdentity"), ("sts", "AssumeRole"), ("sts", "AssumeRoleWithWebIdentity")}
"""GetCallerIdentity needs no permission (its botocore text says so); the others ask for themselves."""

_DEFINITION_RUNS = {"RunTask", "StartTask", "CreateService", "UpdateService", "CreateTaskSet"}
"""ECS calls that put a task definition's roles to use."""

TagsOf = Callable[[Caller, str], Mapping[str, str]]
RolesOf = Callable[[Caller, str], Mapping[str, str]]


@dataclass(slots=True)
class Switches:
    """What is checked of a caller."""

    policies: str = POLICIES_WRITTEN
    signatures: bool = False

    def turn(self, *, policies: str | None = None, signatures: bool | None = None) -> None:
        """Change one or both; raises ValueError for a mode that does not exist."""
        if policies is not None:
            if policies not in MODES:
                raise ValueError(f"policies are {', '.join(MODES)}, not {policies!r}")
            self.policies = policies
        if signatures is not None:
            self.signatures = bool(signatures)


class Gate:
    """Asks IAM before a call takes place."""

    def __init__(
        self, directory: Directory, *, owner: str, tags_of: TagsOf, roles_of_definition: RolesOf
    ) -> None:
        """Bind the principals of `directory`, except `owner` while nobody gave it policies.

        `tags_of(caller, arn)` are a resource's tags, `roles_of_definition(caller, name)` the role members
        of a task definition.
        """
        self.switches = Switches()
        self.directory = directory
        self._owner = owner
        self._tags_of = tags_of
        self._roles_of_definition = roles_of_definition

    def check(self, caller: Caller, service: str, operation: str, params: Value) -> None:
        """Let the call pass or raise the service's AccessDenied, naming action and resource."""
        if self.switches.policies == POLICIES_OFF or (service, operation) in _UNCHECKED:
            return
        identity = self._bound(caller)
        if identity is None:
            return
        context = demands.context(caller, service, params)
        action = demands.action(service, operation)
        for resource in demands.resources(caller, service, operation, params):
            self._ask(
                identity,
                caller,
                (service, operation),
                Request(action=action, resource=resource, context=context),
            )
        for passing in self._passings(caller, service, operation, params):
            passed = {**context, "iam:passedtoservice": (passing.service,)}
            self._ask(
                identity,
                caller,
                (service, operation),
                Request(action="iam:PassRole", resource=passing.role_arn, context=passed),
            )

    def allowed(self, caller: Caller, action: str, resource: str) -> bool:
        """Tell whether the caller's own policies allow one action; True for who is not bound."""
        identity = self._bound(caller) if self.switches.policies != POLICIES_OFF else None
        if identity is None:
            return True
        return self._decide(identity, caller, Request(action=action, resource=resource))[0].allowed

    def _bound(self, caller: Caller) -> Identity | None:
        """Return whose policies bind the caller, None when none do."""
        identity = self.directory.identity(caller.principal)
        if identity is None:
            return None
        if identity.documents or identity.session is not None or identity.boundary is not None:
            return identity
        if self.switches.policies == POLICIES_ALL and caller.principal != self._owner:
            return identity
        return None

    def _ask(self, identity: Identity, caller: Caller, call: tuple[str, str], request: Request) -> None:
        decision, kind = self._decide(identity, caller, request)
        if decision.allowed:
            return
        if decision.effect == EXPLICIT_DENY:
            reason = f"with an explicit deny in {'an' if kind[0] in 'aeiou' else 'a'} {kind} policy"
        else:
            reason = f"because no {kind} policy allows the {request.action} action"
        raise access_denied(caller, *call, resource=request.resource, action=request.action, reason=reason)

    def _decide(self, identity: Identity, caller: Caller, request: Request) -> tuple[Decision, str]:
        """Return the decision and the kind of policy that made it: each kind present must allow."""
        request = self._completed(identity, caller, request)
        verdict = evaluate(identity.documents, request), "identity-based"
        for documents, kind in (
            (identity.boundary, "permissions boundary"),
            (identity.session, "session"),
        ):
            if documents is None:
                continue
            limit = evaluate(documents, request), kind
            refuses = limit[0].effect == EXPLICIT_DENY and verdict[0].effect != EXPLICIT_DENY
            if refuses or (verdict[0].allowed and not limit[0].allowed):
                verdict = limit
        return verdict

    def _completed(self, identity: Identity, caller: Caller, request: Request) -> Request:
        """Add the principal's and the resource's keys; the resource's only where a policy asks for tags."""
        context = dict(request.context)
        if identity.name:
            context["aws:username"] = (identity.name,)
        for key, value in identity.tags:
            context[f"aws:principaltag/{key.lower()}"] = (value,)
        texts = (*identity.documents, *(identity.session or ()), *(identity.boundary or ()))
        if request.resource != "*" and any("resourcetag" in item.text.lower() for item in texts):
            service = request.action.partition(":")[0]
            for key, value in self._tags_of(caller, request.resource).items():
                context[f"aws:resourcetag/{key.lower()}"] = (value,)
                context[f"{service}:resourcetag/{key.lower()}"] = (value,)
        return Request(action=request.action, resource=request.resource, context=context)

    def _passings(self, caller: Caller, service: str, operation: str, params: Value) -> list[demands.Passing]:
        found = demands.passings(caller, service, params)
        if service == "ecs" and operation in _DEFINITION_RUNS and isinstance(params, Mapping):
            name = params.get("taskDefinition")
            if isinstance(name, str):
                found += demands.passings(caller, service, self._roles_of_definition(caller, name))
        return found
