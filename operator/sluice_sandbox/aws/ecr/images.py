"""PutImage, and what reads and deletes images: by digest, by tag, in batches, in pages.

Source: botocore's ecr model (operations, exceptions, failure codes) and its documentation strings; wordings
of refusals from public issues of moto, terraform and the AWS CLI.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.ecr import manifests
from sluice_sandbox.aws.ecr.state import Image, Repository, State, invalid
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.pages import page
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

DEFAULT_PAGE = 100
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
"""A tag in the OCI distribution specification; ECR's wording of the refusal is from memory."""
ImageId = Mapping[str, str]


@dataclass(slots=True)
class Registered:
    """The registry that the parts of the service share; the world may exchange its `state`."""

    clock: Clock
    state: State


class ImageCalls:
    """The calls about images."""

    def __init__(self, desk: Registered) -> None:
        """Work on the registry."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "PutImage": self.put,
            "BatchGetImage": self.batch_get,
            "BatchDeleteImage": self.batch_delete,
            "DescribeImages": self.describe,
            "ListImages": self.list,
            "ListImageReferrers": self.list_referrers,
        }

    def put(self, caller: Caller, params: Params) -> Response:
        """Keep a manifest under its digest and move the tag to it.

        ImageAlreadyExistsException when nothing would change, ImageTagAlreadyExistsException when the tag
        is immutable and names another image. Layers and children are asked for only where the repository
        knows some of them (LayersNotFoundException, ReferencedImagesNotFoundException): a test may push
        manifests alone.
        """
        repository = self._desk.state.repository(caller, params)
        manifest = manifests.read(params["imageManifest"], params.get("imageManifestMediaType"))
        tag = params.get("imageTag")
        if tag is not None and not _TAG.fullmatch(tag):
            raise invalid(
                "Invalid parameter at 'imageTag' failed to satisfy constraint: "
                "'must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}''"
            )
        wanted = params.get("imageDigest")
        if wanted and wanted != manifest.digest:
            raise AwsError(
                "ImageDigestDoesNotMatchException",
                f"The specified image digest '{wanted}' does not match the digest '{manifest.digest}' "
                "calculated for the image",
            )
        _check_unchanged(repository, manifest.digest, tag)
        _check_parts(repository, manifest)
        if tag and tag in repository.by_tag and not _may_move(repository, tag):
            raise AwsError(
                "ImageTagAlreadyExistsException",
                f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be "
                "overwritten because the tag is immutable.",
            )
        image = repository.images.get(manifest.digest)
        if image is None:
            image = repository.images[manifest.digest] = Image(
                digest=manifest.digest,
                manifest=params["imageManifest"],
                media_type=manifest.media_type,
                pushed_at=self._desk.clock.now(),
                size=manifest.size,
                artifact_type=manifest.artifact_type,
                subject=manifest.subject,
            )
        if tag:
            repository.by_tag[tag] = image.digest
        return {"image": _shown(repository, image, tag)}

    def batch_get(self, caller: Caller, params: Params) -> Response:
        """Return manifests; what is not there is a failure, not an error."""
        repository = self._desk.state.repository(caller, params)
        accepted = params.get("acceptedMediaTypes")
        images, failures = [], []
        for image_id in params["imageIds"]:
            found = _find(repository, image_id)
            if isinstance(found, Image) and accepted and found.media_type not in accepted:
                found = _failure(image_id, "ImageNotFound", "Requested image not found")
            if isinstance(found, Image):
                found.pulled_at = self._desk.clock.now()
                images.append(_shown(repository, found, image_id.get("imageTag")))
            else:
                failures.append(found)
        return {"images": images, "failures": failures}

    def batch_delete(self, caller: Caller, params: Params) -> Response:
        """Take tags away, and images: by digest with all their tags, or with their last tag."""
        repository = self._desk.state.repository(caller, params)
        deleted: list[dict[str, str]] = []
        failures = []
        for image_id in params["imageIds"]:
            found = _find(repository, image_id)
            if not isinstance(found, Image):
                failures.append(found)
                continue
            tag = image_id.get("imageTag")
            tags = repository.tags_of(found.digest)
            goes = tag is None or tags == [tag]
            users = [index.digest for index in repository.referrers(found.digest)]
            if goes and users:
                listed = ", ".join(users)
                reason = f"Requested image referenced by manifest list: [{listed}]"
                failures.append(_failure(image_id, "ImageReferencedByManifestList", reason))
                continue
            gone = [tag] if tag is not None else tags
            deleted += [{"imageDigest": found.digest, "imageTag": name} for name in gone] or [
                {"imageDigest": found.digest}
            ]
            for name in gone:
                del repository.by_tag[name]
            if goes:
                del repository.images[found.digest]
        return {"imageIds": deleted, "failures": failures}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Describe images; an id that is not there is ImageNotFoundException."""
        repository = self._desk.state.repository(caller, params)
        if params.get("imageIds"):
            if "maxResults" in params or "nextToken" in params:
                raise invalid("maxResults and nextToken cannot be used with imageIds")
            found = [_required(repository, image_id) for image_id in params["imageIds"]]
            return {"imageDetails": [_details(repository, image) for image in dict_by_digest(found)]}
        wanted = (params.get("filter") or {}).get("tagStatus", "ANY")
        images = [
            image
            for image in repository.images.values()
            if wanted == "ANY" or bool(repository.tags_of(image.digest)) == (wanted == "TAGGED")
        ]
        chosen, token = page(
            images,
            params.get("nextToken"),
            size=params.get("maxResults", DEFAULT_PAGE),
            key=lambda image: image.digest,
            refusal=bad_token(),
        )
        answer: Response = {"imageDetails": [_details(repository, image) for image in chosen]}
        return answer | ({"nextToken": token} if token else {})

    def list(self, caller: Caller, params: Params) -> Response:
        """List image ids: one for each tag, one for each image without."""
        repository = self._desk.state.repository(caller, params)
        wanted = (params.get("filter") or {}).get("tagStatus", "ANY")
        ids = [
            image_id
            for image_id in _ids(repository)
            if wanted == "ANY" or ("imageTag" in image_id) == (wanted == "TAGGED")
        ]
        chosen, token = page(
            ids,
            params.get("nextToken"),
            size=params.get("maxResults", DEFAULT_PAGE),
            key=lambda image_id: "/".join(image_id.values()),
            refusal=bad_token(),
        )
        answer: Response = {"imageIds": chosen}
        return answer | ({"nextToken": token} if token else {})

    def list_referrers(self, caller: Caller, params: Params) -> Response:
        """List the artifacts whose manifest names an image as its subject (OCI distribution, referrers)."""
        repository = self._desk.state.repository(caller, params)
        subject = params["subjectId"]["imageDigest"]
        types = (params.get("filter") or {}).get("artifactTypes")
        return {
            "referrers": [
                {
                    "digest": image.digest,
                    "mediaType": image.media_type,
                    "artifactType": image.artifact_type,
                    "size": len(image.manifest.encode()),
                    "artifactStatus": "ACTIVE",
                }
                for image in repository.images.values()
                if image.subject == subject and (not types or image.artifact_type in types)
            ]
        }


