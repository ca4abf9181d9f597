"""The part of the control API that meddles with tasks: look at them, change how they behave, crash them.

Behaviour is said in the same `SANDBOX_*` variables that a container's environment may carry
(`dataplane.behaviour`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.wire.models import Value
from sluice_sandbox.dataplane.behaviour import ImageRule
from sluice_sandbox.dataplane.runtime import InProcessRuntime


class TaskControl:
    """Tasks of one runtime."""

    def __init__(self, runtime: InProcessRuntime) -> None:
        """Control the tasks of `runtime`."""
        self._runtime = runtime

    def running(self) -> Value:
        """Return the tasks whose containers run, in order of their start."""
        return {
            "tasks": [
                {
                    "taskArn": launch.task_arn,
                    "ip": launch.ip,
                    "taskDefinitionArn": launch.task_definition_arn,
                    "serviceName": launch.service_name,
                    "containers": {container.name: container.image for container in launch.containers},
                }
                for launch in self._runtime.running()
            ]
        }

    def change(self, fields: Mapping[str, Any]) -> Value:
        """Change one container: `task` (ARN), `container`, and `variables` or `crash` (an exit code).

        `container` may be left out when the task has one. Raises LookupError for an unknown one.
        """
        task = str(fields.get("task", ""))
        container = str(fields.get("container") or self._only_container(task))
        try:
            if "crash" in fields:
                self._runtime.crash(task, container, exit_code=int(fields["crash"]))
            else:
                self._runtime.change(task, container, _variables(fields))
        except KeyError as error:
            raise LookupError(f"no container {container!r} runs in task {task!r}") from error
        return {}

    def _only_container(self, task: str) -> str:
        for launch in self._runtime.running():
            if launch.task_arn == task and len(launch.containers) == 1:
                return launch.containers[0].name
        raise LookupError(f"task {task!r} does not run, or has several containers: name one")

    def images(self) -> Value:
        """Return the image rules in force."""
        return {
            "images": [
                {"pattern": rule.pattern, "variables": dict(rule.variables)} for rule in self._runtime.rules()
            ]
        }

    def set_images(self, fields: Mapping[str, Any]) -> Value:
        """Replace the image rules: {"images": [{"pattern": "*/app:bad-*", "variables": {...}}]}."""
        rules = [
            ImageRule(pattern=str(_object(rule).get("pattern", "*")), variables=_variables(rule))
            for rule in fields.get("images", [])
        ]
        self._runtime.set_rules(rules)
        return self.images()


def _variables(fields: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in _object(fields.get("variables", {})).items()}


def _object(value: Value) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is not a JSON object")
    return value
