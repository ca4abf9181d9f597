"""When an image was pushed to ECR: the beginning of a lead time where nobody annotates a commit.

ECR alone is asked (DescribeImages, `imagePushedAt`,
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html): the operator has AWS
credentials anyway and none of other registries. One call for each image, with the priority of what nobody
waits for.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.keys import Key
from sluice.model.tenancy import Tenancy
from sluice.ports import Aws

_ECR: Final = re.compile(
    r"(?P<registry>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
"""registry/repository[:tag][@digest]; `.dkr-ecr.` is the dual-stack name (ECR user guide, "IPv6")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EcrImage:
    """An image in a private registry of ECR."""

    registry: str
    """Account id."""
    region: str
    repository: str
    id: Mapping[str, str]
    """imageDigest where it is pinned, else imageTag."""


def ecr_image(image: str) -> EcrImage | None:
    """Return what an image reference names in ECR, None where it is in another registry."""
    found = _ECR.fullmatch(image)
    if found is None:
        return None
    digest = found["digest"]
    return EcrImage(
        registry=found["registry"],
        region=found["region"],
        repository=found["repository"],
        id={"imageDigest": digest} if digest else {"imageTag": found["tag"] or "latest"},
    )


class ImageTimes:
    """Asks ECR. Thread-safe."""

    def __init__(self, aws: Aws, tenancy: Tenancy) -> None:
        """Ask with the role of the account that has the registry, else with the operator's own."""
        self._aws = aws
        self._tenancy = tenancy

    def repository(self, image: str) -> str:
        """Return what an image's repository is called, '' where it is not in ECR."""
        found = ecr_image(image)
        return f"{found.registry}/{found.region}/{found.repository}" if found else ""

    def pushed_at(self, key: Key, image: str) -> float | None:
        """Return when it was pushed, epoch seconds; None where ECR does not say. Raises SluiceError."""
        found = ecr_image(image)
        if found is None:
            return None
        params = {
            "registryId": found.registry,
            "repositoryName": found.repository,
            "imageIds": [dict(found.id)],
        }
        context = CallContext(binding=self._binding(found), priority=Priority.GARBAGE, key=key)
        answer = self._aws.call("ecr", "DescribeImages", params, context=context)
        details: list[Mapping[str, Any]] = list(answer.get("imageDetails") or ())
        pushed = details[0].get("imagePushedAt") if details else None
        return pushed.timestamp() if isinstance(pushed, dt.datetime) else None

    def _binding(self, image: EcrImage) -> Binding:
        accounts = self._tenancy.accounts.values()
        known = (binding for binding in accounts if binding.account == image.registry)
        return dataclasses.replace(next(known, self._tenancy.default_binding), region=image.region)
