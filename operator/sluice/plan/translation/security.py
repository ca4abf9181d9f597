"""Security contexts as container-definition members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sluice.api.v1alpha1.container import Container
from sluice.api.v1alpha1.security import Capabilities, PodSecurityContext, SecurityContext
from sluice.plan.translation.model import Findings

DOCKER_DEFAULTS: Final = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
"""What a container has without being asked (Docker, moby/moby oci/caps/defaults.go)."""
FARGATE_ADDABLE: Final = frozenset({"SYS_PTRACE"})  # ECS API, KernelCapabilities.add


def security(
    container: Container, pod: PodSecurityContext | None, path: str, findings: Findings, *, fargate: bool
) -> dict[str, Any]:
    """Return user, readonlyRootFilesystem, privileged, dockerSecurityOptions and linuxParameters."""
    own = container.security_context or SecurityContext()
    here = f"{path}.securityContext"
    result: dict[str, Any] = {}
    if user := _user(own, pod, here, findings):
        result["user"] = user
    if own.read_only_root_filesystem:
        result["readonlyRootFilesystem"] = True
    if own.privileged and fargate:
        findings.refuse(f"{here}.privileged", "Fargate runs no privileged containers; use capacity on EC2")
    elif own.privileged:
        result["privileged"] = True
    if own.allow_privilege_escalation is False:
        if fargate:
            findings.warn(f"{here}.allowPrivilegeEscalation", "Fargate has no no-new-privileges")
        else:
            result["dockerSecurityOptions"] = ["no-new-privileges"]
    capabilities = _capabilities(own.capabilities, f"{here}.capabilities", findings, fargate=fargate)
    return result | ({"linuxParameters": {"capabilities": capabilities}} if capabilities else {})


def _user(own: SecurityContext, pod: PodSecurityContext | None, path: str, findings: Findings) -> str:
    inherited = pod or PodSecurityContext()
    user = own.run_as_user if own.run_as_user is not None else inherited.run_as_user
    group = own.run_as_group if own.run_as_group is not None else inherited.run_as_group
    if user is None:
        if group is not None:
            findings.refuse(f"{path}.runAsGroup", "ECS takes a group only with a user; set runAsUser too")
        return ""
    return str(user) if group is None else f"{user}:{group}"


def _capabilities(
    wanted: Capabilities | None, path: str, findings: Findings, *, fargate: bool
) -> dict[str, list[str]]:
    """Return linuxParameters.capabilities.

    Fargate adds only SYS_PTRACE. To drop ALL and keep some of Docker's defaults is the same as to drop
    the other defaults, which Fargate can.
    """
    if wanted is None:
        return {}
    add, drop = _names(wanted.add), _names(wanted.drop)
    if not fargate:
        return _filled(add, drop)
    for name in sorted(add - DOCKER_DEFAULTS - FARGATE_ADDABLE):
        findings.refuse(f"{path}.add[{name}]", "Fargate adds only SYS_PTRACE; use capacity on EC2")
    kept = add & DOCKER_DEFAULTS
    if kept and "ALL" in drop:
        drop = set(DOCKER_DEFAULTS - kept)
    return _filled(add & FARGATE_ADDABLE, drop)


def _filled(add: set[str], drop: set[str]) -> dict[str, list[str]]:
    return {key: sorted(names) for key, names in (("add", add), ("drop", drop)) if names}


def _names(names: Sequence[str] | None) -> set[str]:
    return {name.upper().removeprefix("CAP_") for name in names or ()}
