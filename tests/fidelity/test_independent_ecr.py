"""ECR: digests are of manifests; tags move or don't; what is missing is said."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused


def manifest(config: str = "c") -> str:
    """Answer an image's manifest; the layer is the same for all, the configuration isn't."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": 7023,
                "digest": f"sha256:{hashlib.sha256(config.encode()).hexdigest()}",
            },
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    "size": 32654,
                    "digest": f"sha256:{hashlib.sha256(b'layer').hexdigest()}",
                }
            ],
        }
    )


def digest(text: str) -> str:
    """Answer a manifest's digest."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@pytest.fixture
def repository(aws: Outsider) -> str:
    """Create a repository."""
    name = fresh("shop/web")
    made = aws("ecr").create_repository(repositoryName=name)["repository"]
    assert made["repositoryUri"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"
    assert made["repositoryArn"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"
    assert made["imageTagMutability"] == "MUTABLE"
    return name


def push(aws: Outsider, repository: str, text: str, tag: str | None) -> dict[str, Any]:
    """Push a manifest."""
    wish = {"repositoryName": repository, "imageManifest": text} | ({"imageTag": tag} if tag else {})
    made: dict[str, Any] = aws("ecr").put_image(**wish)["image"]
    return made


def test_digest_is_of_the_manifest(aws: Outsider, repository: str) -> None:
    """An image's digest is the SHA-256 of its manifest; equal layers don't make equal images."""
    first, second = manifest("one"), manifest("two")
    assert push(aws, repository, first, "1")["imageId"] == {"imageDigest": digest(first), "imageTag": "1"}
    assert push(aws, repository, second, "2")["imageId"]["imageDigest"] == digest(second) != digest(first)


def test_digest_of_an_index(aws: Outsider, repository: str) -> None:
    """So is an index's."""
    child = manifest()
    push(aws, repository, child, None)
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                {
                    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                    "size": len(child),
                    "digest": digest(child),
                    "platform": {"architecture": "amd64", "os": "linux"},
                }
            ],
        }
    )
    assert push(aws, repository, index, "multi")["imageId"]["imageDigest"] == digest(index)
    found = aws("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": "multi"}])[
        "imageDetails"
    ]
    assert found[0]["imageDigest"] == digest(index)
    assert found[0]["imageManifestMediaType"] == "application/vnd.oci.image.index.v1+json"


def test_moved_tag_leaves_the_old_image(aws: Outsider, repository: str) -> None:
    """A tag that moves leaves the old image, without a tag."""
    old, new = manifest("old"), manifest("new")
    push(aws, repository, old, "latest")
    push(aws, repository, new, "latest")
    found = {
        each["imageDigest"]: each.get("imageTags", [])
        for each in aws("ecr").describe_images(repositoryName=repository)["imageDetails"]
    }
    assert found == {digest(old): [], digest(new): ["latest"]}


def test_same_tag_and_manifest_again(aws: Outsider, repository: str) -> None:
    """The same push again is ImageAlreadyExistsException."""
    push(aws, repository, manifest(), "1")
    with refused("ImageAlreadyExistsException"):
        push(aws, repository, manifest(), "1")


def test_immutable_tag(aws: Outsider) -> None:
    """An immutable tag doesn't move."""
    name = fresh("locked")
    aws("ecr").create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    push(aws, name, manifest("one"), "1")
    with refused("ImageTagAlreadyExistsException"):
        push(aws, name, manifest("two"), "1")


def test_second_tag_is_the_same_image(aws: Outsider, repository: str) -> None:
    """Two tags of a manifest are one image."""
    push(aws, repository, manifest(), "1")
    push(aws, repository, manifest(), "2")
    (found,) = aws("ecr").describe_images(repositoryName=repository)["imageDetails"]
    assert sorted(found["imageTags"]) == ["1", "2"]
    assert isinstance(found["imagePushedAt"], datetime)
    assert found["imageSizeInBytes"] > 0
    assert found["registryId"] == ACCOUNT


def test_unknown_tag(aws: Outsider, repository: str) -> None:
    """DescribeImages refuses a tag that isn't there; BatchGetImage tells it as a failure."""
    with refused("ImageNotFoundException"):
        aws("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": "ghost"}])
    answer = aws("ecr").batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "ghost"}])
    assert answer["images"] == []
    assert answer["failures"][0]["failureCode"] == "ImageNotFound"


def test_unknown_repository(aws: Outsider) -> None:
    """A repository that isn't there is RepositoryNotFoundException; one that is there is taken."""
    with refused("RepositoryNotFoundException"):
        aws("ecr").describe_images(repositoryName=fresh("none"))
    name = fresh("twice")
    aws("ecr").create_repository(repositoryName=name)
    with refused("RepositoryAlreadyExistsException"):
        aws("ecr").create_repository(repositoryName=name)


def test_image_comes_back_as_pushed(aws: Outsider, repository: str) -> None:
    """A manifest is answered byte for byte."""
    text = manifest()
    push(aws, repository, text, "1")
    (found,) = aws("ecr").batch_get_image(
        repositoryName=repository, imageIds=[{"imageDigest": digest(text)}]
    )["images"]
    assert found["imageManifest"] == text


def test_authorization_token(aws: Outsider) -> None:
    """A token is AWS's user and a password in base 64, for twelve hours."""
    (found,) = aws("ecr").get_authorization_token()["authorizationData"]
    assert base64.b64decode(found["authorizationToken"]).decode().startswith("AWS:")
    assert found["proxyEndpoint"] == f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    assert isinstance(found["expiresAt"], datetime)
