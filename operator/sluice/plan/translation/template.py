"""A PodTemplate as the body of RegisterTaskDefinition."""

from __future__ import annotations

from typing import Any, Final

from sluice.api.v1alpha1.deployment import DeploymentSpec
from sluice.api.v1alpha1.ecs import EcsSettings
from sluice.api.v1alpha1.pod import PodSpec, PodTemplateSpec
from sluice.api.v1alpha1.schema import findings as answered
from sluice.plan.translation.containers import (
    FARGATE_STOP_TIMEOUT,
    ContainerTranslator,
    Surroundings,
)
from sluice.plan.translation.environment import EnvironmentReader, PodFacts
from sluice.plan.translation.health import grace_period
from sluice.plan.translation.images import in_private_ecr, repository_credentials
from sluice.plan.translation.logs import log_configuration
from sluice.plan.translation.model import Findings, TaskSize, Translated, TranslationContext
from sluice.plan.translation.ports import template_ports
from sluice.plan.translation.secrets import SecretReader
from sluice.plan.translation.sizes import (
    DEFAULT_CPU,
    DEFAULT_MEMORY,
    Share,
    fargate_size,
    is_sidecar,
    requested,
    share,
)
from sluice.plan.translation.volumes import check_memory_sharing, storage_gib, volumes

_POD: Final = "spec.template.spec"
_RESERVED: Final = "sluice.dev/"


def translate_template(
    spec: DeploymentSpec, template: PodTemplateSpec, context: TranslationContext, findings: Findings
) -> Translated:
    """Translate; what can't be is in `findings`, and the result is then not to be used."""
    pod, ecs = template.spec, spec.settings
    fargate = ecs.fargate
    findings.warn_all(
        (found.path, found.text)
        for found in answered(template, "spec.template", lambda answer: answer.kind == "warned")
    )
    _pod_rules(pod, context, findings, fargate=fargate)
    shares = _shares(pod, findings)
    size = _size(pod, shares, ecs, findings)
    mountable = volumes(pod, ecs, findings)
    everything = [*(pod.init_containers or ()), *pod.containers]
    check_memory_sharing(everything, mountable, findings)
    metadata = template.metadata
    facts = PodFacts(
        labels=(metadata.labels if metadata else None) or {},
        annotations=(metadata.annotations if metadata else None) or {},
        service_account=pod.service_account_name or pod.service_account or "default",
        containers={container.name: container for container in everything},
        task_cpu=size.cpu if size else 0,
        task_memory=size.memory if size else 0,
    )
    around = Surroundings(
        fargate=fargate,
        host_network=bool(pod.host_network),
        task_memory=size is not None,
        shares=shares,
        volumes=mountable,
        environment=EnvironmentReader(context, facts, SecretReader(context.sources, findings), findings),
        credentials=repository_credentials(pod, context.sources, findings),
        logging=log_configuration(ecs, context, findings),
    )
    body = _body(pod, ecs, context, size)
    body["containerDefinitions"] = ContainerTranslator(pod, around, findings).definitions()
    body["volumes"] = mountable.definitions
    if storage := storage_gib(pod, findings, fargate=fargate):
        body["ephemeralStorage"] = {"sizeInGiB": storage}
    if controls := _system_controls(pod):
        body["containerDefinitions"][-len(pod.containers)]["systemControls"] = controls
    _execution_role(body, context, findings)
    serving = [(container, f"{_POD}.containers[{index}]") for index, container in enumerate(pod.containers)]
    sidecars = [
        (container, f"{_POD}.initContainers[{index}]")
        for index, container in enumerate(pod.init_containers or ())
        if is_sidecar(container)
    ]
    return Translated(
        body={key: value for key, value in body.items() if value not in (None, "", [], {})},
        task_size=size,
        ports=template_ports([*serving, *sidecars], ecs, findings),
        health_check_grace_period_seconds=grace_period(pod.containers),
        tags=_tags(spec, findings),
    )


def _body(
    pod: PodSpec, ecs: EcsSettings, context: TranslationContext, size: TaskSize | None
) -> dict[str, Any]:
    launch = "FARGATE" if ecs.fargate else ecs.launch_type
    body: dict[str, Any] = {
        "family": context.family,
        "networkMode": "host" if pod.host_network else "bridge" if launch == "EXTERNAL" else "awsvpc",
        # A capacity provider of one's own may be an Auto Scaling group or managed instances: ECS finds out.
        "requiresCompatibilities": [launch] if launch else None,
        "cpu": str(size.cpu) if size else None,
        "memory": str(size.memory) if size else None,
        "taskRoleArn": context.task_role_arn,
        "executionRoleArn": context.execution_role_arn,
        "runtimePlatform": dict(ecs.runtime_platform) if ecs.runtime_platform else None,
        "pidMode": "host" if pod.host_pid else "task" if pod.share_process_namespace else None,
        "ipcMode": "host" if pod.host_ipc else None,
    }
    return body


