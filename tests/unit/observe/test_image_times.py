"""When an image was pushed: which images are in ECR, what is asked, and with whose role."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest

from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.tenancy import Tenancy
from sluice.observe.image_times import ImageTimes, ecr_image

WEB = Key(DEPLOYMENT, "shop", "web")
DIGEST = "sha256:" + "ab" * 32
HOME = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
THERE = Binding(account="222233334444", region="eu-west-1", role_arn="arn:aws:iam::222233334444:role/s")


class Aws:
    """`ports.Aws` with one answer."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        """Answer this."""
        self.answer = answer
        self.calls: list[tuple[Mapping[str, Any], CallContext]] = []

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, context: CallContext
    ) -> Mapping[str, Any]:
        """Keep what was asked."""
        assert (service, operation) == ("ecr", "DescribeImages")
        self.calls.append((params, context))
        return self.answer


def times(aws: Aws) -> ImageTimes:
    """Return what asks, with one other account."""
    default = Binding(account="", region="eu-west-1")
    return ImageTimes(aws, Tenancy(rules=(), accounts={"there": THERE}, default_binding=default))


@pytest.mark.parametrize(
    ("image", "region", "repository", "id_"),
    [
        (f"{HOME}/shop/web:2.0", "eu-west-1", "shop/web", {"imageTag": "2.0"}),
        (f"{HOME}/web", "eu-west-1", "web", {"imageTag": "latest"}),
        (f"{HOME}/web@{DIGEST}", "eu-west-1", "web", {"imageDigest": DIGEST}),
        (f"{HOME}/web:2.0@{DIGEST}", "eu-west-1", "web", {"imageDigest": DIGEST}),
        (
            "111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com/web:1",
            "us-gov-west-1",
            "web",
            {"imageTag": "1"},
        ),
        (
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/web:1",
            "cn-north-1",
            "web",
            {"imageTag": "1"},
        ),
        ("111122223333.dkr-ecr.eu-west-1.on.aws/web:1", "eu-west-1", "web", {"imageTag": "1"}),
    ],
    ids=["tag", "no tag", "digest", "both", "FIPS", "China", "dual-stack"],
)
def test_images_in_ecr(image: str, region: str, repository: str, id_: dict[str, str]) -> None:
    """Registry, Region, repository, and a digest rather than a tag."""
    found = ecr_image(image)
    assert found is not None
    assert (found.registry, found.region, found.repository) == ("111122223333", region, repository)
    assert found.id == id_


@pytest.mark.parametrize(
    "image",
    ["nginx:1", "ghcr.io/acme/web:1", "public.ecr.aws/nginx/nginx:1", f"{HOME}.evil.example/web:1", ""],
)
def test_images_elsewhere_are_not_asked_for(image: str) -> None:
    """Nobody is called."""
    aws = Aws({})
    assert ecr_image(image) is None
    assert times(aws).pushed_at(WEB, image) is None
    assert (times(aws).repository(image), aws.calls) == ("", [])


PUSHED = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"imageDetails": [{"imagePushedAt": PUSHED}]}, PUSHED.timestamp()),
        ({"imageDetails": [{}]}, None),
        ({"imageDetails": []}, None),
        ({}, None),
    ],
    ids=["pushed", "not said", "none", "nothing"],
)
def test_what_ecr_says(answer: Mapping[str, Any], expected: float | None) -> None:
    """Its own time of the push; with the priority of what nobody waits for."""
    aws = Aws(answer)
    assert times(aws).pushed_at(WEB, f"{HOME}/shop/web:2.0") == expected
    ((params, context),) = aws.calls
    assert params == {
        "registryId": "111122223333",
        "repositoryName": "shop/web",
        "imageIds": [{"imageTag": "2.0"}],
    }
    assert context.priority is Priority.GARBAGE
    shape = botocore.session.Session().get_service_model("ecr").operation_model("DescribeImages").input_shape
    assert set(params) <= set(shape.members)


@pytest.mark.parametrize(
    ("registry", "role"), [("222233334444", THERE.role_arn), ("111122223333", "")], ids=["known", "own"]
)
def test_whose_role_asks(registry: str, role: str) -> None:
    """That of the account with the registry where it is known, in the Region of the image."""
    aws = Aws({})
    times(aws).pushed_at(WEB, f"{registry}.dkr.ecr.us-east-1.amazonaws.com/web:1")
    binding = aws.calls[0][1].binding
    assert (binding.role_arn, binding.region) == (role, "us-east-1")
