"""Services: create, update, delete.

Every member of CreateService is kept and returned with ECS's defaults (DescribeServices examples in
botocore and public issues). UpdateService merges, checks the result as a creation is checked, and
opens a deployment only for the members whose documentation says that they trigger one.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from sluice_sandbox.aws.ecs import refusals, tags
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.definitions import DefinitionCalls
from sluice_sandbox.aws.ecs.deployment_rules import check_deployment_configuration
from sluice_sandbox.aws.ecs.deployments import DeploymentBook
from sluice_sandbox.aws.ecs.identity import arn
from sluice_sandbox.aws.ecs.scheduler import Scheduler
from sluice_sandbox.aws.ecs.service_queries import default_namespace, find_service
from sluice_sandbox.aws.ecs.service_rules import (
    NAME,
    ServiceRules,
    check_token,
    refuse_definition,
    refuse_unmodelled,
)
from sluice_sandbox.aws.ecs.service_spec import TRIGGERS, choose_launch, defaults, merge_plain, merged
from sluice_sandbox.aws.ecs.service_view import render
from sluice_sandbox.aws.ecs.state import Cluster, Definition, Service
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

DAEMON_COUNT = (
    "The daemon scheduling strategy does not support a desired count for services. "
    "Remove the desired count value and try again."
)
"""Text: public issues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What the service calls set in motion."""

    book: DeploymentBook
    scheduler: Scheduler


class ServiceCalls:
    """The service operations."""

    def __init__(self, core: Core, definitions: DefinitionCalls, hands: Hands) -> None:
        """Work on `core`'s state."""
        self._core = core
        self._definitions = definitions
        self._hands = hands
        self._rules = ServiceRules(core)

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "CreateService": self.create_service,
            "UpdateService": self.update_service,
            "DeleteService": self.delete_service,
        }

    def create_service(self, caller: Caller, params: Params) -> Response:
        """Create a service and its first deployment; a repeated clientToken returns the service there is."""
        refuse_unmodelled(params)
        cluster = self._core.cluster(caller, params.get("cluster"))
        name, token = params["serviceName"], params.get("clientToken") or ""
        if not NAME.fullmatch(name):
            # Text: public issues.
            raise refusals.invalid_parameter("Invalid service name.")
        check_token(token)
        service_arn = arn(caller, "service", cluster.name, name)
        scope = self._core.scope(caller)
        there = scope.services.get(service_arn)
        request = {key: value for key, value in params.items() if key != "cluster"}
        if there is not None and there.status == "DRAINING":
            # Text: ewilde/faas-fargate#13.
            raise refusals.invalid_parameter("Unable to Start a service that is still Draining.")
        if there is not None and there.status == "ACTIVE":
            if token and there.client_token == token and there.request == request:
                return {"service": render(self._core, there, with_tags=True)}
            # Text: hashicorp/terraform-provider-aws#2283.
            raise refusals.invalid_parameter("Creation of service was not idempotent.")
        service = self._make(caller, cluster, params, service_arn)
        service.client_token, service.request = token, deepcopy(request)
        scope.services[service_arn] = service
        cluster.service_arns[service_arn] = None
        if service.spec["deploymentController"]["type"] != "EXTERNAL":
            definition = self._core.definition(service.spec["taskDefinition"])
            self._hands.book.open(service, definition)
            self._hands.scheduler.touch(service_arn)
        return {"service": render(self._core, service, with_tags=True)}

    def _make(self, caller: Caller, cluster: Cluster, params: Params, service_arn: str) -> Service:
        chosen = tags.parse(params.get("tags"))
        strategy = params.get("schedulingStrategy") or "REPLICA"
        desired = params.get("desiredCount")
        external = (params.get("deploymentController") or {}).get("type") == "EXTERNAL"
        if strategy == "REPLICA" and desired is None and not external:
            # botocore: required if schedulingStrategy is REPLICA or isn't specified (text from memory); with
            # the EXTERNAL controller "the only required parameter is the service name".
            raise refusals.invalid_parameter("desiredCount is required for the REPLICA scheduling strategy.")
        if strategy == "DAEMON" and desired is not None:
            raise refusals.invalid_parameter(DAEMON_COUNT)
        _check_count(desired)
        spec = defaults(cluster, params)
        controller = spec["deploymentController"]["type"]
        if controller != "ECS" and strategy == "DAEMON":
            raise refusals.invalid_parameter(
                f"The daemon scheduling strategy is not supported with the {controller} controller."
            )
        if controller != "EXTERNAL":
            if not params.get("taskDefinition"):
                # Text: public issues.
                raise refusals.invalid_parameter("TaskDefinition cannot be blank.")
            definition = self._definitions.usable(caller, params["taskDefinition"], missing=refuse_definition)
            choose_launch(spec, definition)
            self._rules.check(caller, spec, definition, namespace=default_namespace(cluster))
            spec["taskDefinition"] = definition.arn
        elif (
            params.get("taskDefinition") or params.get("networkConfiguration") or params.get("loadBalancers")
        ):
            # Text from memory; the rule: ECS developer guide, external deployments.
            raise refusals.invalid_parameter(
                "taskDefinition, loadBalancers and networkConfiguration belong to the task sets of a service "
                "with the EXTERNAL deployment controller."
            )
        else:
            check_deployment_configuration(spec)
        return Service(
            arn=service_arn,
            name=params["serviceName"],
            cluster_arn=cluster.arn,
            status="ACTIVE",
            desired_count=desired or 0,
            created_at=self._core.now(),
            created_by=caller.principal,
            spec=spec,
            tags=chosen,
        )

    def update_service(self, caller: Caller, params: Params) -> Response:
        """Merge, check, keep; open a deployment where a member that triggers one differs or it is forced."""
        refuse_unmodelled(params)
        cluster = self._core.cluster(caller, params.get("cluster"))
        service = find_service(self._core.scope(caller), cluster, params["service"])
        if service is None:
            raise refusals.service_not_found()
        if service.status != "ACTIVE":
            raise refusals.service_not_active()
        _check_count(params.get("desiredCount"))
        if params.get("desiredCount") is not None and service.spec["schedulingStrategy"] == "DAEMON":
            raise refusals.invalid_parameter(DAEMON_COUNT)
        controller = service.spec["deploymentController"]["type"]
        if controller == "EXTERNAL":
            self._update_external(service, params)
        else:
            self._update_scheduled(caller, cluster, service, params)
        return {"service": render(self._core, service, with_tags=True)}

    def _update_external(self, service: Service, params: Params) -> None:
        # botocore, UpdateService: desiredCount and healthCheckGracePeriodSeconds (and tags) only.
        if TRIGGERS.intersection(params) or params.get("forceNewDeployment"):
            raise refusals.invalid_parameter(
                "Unable to update task definition on services with an EXTERNAL deployment controller. "
                "Use task sets to change it."
            )
        merge_plain(service.spec, params)
        service.desired_count = params.get("desiredCount", service.desired_count)
        self._hands.scheduler.touch(service.arn)

    def _update_scheduled(self, caller: Caller, cluster: Cluster, service: Service, params: Params) -> None:
        if service.spec["deploymentController"]["type"] == "CODE_DEPLOY" and (
            TRIGGERS.intersection(params) or params.get("forceNewDeployment")
        ):
            # Text: hashicorp/terraform-provider-aws issues on CODE_DEPLOY services.
            raise refusals.invalid_parameter(
                "Unable to update task definition on services with a CODE_DEPLOY deployment controller. "
                "Use AWS CodeDeploy to trigger a new deployment."
            )
        definition = self._definition_of(caller, service, params)
        spec = merged(service.spec, params, definition)
        self._rules.check(caller, spec, definition, given=params, namespace=default_namespace(cluster))
        opens = params.get("forceNewDeployment") or any(
            spec.get(member) != service.spec.get(member) for member in TRIGGERS
        )
        service.spec = spec
        desired = params.get("desiredCount")
        if desired is not None and desired != service.desired_count:
            service.desired_count = desired
            service.steady = False
            service.deployments[0].updated_at = self._core.now()
        service.deployments[0].desired_count = service.desired_count
        if opens:
            self._hands.book.open(service, definition)
        service.remarks.pop("blocked", None)
        self._hands.scheduler.touch(service.arn)

    def _definition_of(self, caller: Caller, service: Service, params: Params) -> Definition:
        if params.get("taskDefinition"):
            return self._definitions.usable(caller, params["taskDefinition"], missing=refuse_definition)
        # An INACTIVE definition may still be scaled and redeployed (botocore, DeregisterTaskDefinition).
        return self._core.definition(service.spec["taskDefinition"])

    def delete_service(self, caller: Caller, params: Params) -> Response:
        """Start draining; refused while scaled above zero unless forced."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        service = find_service(self._core.scope(caller), cluster, params["service"])
        if service is None or service.status == "INACTIVE":
            raise refusals.service_not_found()
        if service.status == "ACTIVE":
            if service.desired_count > 0 and not params.get("force"):
                # Text: public shell scripts that quote the answer.
                raise refusals.invalid_parameter(
                    "The service cannot be stopped while the primary deployment is scaled above 0."
                )
            service.status = "DRAINING"
            service.desired_count = 0
            for deployment in service.deployments:
                deployment.desired_count = 0
            self._hands.scheduler.drop_from_cluster(service)
            self._hands.scheduler.touch(service.arn)
        return {"service": render(self._core, service, with_tags=False)}


def _check_count(desired: int | None) -> None:
    if desired is not None and desired < 0:
        # Text from memory.
        raise refusals.invalid_parameter("desiredCount cannot be negative.")
