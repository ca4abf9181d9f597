"""Environment of a container: literals, values of ConfigMaps, ARNs of secrets.

Order and precedence are Kubernetes' (envFrom in order, then env, later wins); the result is sorted by
name, so that the same spec is the same task definition. Values never reach a message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sluice.api.v1alpha1.container import Container
from sluice.api.v1alpha1.environment import (
    ConfigMapKeySelector,
    EnvFromSource,
    EnvVar,
    ResourceFieldSelector,
)
from sluice.plan.translation.expansion import expand, refers_to
from sluice.plan.translation.model import Findings, TranslationContext
from sluice.plan.translation.quantity import MEBIBYTE, UNITS_PER_CPU, quantity
from sluice.plan.translation.secrets import SecretReader

_VARIABLE: Final = re.compile(r"^[^=\x00-\x1f\x7f]+$")  # Kubernetes: relaxed environment variable names
_INDEXED: Final = re.compile(r"^metadata\.(labels|annotations)\['([^']+)'\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """What fieldRef and resourceFieldRef may ask for."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    service_account: str
    containers: Mapping[str, Container]
    task_cpu: int
    """CPU units."""
    task_memory: int
    """MiB."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables of one container."""

    literals: Mapping[str, str]
    secrets: Mapping[str, str]
    """Name → valueFrom."""


