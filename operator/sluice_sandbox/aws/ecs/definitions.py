"""Task definitions: register, describe, list, deregister, delete.

Revisions are numbered per family and never reused (botocore, DeleteTaskDefinitions: the name is
retained and the revision goes on). ACTIVE -> INACTIVE -> DELETE_IN_PROGRESS -> gone once nothing
refers to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sluice_sandbox.aws.ecs import definition_rules, refusals, tags
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.definition_defaults import complete
from sluice_sandbox.aws.ecs.identity import arn, last_segment, owner
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.state import Definition, Family
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_DELETE = 10


class DefinitionCalls:
    """The task-definition operations, and the look-up that services and tasks use."""

    def __init__(self, core: Core) -> None:
        """Work on `core`'s state."""
        self._core = core

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "RegisterTaskDefinition": self.register_task_definition,
            "DescribeTaskDefinition": self.describe_task_definition,
            "ListTaskDefinitions": self.list_task_definitions,
            "ListTaskDefinitionFamilies": self.list_task_definition_families,
            "DeregisterTaskDefinition": self.deregister_task_definition,
            "DeleteTaskDefinitions": self.delete_task_definitions,
        }

    def register_task_definition(self, caller: Caller, params: Params) -> Response:
        """Check, complete and keep the next revision of the family."""
        definition_rules.check(params)
        chosen = tags.parse(params.get("tags"))
        family = self._core.scope(caller).families.setdefault(params["family"], Family())
        family.last_revision += 1
        definition = Definition(
            arn=arn(caller, "task-definition", f"{params['family']}:{family.last_revision}"),
            family=params["family"],
            revision=family.last_revision,
            status="ACTIVE",
            registered_at=self._core.now(),
            registered_by=caller.principal,
            spec=complete(params),
            tags=chosen,
        )
        family.revisions[definition.revision] = definition
        # `tags` is a member of the response beside the definition (botocore).
        response: Response = {"taskDefinition": render(definition)}
        if chosen:
            response["tags"] = tags.render(chosen)
        return response

    def describe_task_definition(self, caller: Caller, params: Params) -> Response:
        """Describe one revision; a family alone is its latest ACTIVE one (botocore)."""
        definition = self.find(caller, params["taskDefinition"])
        if definition is None or (
            ":" not in last_segment(params["taskDefinition"]) and definition.status != "ACTIVE"
        ):
            # Text: public issues of `describe-task-definition`.
            raise refusals.client_exception("Unable to describe task definition.")
        response: Response = {"taskDefinition": render(definition)}
        if "TAGS" in (params.get("include") or ()):
            response["tags"] = tags.render(definition.tags)
        return response

    def list_task_definitions(self, caller: Caller, params: Params) -> Response:
        """List ARNs by family name and revision, ascending unless sort=DESC; ACTIVE unless said."""
        status = params.get("status") or "ACTIVE"
        prefix = params.get("familyPrefix")
        families = self._core.scope(caller).families
        # botocore, familyPrefix: "the full family name", despite its own name.
        names = sorted(name for name in families if prefix is None or name == prefix)
        found = [
            revision.arn
            for name in names
            for _, revision in sorted(families[name].revisions.items())
            if revision.status == status
        ]
        if params.get("sort") == "DESC":
            found.reverse()
        arns, token = page(found, params)
        return {"taskDefinitionArns": arns, **token}

    def list_task_definition_families(self, caller: Caller, params: Params) -> Response:
        """List family names: all unless said, those with an ACTIVE revision, or those without (botocore)."""
        status = params.get("status") or "ALL"
        prefix = params.get("familyPrefix") or ""
        found = []
        for name, family in sorted(self._core.scope(caller).families.items()):
            active = any(revision.status == "ACTIVE" for revision in family.revisions.values())
            if (
                family.revisions
                and name.startswith(prefix)
                and (status == "ALL" or active == (status == "ACTIVE"))
            ):
                found.append(name)
        names, token = page(found, params)
        return {"families": names, **token}

    def deregister_task_definition(self, caller: Caller, params: Params) -> Response:
        """Make one revision INACTIVE."""
        definition = self._with_revision(caller, params["taskDefinition"])
        if definition.status == "DELETE_IN_PROGRESS":
            raise refusals.client_exception("The specified task definition is being deleted.")
        if definition.status == "INACTIVE":
            # Text: public issues of deregistering twice.
            raise refusals.client_exception(
                "The specified task definition is inactive. Specify an active task definition and try again."
            )
        definition.status = "INACTIVE"
        definition.deregistered_at = self._core.now()
        return {"taskDefinition": render(definition)}

    def delete_task_definitions(self, caller: Caller, params: Params) -> Response:
        """Start deleting INACTIVE revisions; what cannot be deleted is in failures[]."""
        names: list[str] = params["taskDefinitions"]
        if not names:
            raise refusals.invalid_parameter("Task definitions cannot be empty.")
        if len(names) > MAX_DELETE:
            raise refusals.invalid_parameter("A maximum of 10 task definitions can be deleted at a time.")
        shown: list[dict[str, Any]] = []
        failures: list[dict[str, str]] = []
        for name in names:
            try:
                definition = self._with_revision(caller, name)
            except AwsError as error:
                failures.append({"arn": name, "reason": "MISSING", "detail": error.message})
                continue
            if definition.status == "ACTIVE":
                failures.append(
                    {
                        "arn": definition.arn,
                        "reason": "The specified task definition is still in ACTIVE status. "
                        "Please deregister the target and try again.",
                    }
                )
                continue
            if definition.status == "INACTIVE":
                definition.status = "DELETE_IN_PROGRESS"
                definition.delete_requested_at = self._core.now()
            shown.append(render(definition))
            self._forget_later(definition.arn)
        return {"taskDefinitions": shown, "failures": failures}

    def find(self, caller: Caller, name: str) -> Definition | None:
        """Return the definition that `family`, `family:revision` or an ARN names; None if none.

        A family without revision is its latest ACTIVE one.
        """
        short = last_segment(name)
        family, _, revision = short.partition(":")
        known = self._core.scope(caller).families.get(family)
        if known is None:
            return None
        if not revision:
            active = [item for item in known.revisions.values() if item.status == "ACTIVE"]
            return max(active, key=lambda item: item.revision, default=None)
        found = known.revisions.get(int(revision)) if revision.isdecimal() else None
        if found is not None and name.startswith("arn:") and found.arn != name:
            return None
        return found

    def usable(self, caller: Caller, name: str, *, missing: Callable[[str], AwsError]) -> Definition:
        """Return an ACTIVE definition to run; `missing` makes the refusal that the call gives."""
        found = self.find(caller, name)
        if found is None:
            raise missing("TaskDefinition not found.")
        if found.status != "ACTIVE":
            # Text: public issues of services on deregistered definitions.
            raise missing("TaskDefinition is inactive")
        return found

    def _with_revision(self, caller: Caller, name: str) -> Definition:
        if ":" not in last_segment(name):
            # botocore, DeregisterTaskDefinition: a revision must be given.
            raise refusals.client_exception("Task definition must be specified with a revision.")
        found = self.find(caller, name)
        if found is None:
            raise refusals.client_exception("The specified task definition does not exist.")
        return found

    def _forget_later(self, definition_arn: str) -> None:
        core = self._core

        def forget() -> None:
            scope = core.state.scope(owner(definition_arn))
            family, revision = last_segment(definition_arn).split(":")
            known = scope.families.get(family)
            if known is None or int(revision) not in known.revisions:
                return
            used = any(task.definition_arn == definition_arn for task in scope.tasks.values()) or any(
                deployment.spec.get("taskDefinition") == definition_arn
                for service in scope.services.values()
                if service.status != "INACTIVE"
                for deployment in service.deployments
            )
            if used:
                core.later(60.0, forget)
                return
            del known.revisions[int(revision)]

        core.later(60.0, forget)


def render(definition: Definition) -> dict[str, Any]:
    """Return a definition as DescribeTaskDefinition shows it."""
    shown = {
        "taskDefinitionArn": definition.arn,
        "revision": definition.revision,
        "status": definition.status,
        **definition.spec,
        "registeredAt": definition.registered_at,
        "registeredBy": definition.registered_by,
    }
    if definition.deregistered_at is not None:
        shown["deregisteredAt"] = definition.deregistered_at
    if definition.delete_requested_at is not None:
        shown["deleteRequestedAt"] = definition.delete_requested_at
    return shown