def bad_token() -> AwsError:
    """Return the refusal of a token that was never given out (wording from memory)."""
    return invalid("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")


def dict_by_digest(images: Sequence[Image]) -> Sequence[Image]:
    """Return each image once: two ids of a request may name the same."""
    return list({image.digest: image for image in images}.values())


def _check_unchanged(repository: Repository, digest: str, tag: str | None) -> None:
    if digest not in repository.images:
        return
    where = f"in the repository with name '{repository.name}' in registry with id '{repository.account}'"
    if tag is None:
        text = f"Image with digest '{digest}' already exists {where}"
        raise AwsError("ImageAlreadyExistsException", text)
    if repository.by_tag.get(tag) == digest:
        text = f"Image with digest '{digest}' and tag '{tag}' already exists {where}"
        raise AwsError("ImageAlreadyExistsException", text)


def _check_parts(repository: Repository, manifest: manifests.Manifest) -> None:
    missing = [digest for digest in manifest.layers if digest not in repository.layers]
    if repository.layers and missing:
        raise AwsError(
            "LayersNotFoundException",
            f"The specified layers do not exist in the repository with name '{repository.name}': "
            f"[{', '.join(missing)}]",
        )
    absent = [digest for digest in manifest.children if digest not in repository.images]
    if absent and len(absent) < len(manifest.children):
        raise AwsError(
            "ReferencedImagesNotFoundException",
            f"The manifest list refers to images that do not exist in the repository with name "
            f"'{repository.name}': [{', '.join(absent)}]",
        )


def _may_move(repository: Repository, tag: str) -> bool:
    """Tell whether a tag may be overwritten: by the setting, with its exclusions (wildcards) reversed."""
    setting = str(repository.settings["imageTagMutability"])
    filters = repository.settings.get("imageTagMutabilityExclusionFilters", ())
    excluded = setting.endswith("_WITH_EXCLUSION") and any(
        fnmatchcase(tag, item["filter"]) for item in filters
    )
    return setting.startswith("MUTABLE") != excluded


def _find(repository: Repository, image_id: ImageId) -> Image | dict[str, Any]:
    """Return the image, or the failure that botocore's ImageFailureCode has for it."""
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    if not digest and not tag:
        return _failure(
            image_id, "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"
        )
    if digest and not digest.startswith("sha256:"):
        return _failure(
            image_id,
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex "
            "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        )
    if tag and tag not in repository.by_tag:
        return _failure(image_id, "ImageNotFound", "Requested image not found")
    found = repository.images.get(digest or repository.by_tag[str(tag)])
    if found is None:
        return _failure(image_id, "ImageNotFound", "Requested image not found")
    if tag and repository.by_tag[tag] != found.digest:
        reason = "Invalid request parameters: tag does not match the given digest"
        return _failure(image_id, "ImageTagDoesNotMatchDigest", reason)
    return found


def _required(repository: Repository, image_id: ImageId) -> Image:
    found = _find(repository, image_id)
    if isinstance(found, Image):
        return found
    digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
    shown = f"{{imageDigest:'{digest}', imageTag:'{tag}'}}"
    raise AwsError(
        "ImageNotFoundException",
        f"The image with imageId {shown} does not exist within the repository with name "
        f"'{repository.name}' in the registry with id '{repository.account}'",
    )


def _failure(image_id: ImageId, code: str, reason: str) -> dict[str, Any]:
    return {"imageId": dict(image_id), "failureCode": code, "failureReason": reason}


def _ids(repository: Repository) -> Iterator[dict[str, str]]:
    for digest in repository.images:
        tags = repository.tags_of(digest)
        yield from ({"imageDigest": digest, "imageTag": tag} for tag in tags)
        if not tags:
            yield {"imageDigest": digest}


def _shown(repository: Repository, image: Image, tag: str | None) -> Response:
    return {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.digest} | ({"imageTag": tag} if tag else {}),
        "imageManifest": image.manifest,
        "imageManifestMediaType": image.media_type,
    }


def _details(repository: Repository, image: Image) -> Response:
    return {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "imageTags": repository.tags_of(image.digest) or None,
        "imageSizeInBytes": image.size,
        "imagePushedAt": image.pushed_at,
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": image.artifact_type or None,
        "lastRecordedPullTime": image.pulled_at,
        "subjectManifestDigest": image.subject or None,
        "imageStatus": "ACTIVE",
    }
