"""ECR as AWS documents it: digests of bytes, tags that move, immutability, batches with failures, pages."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.estate import SUBNET_IDS
from sluice_sandbox.aws.world import World

ACCOUNT = "111122223333"
URI = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/app"
Call = Callable[..., Any]


@pytest.fixture
def clock() -> VirtualClock:
    """Virtual time."""
    return VirtualClock()


@pytest.fixture
def world(clock: VirtualClock) -> World:
    """A world without moto."""
    return World.build(clock=clock)


@pytest.fixture
def ecr(world: World) -> Call:
    """Call ECR with a repository `app`."""

    def call(operation: str, **params: Any) -> Any:
        return world.call("ecr", operation, params)

    call("CreateRepository", repositoryName="app")
    return call


def manifest(config: str = "a", **more: Any) -> str:
    """Return an image manifest; two with another config share their layers."""
    digest = hashlib.sha256(config.encode()).hexdigest()
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "c", "size": 7, "digest": f"sha256:{digest}"},
            "layers": [{"mediaType": "l", "size": 100, "digest": "sha256:" + "1" * 64}],
            **more,
        }
    )


def index(*digests: str) -> str:
    """Return a manifest list."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{"digest": digest, "mediaType": "m", "size": 1} for digest in digests],
        }
    )


