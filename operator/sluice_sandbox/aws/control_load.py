"""The control API's noun `load`: what CPU and memory ECS services show in CloudWatch.

`POST /_sandbox/load {"service": "cluster/service", "cpu": 300, "memory": 40, "shared": true}` puts a
service under a load that its running tasks share; without `shared` each task shows it. `{"service": ...,
"reset": true}` gives back the default of 10 %.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from sluice_sandbox.aws.ecs.utilization import Load, Utilization


class LoadControl:
    """Reads and changes the loads of one world's services."""

    def __init__(self, utilization: Utilization) -> None:
        """Control `utilization`."""
        self._utilization = utilization

    def shown(self) -> dict[str, Any]:
        """Return the loads that were set, by `cluster/service`."""
        return {"loads": {name: dataclasses.asdict(load) for name, load in self._utilization.loads().items()}}

    def change(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Change one service's load; raises ValueError for what is no load."""
        service = fields.get("service")
        if not isinstance(service, str) or "/" not in service:
            raise ValueError("`service` names a service by ARN or as cluster/service")
        if fields.get("reset"):
            self._utilization.set(service, None)
            return self.shown()
        unknown = sorted(set(fields) - {"service", "cpu", "memory", "shared"})
        if unknown:
            raise ValueError(f"a load has cpu, memory and shared, not {', '.join(unknown)}")
        load = Load(
            cpu=float(fields.get("cpu", Load().cpu)),
            memory=float(fields.get("memory", Load().memory)),
            shared=bool(fields.get("shared", False)),
        )
        if load.cpu < 0 or load.memory < 0:
            raise ValueError("a load is not negative")
        self._utilization.set(service, load)
        return self.shown()
