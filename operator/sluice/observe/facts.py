"""`ports.Facts` over the collectors, and what writes of our own mean to them.

The executor reports every write (`wrote`, `failed`), so that the next look knows what we just did: a
response is the newest read there is, and a write without a good end makes everything about its subject
unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.observe.arns import listener_of
from sluice.observe.balancers import BalancerFacts
from sluice.observe.cloud_map import CloudMapFacts, is_cloud_map_write
from sluice.observe.definitions import DefinitionFacts
from sluice.observe.deployments import DeploymentFacts
from sluice.observe.elb_tags import ElbTagFacts
from sluice.observe.expected import ExpectedServices
from sluice.observe.logs import last_lines
from sluice.observe.own_writes import OwnWrites
from sluice.observe.protection import ProtectionFacts
from sluice.observe.rules import RuleFacts
from sluice.observe.services import ServiceFacts
from sluice.observe.source import FactsSettings, Source
from sluice.observe.target_groups import TargetGroupFacts
from sluice.observe.tasks import TaskFacts
from sluice.ports import Aws, Clock, Object

_SERVICE_WRITES: Final = frozenset({"CreateService", "UpdateService", "DeleteService"})
_DEFINITION_WRITES: Final = frozenset({"RegisterTaskDefinition", "DeregisterTaskDefinition"})
_RULE_WRITES: Final = frozenset({"CreateRule", "ModifyRule", "SetRulePriorities", "DeleteRule"})
_GROUP_WRITES: Final = frozenset(
    {"CreateTargetGroup", "ModifyTargetGroup", "ModifyTargetGroupAttributes", "DeleteTargetGroup"}
)


class AwsFacts:
    """Batched, cached reads of AWS. Thread-safe; memory is bounded per kind."""

    def __init__(
        self,
        aws: Aws,
        *,
        clock: Clock,
        settings: FactsSettings | None = None,
        expected: ExpectedServices | None = None,
    ) -> None:
        """Read through `aws`; ages are `settings`', `expected` the services of a process that starts."""
        chosen = settings or FactsSettings()
        source = Source(
            aws=aws, clock=clock, settings=chosen, writes=OwnWrites(clock, window=chosen.consistency)
        )
        self._source = source
        self._services = ServiceFacts(source, expected)
        self._deployments = DeploymentFacts(source)
        self._definitions = DefinitionFacts(source)
        self._tasks = TaskFacts(source)
        self._tags = ElbTagFacts(source)
        self._balancers = BalancerFacts(source)
        self._rules = RuleFacts(source, self._tags)
        self._groups = TargetGroupFacts(source, self._tags)
        self._protection = ProtectionFacts(source)
        self._cloud_map = CloudMapFacts(source)

    @property
    def cloud_map(self) -> CloudMapFacts:
        """See `ports.Facts`."""
        return self._cloud_map

    def protected(
        self, context: CallContext, *, cluster: str, tasks: Sequence[str], max_age: float
    ) -> Mapping[str, float]:
        """See `ports.Facts`; what we wrote ourselves is known at once."""
        return self._protection.protected(context, cluster=cluster, tasks=tasks, max_age=max_age)

    def service(self, context: CallContext, *, cluster: str, name: str, max_age: float) -> Object | None:
        """See `ports.Facts`; a cluster that does not exist has no services."""
        return self._services.service(context, cluster=cluster, name=name, max_age=max_age)

    def service_deployments(self, context: CallContext, *, cluster: str, service: str) -> Sequence[Object]:
        """See `ports.Facts`; the newest five, always read."""
        return self._deployments.service_deployments(context, cluster=cluster, service=service)

    def task_definition(self, context: CallContext, arn: str) -> Object | None:
        """See `ports.Facts`; `forget` its ARN to read the status again."""
        return self._definitions.task_definition(context, arn)

    def find_task_definitions(self, context: CallContext, family: str, *, limit: int) -> Sequence[Object]:
        """See `ports.Facts`; the list is always read, bodies come from the cache."""
        return self._definitions.find(context, family, limit=limit)

    def tasks(
        self, context: CallContext, *, cluster: str, service: str, status: str, max_age: float
    ) -> Sequence[Object]:
        """See `ports.Facts`."""
        return self._tasks.tasks(context, cluster=cluster, service=service, status=status, max_age=max_age)

    def load_balancer(self, context: CallContext, name_or_arn: str) -> Object | None:
        """See `ports.Facts`; at most ten minutes old, absence half a minute."""
        return self._balancers.load_balancer(context, name_or_arn)

    def listener(self, context: CallContext, arn: str) -> Object | None:
        """See `ports.Facts`; at most two minutes old, absence of any listener half a minute."""
        return self._balancers.listener(context, arn)

    def listeners(self, context: CallContext, load_balancer_arn: str) -> Sequence[Object]:
        """See `ports.Facts`; who misses one should `forget` the load balancer before saying so."""
        return self._balancers.listeners(context, load_balancer_arn)

    def rules(self, context: CallContext, listener_arn: str, *, max_age: float) -> Sequence[Object]:
        """See `ports.Facts`; a read that must be older than our own write raises `StaleRead`."""
        try:
            return self._rules.rules(context, listener_arn, max_age=max_age)
        except AwsFailure as error:
            if error.kind == "not-found":
                self._balancers.forget(context.binding, listener_arn)
            raise

    def rules_by_arn(self, context: CallContext, arns: Sequence[str]) -> Mapping[str, Object]:
        """See `ports.Facts`; never from the cache."""
        return self._rules.rules_by_arn(context, arns)

    def target_groups(
        self, context: CallContext, names: Sequence[str], *, max_age: float
    ) -> Mapping[str, Object]:
        """See `ports.Facts`; tags and attributes are at most ten minutes old whatever `max_age`."""
        return self._groups.target_groups(context, names, max_age=max_age)

    def target_health(self, context: CallContext, arn: str, *, max_age: float) -> Sequence[Object]:
        """See `ports.Facts`; none when the group is gone."""
        return self._groups.target_health(context, arn, max_age=max_age)

    def log_lines(self, context: CallContext, *, group: str, stream: str, limit: int) -> Sequence[str]:
        """See `ports.Facts`; always read."""
        return last_lines(self._source, context, group=group, stream=stream, limit=limit)

    def forget(self, binding: Binding, *subjects: str) -> None:
        """Drop what is cached about ARNs or names, of whatever kind."""
        for subject in filter(None, subjects):
            self._services.forget(binding, subject)
            self._tasks.forget(binding, subject)
            self._definitions.forget(binding, subject)
            self._balancers.forget(binding, subject)
            self._rules.forget(binding, subject)
            self._groups.forget(binding, subject)
            self._tags.forget(binding, subject)
            self._cloud_map.forget(binding, subject)

    def wrote(
        self, binding: Binding, operation: str, params: Mapping[str, Any], response: Mapping[str, Any]
    ) -> None:
        """Learn from a write that AWS accepted."""
        if is_cloud_map_write(operation, params):
            self._cloud_map.wrote(binding, params)
        elif operation == "UpdateTaskProtection":
            self._protection.wrote(binding, params, response)
        elif operation in _SERVICE_WRITES:
            self._services.wrote(binding, operation, params, response)
        elif operation in _DEFINITION_WRITES:
            self._definitions.wrote(binding, params, response)
        elif operation in _RULE_WRITES:
            self._rules.wrote(binding, operation, params, response)
        elif operation in _GROUP_WRITES:
            self._groups.wrote(binding, operation, params, response)
        elif operation in ("AddTags", "RemoveTags"):
            self._tags.wrote(binding, params)
            for arn in params.get("ResourceArns", []):
                self._rules.forget(binding, arn)
        else:
            self.failed(binding, params)

    def failed(self, binding: Binding, params: Mapping[str, Any]) -> None:
        """Learn that a write failed, or may have happened: nothing about its subject is known."""
        if params.get("serviceName") or params.get("service"):
            self._services.failed(binding, params)
        if {"InstanceId", "NamespaceId", "Id", "ResourceARN"} & params.keys():
            self._cloud_map.wrote(binding, params)
        if "protectionEnabled" in params:
            self._protection.forget(binding, *params["tasks"])
        rules = [entry["RuleArn"] for entry in params.get("RulePriorities", [])]
        named = ("resourceArn", "taskDefinition", "TargetGroupArn", "Name", "ListenerArn", "RuleArn")
        subjects = [
            *(params[name] for name in named if name in params),
            *params.get("ResourceArns", []),
            *rules,
        ]
        listeners = [listener_of(arn) for arn in subjects if ":listener-rule/" in arn]
        self.forget(binding, *subjects, *listeners)
