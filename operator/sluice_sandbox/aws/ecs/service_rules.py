"""What CreateService and UpdateService refuse beyond the shapes of botocore's model.

One class checks one service against one task definition; the same checks run for both calls, since
AWS validates the result of an update as it validates a creation. Sources stand at each rule; the
list of what must be refused is the research's (substitutes accept 22 of 25 of these).
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from sluice_sandbox.aws.ecs.clusters import FARGATE_PROVIDERS, check_strategy
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.refusals import client_exception, invalid_parameter, unsupported
from sluice_sandbox.aws.ecs.state import Definition
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
TOKEN = re.compile(r"[\x21-\x7e]{1,36}")
"""botocore, CreateServiceRequest.clientToken: 36 ASCII characters in the range 33-126."""
PLATFORM_VERSIONS = frozenset({"LATEST", "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"})
MAX_TARGET_GROUPS = 5
"""ECS developer guide: up to five target groups for each service."""
MAX_SUBNETS, MAX_SECURITY_GROUPS = 16, 5
"""botocore, AwsVpcConfiguration."""

Spec = dict[str, Any]


class ServiceRules:
    """Checks of a service's members."""

    def __init__(self, core: Core) -> None:
        """Ask the estate and the target groups behind `core`'s ports."""
        self._core = core

    def check(
        self, caller: Caller, spec: Spec, definition: Definition, *, given: Container[str] | None = None
    ) -> None:
        """Check a service: after a creation's defaults (`given` None) or after an update's merge.

        Of an update, what lies outside the service (subnets, security groups, target groups) is looked
        up only where the request gives it: scaling a service whose rule or subnet is gone is no error
        (from memory: AWS answers so).
        """
        self._check_launch(spec, definition)
        network = spec.get("networkConfiguration")
        vpc = ""
        if given is None or "networkConfiguration" in given:
            vpc = self.check_network(caller, network, definition)
        else:
            _check_mode(network, definition)
        if network and spec.get("role"):
            # Text: public issues; the rule: botocore, CreateServiceRequest.role.
            raise invalid_parameter(
                "You cannot specify an IAM role for services that require a service linked role."
            )
        self._check_load_balancers(spec, definition)
        if given is None or "loadBalancers" in given:
            for item in spec.get("loadBalancers") or ():
                self._check_target_group(caller, item["targetGroupArn"], definition, vpc)
        self._check_registries(spec, definition)
        check_deployment_configuration(spec)
        self._check_placement(spec)
        self._check_volumes(spec, definition)
        self._check_service_connect(spec, definition)
        if spec.get("healthCheckGracePeriodSeconds") is not None and not (
            spec.get("loadBalancers")
            or _has_health_checks(definition)
            or spec.get("vpcLatticeConfigurations")
        ):
            # Text: hashicorp/terraform-provider-aws issues; container health checks count since 2024.
            raise invalid_parameter(
                "Health check grace period is only valid for services configured to use load balancers"
            )

    def check_network(self, caller: Caller, configuration: Spec | None, definition: Definition) -> str:
        """Check networkConfiguration against the definition; return its VPC ('' outside awsvpc)."""
        awsvpc = _check_mode(configuration, definition)
        if not awsvpc:
            return ""
        subnets = awsvpc.get("subnets") or []
        groups = awsvpc.get("securityGroups") or []
        if not subnets:
            raise invalid_parameter("subnets can not be empty.")
        if len(subnets) > MAX_SUBNETS:
            raise invalid_parameter("subnets can have at most 16 items.")
        if len(groups) > MAX_SECURITY_GROUPS:
            raise invalid_parameter("securityGroups can have at most 5 items.")
        vpc = self._vpc_of_subnets(caller, subnets)
        self._check_groups(caller, groups, vpc)
        return vpc

    def _vpc_of_subnets(self, caller: Caller, subnets: list[str]) -> str:
        vpcs = set()
        for subnet_id in subnets:
            subnet = self._core.ports.estate.subnet(caller, subnet_id)
            if subnet is None:
                # Text: public CloudFormation issues (EC2's error inside ECS's own).
                raise invalid_parameter(
                    f"Error retrieving subnet information for [{', '.join(subnets)}]: The subnet ID "
                    f"'{subnet_id}' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
                )
            vpcs.add(subnet.vpc_id)
        if len(vpcs) > 1:
            # botocore, AwsVpcConfiguration.subnets: all from the same VPC (text from memory).
            raise invalid_parameter("All subnets must be in the same VPC.")
        return vpcs.pop()

    def _check_groups(self, caller: Caller, groups: list[str], vpc: str) -> None:
        for group_id in groups:
            group_vpc = self._core.ports.estate.security_group_vpc(caller, group_id)
            if group_vpc is None:
                raise invalid_parameter(
                    f"Error retrieving security group information for [{', '.join(groups)}]: The security "
                    f"group '{group_id}' does not exist (ErrorCode: InvalidGroup.NotFound)"
                )
            if group_vpc != vpc:
                # Text from memory; the rule: botocore, AwsVpcConfiguration.securityGroups.
                raise invalid_parameter("Security groups and subnets must be from the same VPC.")

    def _check_launch(self, spec: Spec, definition: Definition) -> None:
        if spec.get("launchType") and spec.get("capacityProviderStrategy"):
            # Text: public issues.
            raise invalid_parameter(
                "Specifying both a launch type and capacity provider strategy is not supported. "
                "Remove one and try again."
            )
        strategy = spec.get("capacityProviderStrategy") or []
        if strategy:
            check_strategy(strategy)
        for item in strategy:
            if item["capacityProvider"] not in FARGATE_PROVIDERS:
                # Text: public issues.
                raise invalid_parameter(
                    f"The specified capacity provider '{item['capacityProvider']}' was not found."
                )
        launch = spec.get("launchType") or "FARGATE"
        if launch == "MANAGED_INSTANCES":
            # botocore: use the capacityProviderStrategy parameter and omit launchType.
            raise invalid_parameter(
                "The launch type MANAGED_INSTANCES requires a capacity provider strategy."
            )
        if launch not in definition.spec["compatibilities"]:
            # Text: oranmoshai/ecsServiceRestart#2 and many others.
            raise invalid_parameter(f"Task definition does not support launch_type {launch}.")
        platform = spec.get("platformVersion")
        if platform and platform not in PLATFORM_VERSIONS:
            raise AwsError("PlatformUnknownException", "The specified platform does not exist.")
        if platform and launch != "FARGATE":
            # Text: public issues.
            raise invalid_parameter("The platform version must be null when specifying an EC2 launch type.")
        if spec.get("schedulingStrategy") == "DAEMON" and launch == "FARGATE":
            # botocore: tasks using Fargate or the CODE_DEPLOY/EXTERNAL controllers don't support DAEMON.
            raise invalid_parameter("The daemon scheduling strategy is not supported on Fargate.")

    @staticmethod
    def _check_load_balancers(spec: Spec, definition: Definition) -> None:
        balancers = spec.get("loadBalancers") or []
        if len(balancers) > MAX_TARGET_GROUPS:
            raise invalid_parameter("load balancers can have at most 5 items.")
        seen: set[tuple[str, str, int]] = set()
        for item in balancers:
            if item.get("targetGroupArn") and item.get("loadBalancerName"):
                # Text: aws/amazon-ecs-cli#211.
                raise invalid_parameter(
                    "loadBalancerName and targetGroupArn cannot both be specified. You must specify either a "
                    "loadBalancerName or a targetGroupArn."
                )
            _check_container_port(item, definition)
            if item.get("loadBalancerName"):
                # Classic Load Balancers are not modelled; awsvpc services cannot use them (botocore).
                raise invalid_parameter(
                    "Classic Load Balancers are not supported with the awsvpc network mode."
                )
            if not item.get("targetGroupArn"):
                raise invalid_parameter("targetGroupArn must be specified in a load balancer.")
            key = (item["targetGroupArn"], item["containerName"], item["containerPort"])
            if key in seen:
                raise invalid_parameter(
                    "load balancers cannot have duplicate target groups for the same port."
                )
            seen.add(key)

    def _check_target_group(self, caller: Caller, arn: str, definition: Definition, vpc: str) -> None:
        group = self._core.ports.target_groups.group(caller, arn)
        if group is None:
            # Text: public issues.
            raise invalid_parameter("The specified target group does not exist.")
        if not group.load_balancer_arns:
            # Text: hashicorp/terraform#32908.
            raise invalid_parameter(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )
        if definition.spec["networkMode"] == "awsvpc" and group.target_type != "ip":
            # Text: public issues.
            raise invalid_parameter(
                f"The provided target group {arn} has target type {group.target_type}, which is incompatible "
                "with the awsvpc network mode specified in the task definition."
            )
        if vpc and group.vpc_id != vpc:
            # Text from memory.
            raise invalid_parameter(
                f"The target group {arn} is not in the same VPC as the service's subnets."
            )

    def _check_registries(self, spec: Spec, definition: Definition) -> None:
        registries = spec.get("serviceRegistries") or []
        if len(registries) > 1:
            # botocore: each service may be associated with one service registry.
            raise invalid_parameter("Each service may be associated with one service registry.")
        for item in registries:
            if item.get("port") is not None and item.get("containerPort") is not None:
                raise invalid_parameter(
                    "port and containerPort cannot both be specified in a service registry."
                )
            if item.get("containerName") is not None or item.get("containerPort") is not None:
                _check_container_port(item, definition)
            if not re.fullmatch(
                r"arn:[^:]+:servicediscovery:[^:]+:[^:]+:service/\S+", item.get("registryArn") or ""
            ):
                raise invalid_parameter("Invalid registryArn in a service registry.")

    def _check_placement(self, spec: Spec) -> None:
        if len(spec.get("placementConstraints") or ()) > 10 or len(spec.get("placementStrategy") or ()) > 5:
            raise invalid_parameter(
                "A service has at most 10 placement constraints and 5 placement strategies."
            )
        launch = spec.get("launchType") or "FARGATE"
        if launch == "FARGATE" and (spec.get("placementConstraints") or spec.get("placementStrategy")):
            # Text: public issues.
            raise invalid_parameter(
                "Placement constraints and strategies are not supported with FARGATE launch type."
            )

    def _check_volumes(self, spec: Spec, definition: Definition) -> None:
        at_launch = {v["name"] for v in definition.spec["volumes"] if v.get("configuredAtLaunch")}
        given = {item["name"] for item in spec.get("volumeConfigurations") or ()}
        if given != at_launch:
            # botocore: the name must match a volume with configuredAtLaunch (texts from memory).
            odd = ", ".join(sorted(given ^ at_launch))
            raise invalid_parameter(
                "volumeConfigurations must match the task definition's volumes marked configuredAtLaunch: "
                f"{odd}"
            )

    def _check_service_connect(self, spec: Spec, definition: Definition) -> None:
        connect = spec.get("serviceConnectConfiguration") or {}
        names = {
            mapping["name"]
            for container in definition.spec["containerDefinitions"]
            for mapping in container["portMappings"]
            if mapping.get("name")
        }
        for item in connect.get("services") or ():
            if item["portName"] not in names:
                # Text: public issues.
                raise invalid_parameter(
                    f"The portName {item['portName']} does not exist in the task definition's port mappings."
                )