def _pod_rules(pod: PodSpec, context: TranslationContext, findings: Findings, *, fargate: bool) -> None:
    """Refuse and warn of what depends on more than one field."""
    if fargate:
        for name, used in (
            ("hostNetwork", pod.host_network),
            ("hostPID", pod.host_pid),
            ("hostIPC", pod.host_ipc),
        ):
            if used:
                findings.refuse(
                    f"{_POD}.{name}", f"Fargate shares no host; remove {name} or use capacity on EC2"
                )
        if (pod.termination_grace_period_seconds or 0) > FARGATE_STOP_TIMEOUT:
            findings.refuse(
                f"{_POD}.terminationGracePeriodSeconds",
                f"Fargate waits {FARGATE_STOP_TIMEOUT} seconds at most; set that or less, or use capacity on "
                "EC2",
            )
    account = pod.service_account_name or pod.service_account
    if account and account != "default" and not context.task_role_arn:
        text = "no AWS role belongs to it: set ecs.taskRoleArn or ask for serviceAccountRoles"
        findings.warn(f"{_POD}.serviceAccountName", text)
    if pod.security_context and pod.security_context.fs_group is not None and pod.volumes:
        text = "ECS changes no ownership of volumes; prepare directories in the image"
        findings.warn(f"{_POD}.securityContext.fsGroup", text)


def _shares(pod: PodSpec, findings: Findings) -> dict[str, Share]:
    result = {}
    for kind, containers in (("initContainers", pod.init_containers or ()), ("containers", pod.containers)):
        for index, container in enumerate(containers):
            path = f"{_POD}.{kind}[{index}].resources"
            result[container.name] = share(container.resources, path, findings)
    return result


def _size(pod: PodSpec, shares: dict[str, Share], ecs: EcsSettings, findings: Findings) -> TaskSize | None:
    """Return the task's size; None on EC2, where containers carry theirs."""
    cpu, memory = requested(pod, shares, _POD, findings)
    if ecs.fargate:
        family = (ecs.runtime_platform or {}).get("operatingSystemFamily", "LINUX")
        wanted = (cpu or DEFAULT_CPU, memory or DEFAULT_MEMORY)
        size = fargate_size(*wanted, windows=family.startswith("WINDOWS"))
        if size is None:
            findings.refuse(
                f"{_POD}.containers",
                f"{cpu} CPU units and {memory} MiB are more than Fargate's largest size (16384 and 122880); "
                "lower the requests or use capacity on EC2",
            )
            return None
        return TaskSize(cpu=size.cpu, memory=size.memory, requested_cpu=cpu, requested_memory=memory)
    if not cpu and not memory:
        return TaskSize(cpu=DEFAULT_CPU, memory=DEFAULT_MEMORY, requested_cpu=0, requested_memory=0)
    if pod.resources is not None or ecs.launch_type == "MANAGED_INSTANCES":
        size_cpu, size_memory = cpu or DEFAULT_CPU, memory or DEFAULT_MEMORY
        return TaskSize(cpu=size_cpu, memory=size_memory, requested_cpu=cpu, requested_memory=memory)
    return None


def _system_controls(pod: PodSpec) -> list[dict[str, str]]:
    """Return systemControls, for one container: in awsvpc they hold for the whole task (ECS API)."""
    sysctls = (pod.security_context.sysctls if pod.security_context else None) or ()
    return [
        {"namespace": item.name, "value": item.value} for item in sorted(sysctls, key=lambda item: item.name)
    ]


def _execution_role(body: dict[str, Any], context: TranslationContext, findings: Findings) -> None:
    """Refuse what ECS can't do without an execution role, before ECS does."""
    if context.execution_role_arn:
        return
    for container in body["containerDefinitions"]:
        secret = container.get("secrets") or container.get("repositoryCredentials")
        private = in_private_ecr(container["image"]) and "FARGATE" in (body["requiresCompatibilities"] or ())
        if secret or private:
            what = "secrets" if secret else "an image of ECR"
            text = f"container {container['name']} needs a role that may read {what}; set it"
            findings.refuse("spec.ecs.executionRoleArn", text)
            return


def _tags(spec: DeploymentSpec, findings: Findings) -> dict[str, str]:
    for key in sorted(spec.labels):
        if key.startswith(_RESERVED):
            path = f"spec.template.metadata.labels[{key}]"
            findings.refuse(path, "labels of sluice.dev/ are reserved; rename it")
    return dict(sorted(spec.labels.items()))
