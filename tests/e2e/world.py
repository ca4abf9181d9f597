"""One world of end-to-end tests: a control plane with the chart installed, AWS, and the operator beside them.

The operator runs as a process of its own with the ConfigMap and the ServiceAccount of the chart's release;
only what a pod has and a process has not is added: loopback for its probes, the Lease's namespace, AWS keys.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from e2e import audit
from e2e.operator_process import Operator
from e2e.stand_in import SPEED, StandIn
from e2e.waiting import until
from integration.chart.helm import CHART, Helm
from sluice_sandbox.controlplane.plane import ControlPlane

SYSTEM: Final = "sluice-system"
RELEASE: Final = "sluice"
INSTALLATION: Final = "e2e"
DRIFT: Final = "2s"
LEASE: Final = {"duration": "12s", "renewDeadline": "8s", "retryPeriod": "1s"}
"""The shortest Lease under which writes go out: one has to outlive a call of at most 10 s."""


class World:
    """See the module. A context manager; the operator is started by whoever needs it."""

    def __init__(self, folder: Path, *, speed: int = SPEED) -> None:
        """Keep everything in `folder`; `speed` is AWS's."""
        self._folder = folder
        self._speed = speed
        self._numbers = itertools.count(1)
        flags = audit.flags(folder / "audit", user=f"system:serviceaccount:{SYSTEM}:{RELEASE}")
        self._plane = ControlPlane(folder / "kubernetes", api_flags=flags)
        self.audit = audit.Audit(folder / "audit")
        self.cluster = self._plane.cluster
        self._values: dict[str, Any] = {}
        self._told: set[str] = set()
        self.operators: list[Operator] = []
        """All that were started, newest last."""

    def __enter__(self) -> Self:
        """Start control plane and AWS, install the chart."""
        self.aws = StandIn(self._folder, speed=self._speed)
        try:
            # Both start at the same time.
            self._plane.start()
            self.aws.wait_until_ready()
            self._helm = Helm(self.cluster, self._folder / "helm")
            self._values = self._first_values()
            self._helm.run(*self._release("install", {}), "--create-namespace")
            until(self._served, "the custom resources are served")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End everything; nobody is asked whether finalizers are left, the cluster goes too."""
        for operator in self.operators:
            operator.kill()
        self.aws.stop()
        self._plane.stop()

    # Configuration.

    def _first_values(self) -> dict[str, Any]:
        estate = self.aws.estate
        subnets = {"subnets": estate["subnetIds"], "securityGroups": estate["securityGroupIds"]}
        rule = {
            "name": "everyone",
            "defaultCluster": estate["cluster"]["name"],
            "taskRoles": ["*"],
            "executionRoles": ["*"],
            "defaultExecutionRole": estate["roles"]["execution"],
            "defaultNetworkConfiguration": {"awsvpcConfiguration": subnets},
            "listeners": [{"loadBalancer": estate["loadBalancer"]["name"]}],
            "hostnames": ["*.example.com"],
            "cloudMapNamespaces": ["*"],
            "createCloudMapNamespaces": True,
        }
        return {
            "installationId": INSTALLATION,
            "region": estate["region"],
            "endpointUrl": self.aws.endpoint,
            "driftInterval": DRIFT,
            "driftAttributesInterval": DRIFT,
            "discoveryPropagation": "1s",
            "lease": LEASE,
            # The tests share one account and would wait for each other's tokens; the demo runs with budgets.
            "aws": {"budgets": False},
            "tenancy": [rule],
        }

    def _release(self, verb: str, changes: dict[str, Any]) -> list[str]:
        file = self._folder / "values.json"
        file.write_text(json.dumps(self._values | changes), encoding="utf-8")
        return [verb, RELEASE, str(CHART), "--namespace", SYSTEM, "--values", str(file)]

    @contextmanager
    def configured(self, **changes: Any) -> Iterator[None]:
        """Upgrade the release with other values; afterwards all is as before.

        Operators that run are ended first, as a rollout of their pods would; one is started at the end.
        """
        self.end_operators()
        self._helm.run(*self._release("upgrade", changes))
        try:
            yield
        finally:
            self.end_operators()
            self._helm.run(*self._release("upgrade", {}))
            self.operator()

    def _served(self) -> bool:
        """Tell whether both kinds are served: 404 before, 429 while their storage begins."""
        paths = (f"/apis/sluice.dev/v1alpha1/{kind}" for kind in ("ecsdeployments", "serviceroutes"))
        return all(self.cluster.exchange("GET", path)[0] == 200 for path in paths)

    # Operators.

    def operator(self) -> Operator:
        """Return an operator that runs and is ready, started if there is none."""
        running = [operator for operator in self.operators if operator.runs]
        operator = running[-1] if running else self.start_operator()
        operator.wait_until_ready()
        return operator

    def start_operator(self, **settings: str) -> Operator:
        """Start one more replica of the release; `settings` are more environment variables of it."""
        name = f"operator-{next(self._numbers)}"
        config = self.cluster.request("GET", f"/api/v1/namespaces/{SYSTEM}/configmaps/{RELEASE}")
        file = self._folder / f"{name}.yaml"
        file.write_text(config["data"]["config.yaml"], encoding="utf-8")
        account = self.cluster.kubeconfig_for_service_account(
            self._folder / f"{name}.kubeconfig", RELEASE, namespace=SYSTEM
        )
        principal, keys = self.aws.user(name)
        environment = {
            "SLUICE_CONFIG": str(file),
            "SLUICE_KUBECONFIG": str(account),
            "SLUICE_HTTP_ADDRESS": "127.0.0.1",
            "SLUICE_HTTP_PORT": "0",
            "SLUICE_LEASE_NAMESPACE": SYSTEM,
            **keys,
            **settings,
        }
        operator = Operator(
            name, log=self._folder / f"{name}.log", environment=environment, principal=principal
        )
        self.operators.append(operator)
        return operator

    def errors(self) -> list[str]:
        """Return the lines of level error and above that operators logged since the last call."""
        found = {
            json.dumps(line)
            for operator in self.operators
            for line in operator.lines()
            if line["level"] in ("error", "critical")
        }
        news = found - self._told
        self._told |= news
        return sorted(news)

    def end_operators(self) -> None:
        """End all replicas as the kubelet would; each gives its Lease back and ends with 0."""
        for operator in self.operators:
            if operator.runs:
                assert operator.end() == 0, operator.tail()

    def leader(self) -> str:
        """Return who holds the Lease, '' for nobody."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{RELEASE}"
        return str(self.cluster.request("GET", path)["spec"]["holderIdentity"])
