"""Reading services: DescribeServices, ListServices, ListServicesByNamespace, and finding one by name.

Limits, page sizes and failures[] as botocore documents them.
"""

from __future__ import annotations

from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import arn, check_cluster, last_segment, same_resource
from sluice_sandbox.aws.ecs.namespaces import same
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.service_view import render
from sluice_sandbox.aws.ecs.state import Cluster, Scope, Service
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_DESCRIBE = 10
DEFAULT_PAGE = 10


def find_service(scope: Scope, cluster: Cluster, name_or_arn: str) -> Service | None:
    """Return the cluster's service that a call names, whatever its status; None if there is none.

    Raises InvalidParameterException for the ARN of another cluster's.
    """
    check_cluster(name_or_arn, cluster.name)
    service_arn = f"{cluster.arn.replace(':cluster/', ':service/')}/{last_segment(name_or_arn)}"
    found = scope.services.get(service_arn)
    return found if found is not None and same_resource(name_or_arn, found.arn) else None


def default_namespace(cluster: Cluster) -> str:
    """Return the cluster's default Service Connect namespace, '' without one."""
    return str((cluster.spec.get("serviceConnectDefaults") or {}).get("namespace") or "")


class ServiceQueries:
    """The operations that read services."""

    def __init__(self, core: Core) -> None:
        """Read `core`'s state."""
        self._core = core

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "DescribeServices": self.describe_services,
            "ListServices": self.list_services,
            "ListServicesByNamespace": self.list_services_by_namespace,
        }

    def describe_services(self, caller: Caller, params: Params) -> Response:
        """Describe up to ten by name or ARN; unknown ones are failures with reason MISSING."""
        names: list[str] = params["services"]
        if not names:
            raise refusals.invalid_parameter("Services cannot be empty.")
        if len(names) > MAX_DESCRIBE:
            # botocore: up to 10 services in a single operation.
            raise refusals.invalid_parameter("Services cannot have more than 10 elements.")
        cluster = self._core.cluster(caller, params.get("cluster"))
        scope = self._core.scope(caller)
        with_tags = "TAGS" in (params.get("include") or ())
        shown, failures = [], []
        for name in names:
            found = find_service(scope, cluster, name)
            if found is None:
                missing = name if name.startswith("arn:") else arn(caller, "service", cluster.name, name)
                failures.append({"arn": missing, "reason": "MISSING"})
            else:
                shown.append(render(self._core, found, with_tags=with_tags))
        return {"services": shown, "failures": failures}

    def list_services(self, caller: Caller, params: Params) -> Response:
        """List ACTIVE services of a cluster, ten a page unless said (botocore)."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        services = self._core.scope(caller).services
        found = []
        for service_arn in cluster.service_arns:
            service = services[service_arn]
            launch = params.get("launchType")
            scheduling = params.get("schedulingStrategy")
            if launch and service.spec.get("launchType") != launch:
                continue
            if scheduling and service.spec["schedulingStrategy"] != scheduling:
                continue
            if params.get("resourceManagementType") == "ECS":
                continue
            found.append(service_arn)
        arns, token = page(found, params, default=DEFAULT_PAGE)
        return {"serviceArns": arns, **token}

    def list_services_by_namespace(self, caller: Caller, params: Params) -> Response:
        """List the services, of any cluster, that are in a Service Connect namespace, ten a page."""
        wanted = params["namespace"]
        registries, namespaces = self._core.ports.registries, self._core.ports.namespaces
        if registries is not None and not registries.namespace_exists(caller, wanted):
            raise refusals.namespace_not_found(wanted)
        scope = self._core.scope(caller)
        found = []
        for service in scope.services.values():
            connect = service.spec.get("serviceConnectConfiguration") or {}
            default = default_namespace(scope.clusters[last_segment(service.cluster_arn)])
            if (
                service.status == "ACTIVE"
                and connect.get("enabled")
                and same(namespaces, caller, (connect.get("namespace") or default, wanted))
            ):
                found.append(service.arn)
        arns, token = page(found, params, default=DEFAULT_PAGE)
        return {"serviceArns": arns, **token}
