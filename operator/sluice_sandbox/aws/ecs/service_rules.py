"""What CreateService and UpdateService refuse beyond the shapes of botocore's model.

One class checks one service against one task definition; the same checks run for both calls, since
AWS validates the result of an update as it validates a creation. Sources stand at each rule; the
list of what must be refused is the research's (substitutes accept 22 of 25 of these).
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.deployment_rules import check_deployment_configuration
from sluice_sandbox.aws.ecs.discovery_rules import DiscoveryRules, container_port
from sluice_sandbox.aws.ecs.ebs_rules import check_volume_configurations
from sluice_sandbox.aws.ecs.launch_rules import check_launch, check_placement, launch_type_of
from sluice_sandbox.aws.ecs.native_rules import NativeRules
from sluice_sandbox.aws.ecs.refusals import client_exception, invalid_parameter, unsupported
from sluice_sandbox.aws.ecs.state import Definition
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
TOKEN = re.compile(r"[\x21-\x7e]{1,36}")
"""botocore, CreateServiceRequest.clientToken: 36 ASCII characters in the range 33-126."""
MAX_GRACE = 2**31 - 1
MAX_TARGET_GROUPS = 5
"""ECS developer guide: up to five target groups for each service."""
MAX_SUBNETS, MAX_SECURITY_GROUPS = 16, 5
"""botocore, AwsVpcConfiguration."""

_METRICS = frozenset({"CPUUtilization", "MemoryUtilization"})
_RESOLUTIONS = frozenset({20, 60})
"""botocore, MetricConfiguration."""

Spec = dict[str, Any]


class ServiceRules:
    """Checks of a service's members."""

    def __init__(self, core: Core) -> None:
        """Ask the estate and the target groups behind `core`'s ports."""
        self._core = core
        self._discovery = DiscoveryRules(core)
        self._native = NativeRules(core)

    def check(
        self,
        caller: Caller,
        spec: Spec,
        definition: Definition,
        *,
        given: Container[str] | None = None,
        namespace: str = "",
    ) -> None:
        """Check a service: after a creation's defaults (`given` None) or after an update's merge.

        Of an update, what lies outside the service (subnets, security groups, target groups) is looked
        up only where the request gives it: scaling a service whose rule or subnet is gone is no error
        (from memory: AWS answers so). `namespace` is the cluster's default for Service Connect.
        """
        check_launch(spec, definition, self._core.scope(caller))
        if spec.get("schedulingStrategy") == "DAEMON":
            _check_daemon(spec)
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
        if spec.get("role") and not spec.get("loadBalancers"):
            # botocore, CreateServiceRequest.role: a load balancer must be specified too (text from memory).
            raise invalid_parameter("A role can only be specified for a service with load balancers.")
        controller = (spec.get("deploymentController") or {}).get("type")
        if controller == "CODE_DEPLOY" and not spec.get("loadBalancers"):
            # botocore, CreateServiceRequest.loadBalancers: "required to use either an Application Load
            # Balancer or Network Load Balancer" (text from memory).
            raise invalid_parameter("A load balancer is required with the CODE_DEPLOY deployment controller.")
        _check_monitoring(spec.get("monitoring") or {})
        self._check_load_balancers(spec, definition)
        if given is None or "loadBalancers" in given:
            for item in spec.get("loadBalancers") or ():
                self._check_target_group(caller, item["targetGroupArn"], definition, vpc)
                alternate = (item.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")
                if alternate:
                    self._check_target_group(caller, alternate, definition, vpc)
        look_up = given is None or "serviceRegistries" in given
        self._discovery.check_registries(caller, spec, definition, look_up=look_up)
        check_deployment_configuration(spec)
        self._native.check(caller, spec, look_up=given is None or "loadBalancers" in given)
        check_placement(spec, definition)
        check_volume_configurations(spec.get("volumeConfigurations"), definition)
        look_up = given is None or "serviceConnectConfiguration" in given
        self._discovery.check_connect(caller, spec, definition, namespace=namespace if look_up else None)
        grace = spec.get("healthCheckGracePeriodSeconds")
        if grace is not None and not 0 <= grace <= MAX_GRACE:
            # botocore: up to 2,147,483,647 seconds; without any health check it is unused, not refused.
            raise invalid_parameter("healthCheckGracePeriodSeconds must be between 0 and 2147483647.")

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
            container_port(item, definition)
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


def _check_monitoring(monitoring: Spec) -> None:
    """Refuse metrics and resolutions that MonitoringConfiguration does not have (botocore)."""
    for item in monitoring.get("metricConfigurations") or ():
        unknown = set(item["metricNames"]) - _METRICS
        if unknown or not item["metricNames"]:
            raise invalid_parameter("metricNames must be CPUUtilization or MemoryUtilization.")
        if item["resolutionSeconds"] not in _RESOLUTIONS:
            raise invalid_parameter("resolutionSeconds must be 20 or 60.")


def _check_daemon(spec: Spec) -> None:
    """Refuse what the DAEMON strategy cannot have (botocore, CreateService)."""
    if launch_type_of(spec) == "FARGATE":
        # botocore: tasks using Fargate or the CODE_DEPLOY/EXTERNAL controllers don't support DAEMON.
        raise invalid_parameter("The daemon scheduling strategy is not supported on Fargate.")
    if spec.get("volumeConfigurations"):
        raise invalid_parameter("volumeConfigurations are only supported for REPLICA services.")
    if spec.get("placementStrategy"):
        raise invalid_parameter("Placement strategies are not supported with the DAEMON strategy.")
    if spec.get("availabilityZoneRebalancing") == "ENABLED":
        raise invalid_parameter("Availability Zone rebalancing is not supported with the DAEMON strategy.")


def check_token(token: str) -> None:
    """Refuse an impossible clientToken of CreateService or CreateTaskSet (text from memory)."""
    if token and not TOKEN.fullmatch(token):
        raise invalid_parameter("clientToken must be at most 36 ASCII characters in the range 33-126.")


def refuse_unmodelled(params: Spec) -> None:
    """Refuse members that the stand-in would otherwise drop without a word."""
    if params.get("gatewayConnectors"):
        raise unsupported("gatewayConnectors are not modelled by this stand-in of Amazon ECS.")


def refuse_definition(message: str) -> AwsError:
    """Make CreateService's and UpdateService's refusal of a task definition (ClientException)."""
    return client_exception(message)
