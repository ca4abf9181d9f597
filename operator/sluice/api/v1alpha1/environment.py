"""Environment variables of a container and where their values come from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from sluice.api.v1alpha1.schema import OPEN, Cel, Quantity, Typed, accepted, refused, translated

Name = Annotated[str, Field(max_length=253)]
_LITERAL = "literal environment; a change of the ConfigMap is a new revision"
_BY_ARN = "secrets[].valueFrom: the ARN in the Secret's annotation sluice.dev/value-from; refused without it"


class ConfigMapKeySelector(Typed):
    """A key of a ConfigMap."""

    name: Annotated[Name, translated(_LITERAL)]
    key: Annotated[str, translated(_LITERAL)]
    optional: Annotated[bool | None, translated("without ConfigMap or key the variable is left out")] = None


class SecretKeySelector(Typed):
    """A key of a Secret."""

    name: Annotated[Name, translated(_BY_ARN)]
    key: Annotated[str, translated("the JSON key of a Secrets Manager secret")]
    optional: Annotated[bool | None, translated("without a Secret the variable is left out")] = None


class ObjectFieldSelector(Typed):
    """A field of the pod."""

    api_version: Annotated[str | None, accepted("v1 is the only one")] = None
    field_path: Annotated[
        str,
        Field(max_length=253),
        translated(
            "a literal for metadata.name (the Deployment's), metadata.namespace, metadata.labels['…'], "
            "metadata.annotations['…'], spec.serviceAccountName; the pod's IP, node and uid are refused: "
            "ask the task metadata endpoint (ECS_CONTAINER_METADATA_URI_V4)"
        ),
    ]


class ResourceFieldSelector(Typed):
    """A resource of a container."""

    container_name: Annotated[str | None, translated("the container whose resources count")] = None
    resource: Annotated[
        str,
        Field(max_length=63),
        translated(
            "a literal: requests.* or limits.* of cpu, memory, ephemeral-storage; else the task's size"
        ),
    ]
    divisor: Annotated[Quantity | None, translated("the unit of the literal; rounded up")] = None


class EnvVarSource(Typed):
    """Where a value comes from."""

    config_map_key_ref: Annotated[ConfigMapKeySelector | None, translated(_LITERAL)] = None
    secret_key_ref: Annotated[SecretKeySelector | None, translated(_BY_ARN)] = None
    field_ref: Annotated[ObjectFieldSelector | None, translated("a literal, see fieldPath")] = None
    resource_field_ref: Annotated[ResourceFieldSelector | None, translated("a literal")] = None
    file_key_ref: Annotated[
        dict[str, Any] | None,
        OPEN,
        refused("ECS can't read files of volumes into variables; use a ConfigMap"),
    ] = None


class EnvVar(Typed):
    """One environment variable."""

    name: Annotated[str, Field(max_length=1024), translated("environment[].name or secrets[].name")]
    value: Annotated[
        str | None,
        translated(
            "environment[].value; $(NAME) of literals is expanded as the kubelet does, of secrets refused"
        ),
    ] = None
    value_from: Annotated[EnvVarSource | None, translated("see its fields")] = None
    cel = (
        Cel(
            rule="!(has(self.value) && self.value != '' && has(self.valueFrom))",
            message="value and valueFrom exclude each other; keep one",
        ),
    )


class ConfigMapEnvSource(Typed):
    """All keys of a ConfigMap."""

    name: Annotated[Name, translated(_LITERAL)]
    optional: Annotated[bool | None, translated("without the ConfigMap there are no variables")] = None


class SecretEnvSource(Typed):
    """All keys of a Secret."""

    name: Annotated[Name, translated(_BY_ARN)]
    optional: Annotated[bool | None, translated("without the Secret there are no variables")] = None


class EnvFromSource(Typed):
    """Variables from all keys of an object."""

    prefix: Annotated[str | None, translated("part of each variable's name")] = None
    config_map_ref: Annotated[ConfigMapEnvSource | None, translated(_LITERAL)] = None
    secret_ref: Annotated[SecretEnvSource | None, translated(_BY_ARN)] = None
