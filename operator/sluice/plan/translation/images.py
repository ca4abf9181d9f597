"""Who may pull an image: ECR by the execution role, other registries by a Secrets Manager secret."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sluice.api.v1alpha1.pod import PodSpec
from sluice.plan.translation.model import Findings, Sources
from sluice.plan.translation.secrets import SECRETS_MANAGER, annotated_arn

_ECR: Final = re.compile(r"^([0-9]{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9.-]+|public\.ecr\.aws)/")
_PRIVATE_ECR: Final = re.compile(r"^[0-9]{12}\.dkr[.-]ecr")
_PULL: Final = "spec.template.spec.imagePullSecrets"


def needs_credentials(image: str) -> bool:
    """Tell whether an image may need repository credentials (ECR's never do)."""
    return not _ECR.match(image)


def in_private_ecr(image: str) -> bool:
    """Tell whether the execution role has to pull the image."""
    return bool(_PRIVATE_ECR.match(image))


def repository_credentials(pod: PodSpec, sources: Sources, findings: Findings) -> str:
    """Return the ARN of the registry's credentials, '' when no container needs one.

    ECS takes one secret for each container (ECS API, RepositoryCredentials); with several
    imagePullSecrets Kubernetes would try them all, so more than one is refused.
    """
    wanted: Sequence[str] = [reference.name for reference in pod.image_pull_secrets or ()]
    images = [container.image for container in (*(pod.init_containers or ()), *pod.containers)]
    if not wanted:
        return ""
    if not any(needs_credentials(image) for image in images):
        findings.warn(_PULL, "not needed: the execution role pulls from ECR")
        return ""
    if len(wanted) > 1:
        findings.refuse(_PULL, "ECS takes one secret for each image; keep the one that is needed")
        return ""
    arn = annotated_arn(wanted[0], sources, findings, f"{_PULL}[0]", optional=False)
    if arn and not SECRETS_MANAGER.match(arn):
        findings.refuse(f"{_PULL}[0]", "repository credentials must be a Secrets Manager secret")
        return ""
    return arn or ""