def _check_mode(configuration: Spec | None, definition: Definition) -> Spec:
    """Return awsvpcConfiguration; refuse it outside awsvpc and its absence in it (texts: public issues)."""
    awsvpc: Spec = (configuration or {}).get("awsvpcConfiguration") or {}
    if definition.spec["networkMode"] != "awsvpc":
        if awsvpc:
            raise invalid_parameter(
                "Network Configuration is not valid for the given networkMode of this task definition."
            )
    elif not awsvpc:
        raise invalid_parameter(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    return awsvpc


def check_deployment_configuration(spec: Spec) -> None:
    """Refuse impossible percentages and what the strategy lacks (botocore, DeploymentConfiguration)."""
    configuration = spec.get("deploymentConfiguration") or {}
    low = configuration.get("minimumHealthyPercent")
    high = configuration.get("maximumPercent")
    daemon = spec.get("schedulingStrategy") == "DAEMON"
    if low is not None and not 0 <= low <= 100:
        # Text: public issues.
        raise invalid_parameter("minimumHealthyPercent must be between 0 and 100.")
    if high is not None and not (100 if not daemon else 0) <= high <= 200:
        # Text: terraform issues ("maximumPercent must be greater than or equal to 100 ...").
        raise invalid_parameter("maximumPercent must be between 100 and 200.")
    if low == 100 and high == 100:
        # Text: a public preflight rule set that quotes CreateService.
        raise invalid_parameter(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
        )
    controller = (spec.get("deploymentController") or {}).get("type", "ECS")
    breaker = configuration.get("deploymentCircuitBreaker")
    if breaker and controller != "ECS":
        raise invalid_parameter(
            "The deployment circuit breaker is only valid with the ECS deployment controller."
        )
    threshold = (breaker or {}).get("thresholdConfiguration")
    if threshold is not None and threshold["value"] < 1:
        raise invalid_parameter("The deployment circuit breaker's threshold value must be at least 1.")
    alarms = configuration.get("alarms")
    if alarms and alarms.get("enable") and not alarms.get("alarmNames"):
        raise invalid_parameter("alarmNames must not be empty when deployment alarms are enabled.")
    if (configuration.get("strategy") or "ROLLING") != "ROLLING":
        raise unsupported(
            f"The deployment strategy {configuration['strategy']} is not modelled by this stand-in of Amazon "
            "ECS; only ROLLING is."
        )


def _check_container_port(item: Spec, definition: Definition) -> None:
    name, port = item.get("containerName"), item.get("containerPort")
    container = next((c for c in definition.spec["containerDefinitions"] if c["name"] == name), None)
    if container is None:
        # Text: public terraform issues.
        raise invalid_parameter(f"The container {name} does not exist in the task definition.")
    ports = {mapping.get("containerPort") for mapping in container["portMappings"]}
    if port not in ports:
        # Text: public issues.
        raise invalid_parameter(f"The container {name} did not have a container port {port} defined.")


def _has_health_checks(definition: Definition) -> bool:
    return any(container.get("healthCheck") for container in definition.spec["containerDefinitions"])


def refuse_unmodelled(params: Spec) -> None:
    """Refuse members that the stand-in would otherwise drop without a word."""
    if params.get("gatewayConnectors"):
        raise unsupported("gatewayConnectors are not modelled by this stand-in of Amazon ECS.")


def refuse_definition(message: str) -> AwsError:
    """Make CreateService's and UpdateService's refusal of a task definition (ClientException)."""
    return client_exception(message)
