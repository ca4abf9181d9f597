"""Manifests read as a registry reads them: digest, media type, size, children, subject.

The digest is the SHA-256 of the manifest's bytes exactly as pushed (OCI image specification, descriptor.md);
the size is what the manifest says of config and layers, as DescribeImages documents imageSizeInBytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sluice_sandbox.aws.ecr.state import constraint

DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
INDEXES = frozenset({DOCKER_LIST, OCI_INDEX})
_SUBSTANCE = frozenset({"config", "layers", "fsLayers", "manifests"})
"""Of what every kind of manifest has one; which of them AWS asks for is not documented."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What PutImage needs to know of a manifest."""

    digest: str
    media_type: str
    size: int
    layers: tuple[str, ...]
    """Digests of config and layers."""
    children: tuple[str, ...]
    artifact_type: str
    subject: str


def read(text: str, media_type: str | None) -> Manifest:
    """Read a manifest; raises AwsError (InvalidParameterException) for what is none.

    Without `media_type` and without a mediaType of its own, the type is that of its content: AWS would
    refuse OCI manifests so; clients other than the AWS CLI always send it.
    """
    try:
        content = json.loads(text)
    except ValueError:
        raise constraint("ImageManifest", "Invalid JSON syntax") from None
    if not isinstance(content, dict):
        raise constraint("ImageManifest", "Invalid JSON syntax")
    if not content.keys() & _SUBSTANCE:
        raise constraint("ImageManifest", "Unsupported manifest: neither image nor index")
    stated = content.get("mediaType")
    if media_type and stated and media_type != stated:
        raise constraint("ImageManifestMediaType", "Media type does not match the manifest's own")
    parts = [part for part in (content.get("config"), *content.get("layers", [])) if isinstance(part, dict)]
    children = [child for child in content.get("manifests", []) if isinstance(child, dict)]
    return Manifest(
        digest="sha256:" + hashlib.sha256(text.encode()).hexdigest(),
        media_type=media_type or stated or _guess(content),
        size=sum(int(part.get("size", 0)) for part in parts),
        layers=tuple(str(part["digest"]) for part in parts if "digest" in part),
        children=tuple(str(child["digest"]) for child in children if "digest" in child),
        artifact_type=_artifact_type(content),
        subject=str((content.get("subject") or {}).get("digest", "")),
    )


def _guess(content: dict[str, Any]) -> str:
    if "manifests" in content:
        return OCI_INDEX
    config = content.get("config")
    if isinstance(config, dict) and ".oci." in str(config.get("mediaType", "")):
        return OCI_IMAGE
    return DOCKER_IMAGE


def _artifact_type(content: dict[str, Any]) -> str:
    config = content.get("config")
    of_config = config.get("mediaType", "") if isinstance(config, dict) else ""
    return str(content.get("artifactType") or of_config)