def digest_of(text: str) -> str:
    """Return the digest that every registry computes."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def push(ecr: Call, text: str, tag: str | None = None, **more: Any) -> str:
    """Push a manifest and return its digest."""
    params = {"repositoryName": "app", "imageManifest": text} | ({"imageTag": tag} if tag else {}) | more
    return str(ecr("PutImage", **params)["image"]["imageId"]["imageDigest"])


def refused(call: Callable[[], Any]) -> AwsError:
    """Return how a call is refused."""
    with pytest.raises(AwsError) as caught:
        call()
    return caught.value


# ------------------------------------------------------------------ images


def test_digest_is_of_the_manifests_bytes(ecr: Call) -> None:
    """The digest is the SHA-256 of the text, so images with the same layers and another config differ."""
    first, second = push(ecr, manifest("a"), "1"), push(ecr, manifest("b"), "2")
    assert (first, second) == (digest_of(manifest("a")), digest_of(manifest("b")))
    assert first != second
    listed = index(first, second)
    assert push(ecr, listed, "multi") == digest_of(listed)


def test_put_image_answers_with_what_was_pushed(ecr: Call) -> None:
    """The answer has manifest, media type and the id with the tag."""
    image = ecr("PutImage", repositoryName="app", imageManifest=manifest(), imageTag="1")["image"]
    assert image == {
        "registryId": ACCOUNT,
        "repositoryName": "app",
        "imageId": {"imageDigest": digest_of(manifest()), "imageTag": "1"},
        "imageManifest": manifest(),
        "imageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json",
    }


def test_a_moved_tag_leaves_the_old_image(ecr: Call) -> None:
    """The old image stays, untagged, and can be fetched by its digest."""
    old, new = push(ecr, manifest("a"), "latest"), push(ecr, manifest("b"), "latest")
    details = ecr("DescribeImages", repositoryName="app")["imageDetails"]
    assert {item["imageDigest"]: item.get("imageTags") for item in details} == {old: None, new: ["latest"]}
    found = ecr("BatchGetImage", repositoryName="app", imageIds=[{"imageDigest": old}])
    assert (found["images"][0]["imageManifest"], found["failures"]) == (manifest("a"), [])


@pytest.mark.parametrize(
    ("mutability", "filters", "tag", "code"),
    [
        pytest.param("MUTABLE", None, "1", None, id="mutable"),
        pytest.param("IMMUTABLE", None, "1", "ImageTagAlreadyExistsException", id="immutable"),
        pytest.param("IMMUTABLE", None, "2", None, id="immutable, another tag"),
        pytest.param("IMMUTABLE_WITH_EXCLUSION", "la*", "latest", None, id="excluded"),
        pytest.param(
            "IMMUTABLE_WITH_EXCLUSION", "la*", "1", "ImageTagAlreadyExistsException", id="not excluded"
        ),
        pytest.param(
            "MUTABLE_WITH_EXCLUSION", "1*", "1", "ImageTagAlreadyExistsException", id="mutable but excluded"
        ),
    ],
)
def test_immutability(ecr: Call, mutability: str, filters: str | None, tag: str, code: str | None) -> None:
    """An immutable tag names one image for ever."""
    setting = {"imageTagMutability": mutability} | (
        {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": filters}]}
        if filters
        else {}
    )
    ecr("PutImageTagMutability", repositoryName="app", **setting)
    push(ecr, manifest("a"), "1")
    push(ecr, manifest("a"), "latest")
    if code is None:
        push(ecr, manifest("b"), tag)
    else:
        error = refused(lambda: push(ecr, manifest("b"), tag))
        assert (error.code, error.status) == (code, 400)
        assert f"The image tag '{tag}' already exists in the 'app' repository" in error.message


@pytest.mark.parametrize("tag", ["1", None])
def test_the_same_push_again_is_refused(ecr: Call, tag: str | None) -> None:
    """Nothing changed since the last push: ImageAlreadyExistsException."""
    push(ecr, manifest(), tag)
    error = refused(lambda: push(ecr, manifest(), tag))
    assert error.code == "ImageAlreadyExistsException"
    assert f"Image with digest '{digest_of(manifest())}'" in error.message


def test_a_second_tag_is_no_second_image(ecr: Call) -> None:
    """The same manifest under another tag is one image with two tags."""
    push(ecr, manifest(), "1")
    push(ecr, manifest(), "2")
    details = ecr("DescribeImages", repositoryName="app")["imageDetails"]
    assert [(item["imageTags"], item["imageSizeInBytes"]) for item in details] == [(["1", "2"], 107)]


@pytest.mark.parametrize(
    ("text", "more", "code"),
    [
        pytest.param("{", {}, "InvalidParameterException", id="no JSON"),
        pytest.param("[]", {}, "InvalidParameterException", id="no object"),
        pytest.param(
            manifest(), {"imageDigest": "sha256:" + "0" * 64}, "ImageDigestDoesNotMatchException", id="digest"
        ),
        pytest.param(
            manifest(), {"imageManifestMediaType": "x/y"}, "InvalidParameterException", id="media type"
        ),
        pytest.param(manifest(), {"repositoryName": "none"}, "RepositoryNotFoundException", id="repository"),
    ],
)
def test_bad_pushes(ecr: Call, text: str, more: dict[str, str], code: str) -> None:
    """What is no manifest, or not the one that was announced, is refused."""
    assert refused(lambda: push(ecr, text, **more)).code == code


def test_an_index_needs_its_images(ecr: Call) -> None:
    """An index of one image that is there and one that is not is refused, and the image is then in use."""
    child = push(ecr, manifest(), "amd64")
    error = refused(lambda: push(ecr, index(child, "sha256:" + "9" * 64)))
    assert error.code == "ReferencedImagesNotFoundException"
    parent = push(ecr, index(child), "multi")
    answer = ecr("BatchDeleteImage", repositoryName="app", imageIds=[{"imageDigest": child}])
    assert answer["failures"][0]["failureCode"] == "ImageReferencedByManifestList"
    assert parent in answer["failures"][0]["failureReason"]


@pytest.mark.parametrize(
    ("image_id", "code"),
    [
        pytest.param({"imageTag": "9"}, "ImageNotFound", id="tag"),
        pytest.param({"imageDigest": "sha256:" + "0" * 64}, "ImageNotFound", id="digest"),
        pytest.param({"imageDigest": "md5-x"}, "InvalidImageDigest", id="malformed"),
        pytest.param({}, "MissingDigestAndTag", id="neither"),
        pytest.param(
            {"imageTag": "1", "imageDigest": digest_of(manifest("b"))},
            "ImageTagDoesNotMatchDigest",
            id="both",
        ),
    ],
)
@pytest.mark.parametrize("operation", ["BatchGetImage", "BatchDeleteImage"])
def test_batches_tell_failures(ecr: Call, operation: str, image_id: dict[str, str], code: str) -> None:
    """What a batch does not find is among the failures; the rest is done."""
    push(ecr, manifest("a"), "1")
    push(ecr, manifest("b"), "2")
    answer = ecr(operation, repositoryName="app", imageIds=[image_id, {"imageTag": "1"}])
    assert [item["failureCode"] for item in answer["failures"]] == [code]
    assert len(answer["images" if operation == "BatchGetImage" else "imageIds"]) == 1


@pytest.mark.parametrize(
    ("image_id", "gone", "left"),
    [
        pytest.param({"imageTag": "1"}, ["1"], ["2"], id="one of two tags"),
        pytest.param({"imageDigest": digest_of(manifest())}, ["1", "2"], None, id="digest"),
    ],
)
def test_deletion(ecr: Call, image_id: dict[str, str], gone: list[str], left: list[str] | None) -> None:
    """A tag goes alone; a digest, or the last tag, takes the image with it."""
    push(ecr, manifest(), "1")
    push(ecr, manifest(), "2")
    answer = ecr("BatchDeleteImage", repositoryName="app", imageIds=[image_id])
    assert [item["imageTag"] for item in answer["imageIds"]] == gone
    details = ecr("DescribeImages", repositoryName="app")["imageDetails"]
    assert [item["imageTags"] for item in details] == ([left] if left else [])
    if left:
        ecr("BatchDeleteImage", repositoryName="app", imageIds=[{"imageTag": "2"}])
        assert ecr("DescribeImages", repositoryName="app")["imageDetails"] == []


def test_describing_an_unknown_image_is_an_error(ecr: Call) -> None:
    """ImageNotFoundException, unlike the batches' failures."""
    error = refused(lambda: ecr("DescribeImages", repositoryName="app", imageIds=[{"imageTag": "9"}]))
    assert error.code == "ImageNotFoundException"
    assert error.message == (
        "The image with imageId {imageDigest:'null', imageTag:'9'} does not exist within the repository "
        f"with name 'app' in the registry with id '{ACCOUNT}'"
    )


