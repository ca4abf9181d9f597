"""What the registry remembers, per account and Region: plain data, keyed by repository name and by digest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Params

Tags = dict[str, str]


@dataclass(slots=True, kw_only=True)
class Image:
    """One manifest. Its tags are the repository's to know, since a tag moves."""

    digest: str
    manifest: str
    media_type: str
    pushed_at: float
    size: int
    """Layers and config as the manifest states them, bytes; 0 for an index."""
    artifact_type: str = ""
    subject: str = ""
    pulled_at: float | None = None

    @property
    def children(self) -> list[str]:
        """The digests that an index refers to."""
        return child_digests(self.manifest)


@dataclass(slots=True, kw_only=True)
class Upload:
    """A layer that is being uploaded."""

    content: bytearray = field(default_factory=bytearray)


@dataclass(slots=True, kw_only=True)
class Repository:
    """One repository. `settings` are the members of its description that can be chosen."""

    arn: str
    name: str
    account: str
    uri: str
    created_at: float
    settings: dict[str, Any]
    tags: Tags = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    by_tag: dict[str, str] = field(default_factory=dict)
    """Tag to digest."""
    layers: dict[str, int] = field(default_factory=dict)
    """Size by digest of the layers uploaded."""
    uploads: dict[str, Upload] = field(default_factory=dict)
    policy: str = ""
    lifecycle: str = ""
    lifecycle_evaluated_at: float = 0.0

    def tags_of(self, digest: str) -> list[str]:
        """Return an image's tags, in the order of their first push."""
        return [tag for tag, target in self.by_tag.items() if target == digest]

    def referrers(self, digest: str) -> Iterator[Image]:
        """Return the indexes that refer to an image."""
        return (image for image in self.images.values() if digest in image.children)


@dataclass(slots=True)
class Registry:
    """One account's registry in one Region."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    policy: str = ""
    replication: dict[str, Any] = field(default_factory=lambda: {"rules": []})
    scanning: dict[str, Any] = field(default_factory=lambda: {"scanType": "BASIC", "rules": []})
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """All registries by (account, Region)."""

    registries: dict[tuple[str, str], Registry] = field(default_factory=dict)

    def registry(self, account: str, region: str) -> Registry:
        """Return a registry, empty when nothing was made there yet."""
        return self.registries.setdefault((account, region), Registry())

    def own(self, caller: Caller) -> Registry:
        """Return the caller's registry."""
        return self.registry(caller.account, caller.region)

    def repository(self, caller: Caller, params: Params) -> Repository:
        """Return the repository a call names or refuse with RepositoryNotFoundException."""
        account = params.get("registryId") or caller.account
        found = self.registry(account, caller.region).repositories.get(params["repositoryName"])
        if found is None:
            raise repository_not_found(params["repositoryName"], account)
        return found


def child_digests(manifest: str) -> list[str]:
    """Return the digests in a manifest's `manifests`; none for an image or for text that is no JSON."""
    try:
        children = json.loads(manifest).get("manifests", [])
    except (ValueError, AttributeError):
        return []
    return [str(child.get("digest", "")) for child in children if isinstance(child, dict)]


def repository_not_found(name: str, account: str) -> AwsError:
    """Return RepositoryNotFoundException, in the words that public issues quote."""
    text = f"The repository with name '{name}' does not exist in the registry with id '{account}'"
    return AwsError("RepositoryNotFoundException", text)


def invalid(text: str) -> AwsError:
    """Return InvalidParameterException."""
    return AwsError("InvalidParameterException", text)


def constraint(member: str, text: str) -> AwsError:
    """Return InvalidParameterException in ECR's own form, as public issues quote it."""
    return invalid(f"Invalid parameter at '{member}' failed to satisfy constraint: '{text}'")