class EnvironmentReader:
    """Reads the variables of one Deployment's containers."""

    def __init__(
        self, context: TranslationContext, facts: PodFacts, secrets: SecretReader, findings: Findings
    ) -> None:
        """Read with these facts; problems go to `findings`."""
        self._context = context
        self._facts = facts
        self._secrets = secrets
        self._findings = findings

    def read(self, container: Container, path: str) -> Environment:
        """Return the variables of a container."""
        literals: dict[str, str] = {}
        secrets: dict[str, str] = {}
        for index, source in enumerate(container.env_from or ()):
            self._from(source, f"{path}.envFrom[{index}]", literals, secrets)
        for index, variable in enumerate(container.env or ()):
            here = f"{path}.env[{index}]"
            if not _VARIABLE.match(variable.name):
                self._findings.refuse(
                    f"{here}.name", "is no name for a variable; remove = and control characters"
                )
                continue
            self._variable(variable, container, here, (literals, secrets))
        return Environment(literals=dict(sorted(literals.items())), secrets=dict(sorted(secrets.items())))

    def expanded(self, words: list[str] | None, environment: Environment, path: str) -> list[str]:
        """Return a command with `$(NAME)` replaced; a secret's name is refused."""
        for index, word in enumerate(words or ()):
            self._no_secret(word, environment.secrets, f"{path}[{index}]")
        return [expand(word, environment.literals) for word in words or ()]

    def _variable(
        self, variable: EnvVar, container: Container, path: str, into: tuple[dict[str, str], dict[str, str]]
    ) -> None:
        literals, secrets = into
        source = variable.value_from
        if source is None:
            value = variable.value or ""
            self._no_secret(value, secrets, f"{path}.value")
            _set(variable.name, expand(value, literals), literals, secrets)
            return
        here = f"{path}.valueFrom"
        if source.secret_key_ref:
            reference = source.secret_key_ref
            arn = self._secrets.value_from(
                reference.name, reference.key, f"{here}.secretKeyRef", optional=bool(reference.optional)
            )
            if arn is not None:
                _set(variable.name, arn, secrets, literals)
            return
        found: str | None = None
        if source.config_map_key_ref:
            found = self._config_key(source.config_map_key_ref, f"{here}.configMapKeyRef")
        elif source.field_ref:
            found = self._field(source.field_ref.field_path, f"{here}.fieldRef.fieldPath")
        elif source.resource_field_ref:
            found = self._resource(source.resource_field_ref, container, f"{here}.resourceFieldRef")
        else:
            self._findings.refuse(
                here, "names no source; use configMapKeyRef, secretKeyRef, fieldRef or value"
            )
        if found is not None:
            _set(variable.name, found, literals, secrets)

    def _from(
        self, source: EnvFromSource, path: str, literals: dict[str, str], secrets: dict[str, str]
    ) -> None:
        prefix = source.prefix or ""
        if (source.config_map_ref is None) == (source.secret_ref is None):
            self._findings.refuse(path, "needs exactly one of configMapRef and secretRef")
        if source.config_map_ref:
            reference = source.config_map_ref
            here = f"{path}.configMapRef"
            data = self._config(reference.name, here, optional=bool(reference.optional)) or {}
            for key in sorted(data):
                if self._usable(f"{prefix}{key}", here):
                    _set(f"{prefix}{key}", data[key], literals, secrets)
        elif source.secret_ref:
            name, optional = source.secret_ref.name, bool(source.secret_ref.optional)
            here = f"{path}.secretRef"
            for key in self._secrets.keys(name, here, optional=optional):
                arn = self._secrets.value_from(name, key, here, optional=optional)
                if arn is not None and self._usable(f"{prefix}{key}", here):
                    _set(f"{prefix}{key}", arn, secrets, literals)

    def _usable(self, name: str, path: str) -> bool:
        if _VARIABLE.match(name):
            return True
        self._findings.warn(path, "a key that is no name for a variable is left out, as Kubernetes does")
        return False

    def _config(self, name: str, path: str, *, optional: bool) -> Mapping[str, str] | None:
        found = self._context.sources.config_maps.get(name)
        if found is None:
            if not optional:
                text = f"ConfigMap {name} does not exist; create it or set optional: true"
                self._findings.refuse(path, text)
            return None
        data: Mapping[str, str] = found.get("data") or {}
        return data

    def _config_key(self, reference: ConfigMapKeySelector, path: str) -> str | None:
        optional = bool(reference.optional)
        data = self._config(reference.name, path, optional=optional)
        if data is not None and reference.key not in data and not optional:
            text = f"ConfigMap {reference.name} has no key {reference.key}; add it or set optional: true"
            self._findings.refuse(path, text)
        return data.get(reference.key) if data is not None else None

    def _field(self, field: str, path: str) -> str | None:
        if match := _INDEXED.match(field):
            source = self._facts.labels if match[1] == "labels" else self._facts.annotations
            return source.get(match[2], "")
        if field == "metadata.name":
            self._findings.warn(
                path, "is the Deployment's name, the same in every task; a task's id is in its metadata"
            )
            return self._context.name
        if field == "metadata.namespace":
            return self._context.namespace
        if field == "spec.serviceAccountName":
            return self._facts.service_account
        text = "a task has no such field; ask the task metadata endpoint (ECS_CONTAINER_METADATA_URI_V4)"
        self._findings.refuse(path, text)
        return None

    def _resource(self, reference: ResourceFieldSelector, container: Container, path: str) -> str | None:
        owner = self._facts.containers.get(reference.container_name or container.name)
        if owner is None:
            self._findings.refuse(f"{path}.containerName", "there is no container of that name")
            return None
        kind, _, name = reference.resource.partition(".")
        if kind not in {"limits", "requests"} or name not in {"cpu", "memory", "ephemeral-storage"}:
            text = "use limits.* or requests.* of cpu, memory or ephemeral-storage"
            self._findings.refuse(f"{path}.resource", text)
            return None
        resources = owner.resources
        limits = dict((resources.limits if resources else None) or {})
        requests = limits | dict((resources.requests if resources else None) or {})
        whole: dict[str, int | str] = {
            "cpu": f"{self._facts.task_cpu * 1000 // UNITS_PER_CPU}m",
            "memory": self._facts.task_memory * MEBIBYTE,
        }
        value = limits.get(name, whole.get(name, 0)) if kind == "limits" else requests.get(name, 0)
        try:
            divisor = quantity(reference.divisor or 1) or quantity(1)
            return str(math.ceil(quantity(value) / divisor))
        except ValueError:
            self._findings.refuse(path, "divisor or resource is not a quantity")
            return None

    def _no_secret(self, text: str, secrets: Mapping[str, str], path: str) -> None:
        if name := refers_to(text, secrets):
            self._findings.refuse(
                path,
                f"$({name}) is a secret, which only ECS can read; let the program read the variable {name} "
                "itself",
            )


def _set(name: str, value: str, into: dict[str, str], other: dict[str, str]) -> None:
    """Set a variable: a later one of the other kind replaces it, ECS takes each name once."""
    other.pop(name, None)
    into[name] = value
