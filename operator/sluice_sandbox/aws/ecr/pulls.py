"""The pull that ECS makes of an ECR reference: a tag resolves to the digest it names at that moment.

References to a repository that does not exist in the stand-in keep the answer of `ecs.images`: most people
try manifests with images that nobody pushed here.
"""

from __future__ import annotations

import re

from sluice_sandbox.aws.ecr.service import EcrService
from sluice_sandbox.aws.ecs.images import Images, Pull, ReferenceImages
from sluice_sandbox.aws.service import Caller

_REFERENCE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<name>[a-z0-9._/-]+)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]+))?"
)


class EcrImages:
    """The `Images` port of ECS over the registry."""

    def __init__(self, ecr: EcrService, *, otherwise: Images | None = None) -> None:
        """Resolve what is in `ecr`; `otherwise` knows the rest."""
        self._ecr = ecr
        self._otherwise = otherwise or ReferenceImages()

    def pull(self, caller: Caller, image: str) -> Pull:
        """Resolve a reference; the error is the agent's, as ECS's troubleshooting page quotes it."""
        found = _REFERENCE.fullmatch(image)
        if found is None:
            return self._otherwise.pull(caller, image)
        registry = self._ecr.state.registry(found["account"], found["region"])
        repository = registry.repositories.get(found["name"])
        if repository is None:
            return self._otherwise.pull(caller, image)
        digest = found["digest"] or repository.by_tag.get(found["tag"] or "latest", "")
        if digest in repository.images:
            return Pull(digest=digest)
        return Pull(
            error="CannotPullContainerError: pull image manifest has been retried 1 time(s): "
            f"failed to resolve ref {image}: {image}: not found"
        )