def test_lists_filter_and_page(ecr: Call) -> None:
    """Ids come page by page; the filter tells tagged from untagged."""
    for number in range(5):
        push(ecr, manifest(str(number)), f"t{number}" if number else None)
    tagged = ecr("ListImages", repositoryName="app", filter={"tagStatus": "TAGGED"})["imageIds"]
    assert [item["imageTag"] for item in tagged] == ["t1", "t2", "t3", "t4"]
    untagged = ecr("DescribeImages", repositoryName="app", filter={"tagStatus": "UNTAGGED"})["imageDetails"]
    assert len(untagged) == 1
    seen, token = [], None
    while True:
        page = ecr(
            "ListImages", repositoryName="app", maxResults=2, **({"nextToken": token} if token else {})
        )
        seen += page["imageIds"]
        token = page.get("nextToken")
        if token is None:
            break
    assert len(seen) == 5
    error = refused(lambda: ecr("ListImages", repositoryName="app", nextToken="bogus"))
    assert error.code == "InvalidParameterException"


# ------------------------------------------------------------ repositories


def test_a_repository_has_awss_defaults(world: World) -> None:
    """MUTABLE, no scan on push, AES256, a URI of account and Region."""
    made = world.call("ecr", "CreateRepository", {"repositoryName": "a/b"})["repository"]
    made.pop("createdAt")
    assert made == {
        "repositoryArn": f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/a/b",
        "registryId": ACCOUNT,
        "repositoryName": "a/b",
        "repositoryUri": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/a/b",
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        pytest.param(
            "CreateRepository", {"repositoryName": "app"}, "RepositoryAlreadyExistsException", id="twice"
        ),
        pytest.param("CreateRepository", {"repositoryName": "App"}, "InvalidParameterException", id="name"),
        pytest.param(
            "CreateRepository",
            {"repositoryName": "x1", "tags": [{"Key": "aws:x", "Value": ""}]},
            "InvalidTagParameterException",
            id="reserved tag",
        ),
        pytest.param(
            "CreateRepository",
            {"repositoryName": "x1", "tags": [{"Key": str(n), "Value": ""} for n in range(51)]},
            "TooManyTagsException",
            id="tags",
        ),
        pytest.param(
            "CreateRepository",
            {"repositoryName": "x1", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"},
            "InvalidParameterException",
            id="exclusion without filters",
        ),
        pytest.param(
            "DescribeRepositories", {"repositoryNames": ["none"]}, "RepositoryNotFoundException", id="unknown"
        ),
        pytest.param(
            "DescribeRepositories",
            {"repositoryNames": ["app"], "maxResults": 5},
            "InvalidParameterException",
            id="names with a page",
        ),
        pytest.param("DeleteRepository", {"repositoryName": "app"}, "RepositoryNotEmptyException", id="full"),
        pytest.param(
            "GetLifecyclePolicy",
            {"repositoryName": "app"},
            "LifecyclePolicyNotFoundException",
            id="lifecycle",
        ),
        pytest.param(
            "GetRepositoryPolicy", {"repositoryName": "app"}, "RepositoryPolicyNotFoundException", id="policy"
        ),
        pytest.param("GetRegistryPolicy", {}, "RegistryPolicyNotFoundException", id="registry policy"),
        pytest.param(
            "PutLifecyclePolicy",
            {"repositoryName": "app", "lifecyclePolicyText": '{"rules": [{}]}' + " " * 100},
            "InvalidParameterException",
            id="no lifecycle policy",
        ),
        pytest.param(
            "SetRepositoryPolicy",
            {"repositoryName": "app", "policyText": "{}"},
            "InvalidParameterException",
            id="no policy",
        ),
        pytest.param(
            "DescribeImageScanFindings",
            {"repositoryName": "app", "imageId": {"imageTag": "1"}},
            "ScanNotFoundException",
            id="no scan",
        ),
        pytest.param(
            "ListTagsForResource",
            {"resourceArn": f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/none"},
            "RepositoryNotFoundException",
            id="tags of nothing",
        ),
        pytest.param(
            "StartImageScan",
            {"repositoryName": "app", "imageId": {"imageTag": "1"}},
            "UnsupportedOperation",
            id="not modelled",
        ),
    ],
)
def test_refusals(ecr: Call, operation: str, params: dict[str, Any], code: str) -> None:
    """Each refusal has the exception that botocore's model lists for the operation."""
    push(ecr, manifest(), "1")
    assert refused(lambda: ecr(operation, **params)).code == code


def test_repositories_page_and_end(ecr: Call) -> None:
    """They are listed by name in pages; `force` deletes a full one."""
    for name in ("b1", "c1"):
        ecr("CreateRepository", repositoryName=name)
    first = ecr("DescribeRepositories", maxResults=2)
    second = ecr("DescribeRepositories", maxResults=2, nextToken=first["nextToken"])
    names = [item["repositoryName"] for page in (first, second) for item in page["repositories"]]
    assert names == ["app", "b1", "c1"]
    push(ecr, manifest())
    assert ecr("DeleteRepository", repositoryName="app", force=True)["repository"]["repositoryName"] == "app"
    assert refused(lambda: ecr("ListImages", repositoryName="app")).code == "RepositoryNotFoundException"


def test_policies_are_kept(ecr: Call) -> None:
    """Repository, lifecycle and registry policies are given back as they were put, and deleted."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]})
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3},
        "action": {"type": "expire"},
    }
    lifecycle = json.dumps({"rules": [rule]}, indent=4)
    ecr("SetRepositoryPolicy", repositoryName="app", policyText=policy)
    ecr("PutLifecyclePolicy", repositoryName="app", lifecyclePolicyText=lifecycle)
    ecr("PutRegistryPolicy", policyText=policy)
    assert ecr("DeleteRepositoryPolicy", repositoryName="app")["policyText"] == policy
    assert ecr("DeleteLifecyclePolicy", repositoryName="app")["lifecyclePolicyText"] == lifecycle
    assert ecr("DeleteRegistryPolicy") == {"registryId": ACCOUNT, "policyText": policy}


def test_tags_of_repositories(ecr: Call) -> None:
    """Tags are put over, removed and listed."""
    arn = f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/app"
    ecr("TagResource", resourceArn=arn, tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ecr("UntagResource", resourceArn=arn, tagKeys=["a", "z"])
    assert ecr("ListTagsForResource", resourceArn=arn)["tags"] == [{"Key": "b", "Value": "2"}]


def test_the_token_is_for_docker_login(ecr: Call, clock: VirtualClock) -> None:
    """`AWS:<password>` in base64, for twelve hours, at the registry's address."""
    data = ecr("GetAuthorizationToken")["authorizationData"][0]
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")
    assert data["proxyEndpoint"] == f"https://{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
    assert data["expiresAt"].timestamp() - clock.now() == timedelta(hours=12).total_seconds()


# ------------------------------------------------------------------ layers


def test_layers_are_uploaded_in_order(ecr: Call) -> None:
    """Parts follow one another, the digest is checked, and the layer is then available."""
    upload = ecr("InitiateLayerUpload", repositoryName="app")["uploadId"]

    def part(first: int, blob: bytes) -> Any:
        return ecr(
            "UploadLayerPart",
            repositoryName="app",
            uploadId=upload,
            partFirstByte=first,
            partLastByte=first + len(blob) - 1,
            layerPartBlob=blob,
        )

    assert part(0, b"abc")["lastByteReceived"] == 2
    error = refused(lambda: part(9, b"x"))
    assert (error.code, error.members["lastValidByteReceived"]) == ("InvalidLayerPartException", 2)
    part(3, b"def")
    digest = "sha256:" + hashlib.sha256(b"abcdef").hexdigest()
    params = {"repositoryName": "app", "uploadId": upload}
    wrong = "sha256:" + "0" * 64
    assert refused(lambda: ecr("CompleteLayerUpload", **params, layerDigests=[wrong])).code == (
        "InvalidLayerException"
    )
    assert ecr("CompleteLayerUpload", **params, layerDigests=[digest])["layerDigest"] == digest
    assert refused(lambda: ecr("CompleteLayerUpload", **params, layerDigests=[digest])).code == (
        "UploadNotFoundException"
    )
    layers = ecr("BatchCheckLayerAvailability", repositoryName="app", layerDigests=[digest, wrong])["layers"]
    assert [item["layerAvailability"] for item in layers] == ["AVAILABLE", "UNAVAILABLE"]
    # From here on the repository knows layers, so a manifest must name those.
    assert refused(lambda: push(ecr, manifest())).code == "LayersNotFoundException"


# -------------------------------------------------------------------- pulls


def run(world: World, clock: VirtualClock, image: str) -> dict[str, Any]:
    """Run a task with one container of `image` and describe it some time later."""
    if not world.call("ecs", "ListClusters", {})["clusterArns"]:
        world.call("ecs", "CreateCluster", {})
    world.call(
        "ecs",
        "RegisterTaskDefinition",
        {
            "family": "f",
            "cpu": "256",
            "memory": "512",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/e",
            "containerDefinitions": [{"name": "a", "image": image}],
        },
    )
    network = {"awsvpcConfiguration": {"subnets": [SUBNET_IDS[0]]}}
    task = world.call(
        "ecs", "RunTask", {"taskDefinition": "f", "launchType": "FARGATE", "networkConfiguration": network}
    )["tasks"][0]["taskArn"]
    clock.advance(60)
    described: dict[str, Any] = world.call("ecs", "DescribeTasks", {"tasks": [task]})["tasks"][0]
    return described


def test_ecs_pulls_what_the_tag_names(world: World, ecr: Call, clock: VirtualClock) -> None:
    """A running container has the digest that the tag had when it was pulled."""
    digest = push(ecr, manifest(), "1")
    task = run(world, clock, f"{URI}:1")
    assert (task["lastStatus"], task["containers"][0]["imageDigest"]) == ("RUNNING", digest)
    by_digest = run(world, clock, f"{URI}@{digest}")
    assert by_digest["containers"][0]["imageDigest"] == digest


@pytest.mark.parametrize("reference", [f"{URI}:9", URI, f"{URI}@sha256:{'0' * 64}"])
def test_an_unknown_tag_cannot_be_pulled(
    world: World, ecr: Call, clock: VirtualClock, reference: str
) -> None:
    """A tag or digest that the repository does not have stops the task as the agent says it."""
    push(ecr, manifest(), "1")
    task = run(world, clock, reference)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "TaskFailedToStart")
    assert f"failed to resolve ref {reference}: {reference}: not found" in task["stoppedReason"]


def test_repositories_that_nobody_made_serve_any_image(world: World, clock: VirtualClock) -> None:
    """Most manifests name images that nobody pushed here: they run."""
    assert run(world, clock, f"{URI}:9")["lastStatus"] == "RUNNING"
