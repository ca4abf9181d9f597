"""Every PodTemplate field has an answer, and the parser gives it."""

from __future__ import annotations

import kubernetes.client
import pytest

from api_samples import deployment, sample_of, schema_at, with_field
from sluice.api.crdgen.table import lines
from sluice.api.v1alpha1.container import Container, ContainerPort, Lifecycle, ResourceRequirements
from sluice.api.v1alpha1.deployment import DeploymentSpec, parse_deployment
from sluice.api.v1alpha1.environment import (
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretEnvSource,
    SecretKeySelector,
)
from sluice.api.v1alpha1.meta import LabelSelector
from sluice.api.v1alpha1.pod import Affinity, PodOS, PodSpec, PodTemplateSpec
from sluice.api.v1alpha1.probe import ExecAction, GrpcAction, HttpGetAction, Probe, TcpSocketAction
from sluice.api.v1alpha1.schema import Typed, answers
from sluice.api.v1alpha1.security import (
    AppArmorProfile,
    Capabilities,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
    Sysctl,
)
from sluice.api.v1alpha1.volume import CsiVolumeSource, EmptyDirVolumeSource, Volume, VolumeMount
from sluice.model.errors import Refused

KUBERNETES: dict[str, type[Typed]] = {
    "V1PodTemplateSpec": PodTemplateSpec,
    "V1PodSpec": PodSpec,
    "V1PodOS": PodOS,
    "V1Affinity": Affinity,
    "V1LabelSelector": LabelSelector,
    "V1Container": Container,
    "V1ContainerPort": ContainerPort,
    "V1Lifecycle": Lifecycle,
    "V1ResourceRequirements": ResourceRequirements,
    "V1Probe": Probe,
    "V1ExecAction": ExecAction,
    "V1HTTPGetAction": HttpGetAction,
    "V1TCPSocketAction": TcpSocketAction,
    "V1GRPCAction": GrpcAction,
    "V1EnvVar": EnvVar,
    "V1EnvVarSource": EnvVarSource,
    "V1EnvFromSource": EnvFromSource,
    "V1ConfigMapEnvSource": ConfigMapEnvSource,
    "V1SecretEnvSource": SecretEnvSource,
    "V1ConfigMapKeySelector": ConfigMapKeySelector,
    "V1SecretKeySelector": SecretKeySelector,
    "V1ObjectFieldSelector": ObjectFieldSelector,
    "V1ResourceFieldSelector": ResourceFieldSelector,
    "V1SecurityContext": SecurityContext,
    "V1PodSecurityContext": PodSecurityContext,
    "V1Capabilities": Capabilities,
    "V1SeccompProfile": SeccompProfile,
    "V1AppArmorProfile": AppArmorProfile,
    "V1Sysctl": Sysctl,
    "V1Volume": Volume,
    "V1VolumeMount": VolumeMount,
    "V1EmptyDirVolumeSource": EmptyDirVolumeSource,
    "V1CSIVolumeSource": CsiVolumeSource,
}
REFUSED = [
    line
    for line in lines()
    if line.answer.kind == "refused"
    and not line.answer.when
    and "initContainers[].restartPolicy" not in line.path
]


@pytest.mark.parametrize("name", KUBERNETES)
def test_every_field_that_kubernetes_knows_is_declared(name: str) -> None:
    """A field of the locked Kubernetes client is in our type under the same name, and none is made up."""
    theirs = set(getattr(kubernetes.client, name).attribute_map.values())
    ours = {field.alias for field in KUBERNETES[name].model_fields.values()}
    assert ours == theirs


@pytest.mark.parametrize(
    "kind", [kind for kind in KUBERNETES.values() if kind not in (PodTemplateSpec, LabelSelector)]
)
def test_every_template_field_has_an_answer(kind: type[Typed]) -> None:
    """No field of a PodTemplate is without translated, accepted, warned or refused."""
    silent = [
        name for name in kind.model_fields if not answers(kind, name) and name not in _ANSWERED_BY_SUBCLASSES
    ]
    assert silent == []


_ANSWERED_BY_SUBCLASSES = {"http_get", "tcp_socket", "grpc"}
"""Probe's: each of the three probes has an answer of its own."""


@pytest.mark.parametrize("line", REFUSED, ids=lambda line: line.path.removeprefix("spec.template."))
def test_a_refused_field_is_refused_with_its_path_and_what_to_use(line: object) -> None:
    """What the table refuses, the parser refuses, in the table's words and at the field's path."""
    path = line.path.removeprefix("spec.template.")  # type: ignore[attr-defined]
    obj = with_field(path, sample_of(schema_at(path)))
    with pytest.raises(Refused) as refusal:
        parse_deployment(obj)
    assert refusal.value.reason == "InvalidSpec"
    assert f"{line.path.replace('[]', '[0]').removesuffix('[0]')}" in refusal.value.message  # type: ignore[attr-defined]
    assert line.answer.text in refusal.value.message  # type: ignore[attr-defined]


HARMLESS = [
    ("metadata.creationTimestamp", None),
    ("spec.restartPolicy", "Always"),
    ("spec.dnsPolicy", "ClusterFirst"),
    ("spec.schedulerName", "default-scheduler"),
    ("spec.hostNetwork", False),
    ("spec.affinity", {}),
    ("spec.tolerations", []),
    ("spec.nodeSelector", {}),
    ("spec.priority", 0),
    ("spec.hostUsers", True),
    ("spec.os.name", "linux"),
    ("spec.containers[].terminationMessagePath", "/dev/termination-log"),
    ("spec.containers[].terminationMessagePolicy", "File"),
    ("spec.containers[].imagePullPolicy", "Always"),
    ("spec.containers[].lifecycle", {}),
    ("spec.containers[].securityContext.procMount", "Default"),
    ("spec.containers[].securityContext.privileged", False),
    ("spec.containers[].stdinOnce", False),
]


@pytest.mark.parametrize(("path", "value"), HARMLESS, ids=[path for path, _ in HARMLESS])
def test_what_exported_manifests_carry_is_accepted(path: str, value: object) -> None:
    """A default that `kubectl get -o yaml` writes is no reason to refuse."""
    assert isinstance(parse_deployment(with_field(path, value)), DeploymentSpec)


def test_all_problems_are_told_and_three_in_full() -> None:
    """Five refused fields give one message: three in full and the number of the others."""
    obj = deployment()
    pod = obj["spec"]["template"]["spec"]
    pod |= {
        "nodeName": "a",
        "hostname": "b",
        "subdomain": "c",
        "runtimeClassName": "d",
        "activeDeadlineSeconds": 9,
    }
    with pytest.raises(Refused, match=r"; and 2 more$"):
        parse_deployment(obj)


def test_a_problem_never_repeats_a_value() -> None:
    """A secret that was put in the wrong place does not reach a condition."""
    obj = with_field("spec.containers[].env", [{"name": "PASSWORD", "value": 1234567890}])
    with pytest.raises(Refused) as refusal:
        parse_deployment(obj)
    assert "1234567890" not in refusal.value.message
    assert "spec.template.spec.containers[0].env[0].value" in refusal.value.message
