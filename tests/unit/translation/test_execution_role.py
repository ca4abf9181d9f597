"""Who pulls images, reads secrets and writes logs: what ECS cannot do without an execution role."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from api_samples import Json, deployment, spec_field, with_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.translation import Sources, Translated, TranslationContext, references, translate
from translation_cases import CONTEXT, DB, EC2

CONTAINER = "spec.containers[]"
PRIVATE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1"
WITHOUT = dataclasses.replace(CONTEXT, execution_role_arn="")
PROVIDER = spec_field(
    "ecs",
    {
        "capacityProviderStrategy": [{"capacityProvider": "own", "weight": 1}],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    },
)
SECRET = {"name": "U", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "a"}}}


def _translate(obj: Json, context: TranslationContext = CONTEXT) -> Translated:
    return translate(parse_deployment(obj), context)


NEEDED = {
    "a secret": (with_field(f"{CONTAINER}.env", [SECRET]), "secrets"),
    "a secret on EC2": (with_field(f"{CONTAINER}.env", [SECRET], EC2), "secrets"),
    "a registry's credentials": (with_field("spec.imagePullSecrets", [{"name": "pull"}]), "secrets"),
    "an image of ECR on Fargate": (with_field(f"{CONTAINER}.image", PRIVATE), "an image of ECR"),
    "both": (
        with_field(f"{CONTAINER}.env", [SECRET], with_field(f"{CONTAINER}.image", PRIVATE)),
        "secrets",
    ),
}


@pytest.mark.parametrize(("obj", "what"), NEEDED.values(), ids=NEEDED)
def test_a_task_that_needs_a_role_is_refused_without_one(obj: Json, what: str) -> None:
    """Before ECS says so, with the container and what the role is for; with a role nothing is said."""
    with pytest.raises(Refused) as refusal:
        _translate(obj, WITHOUT)
    assert refusal.value.message == (
        f"spec.ecs.executionRoleArn: container app needs a role that may read {what}; set it"
    )
    assert _translate(obj).warnings == ()


UNNEEDED = {
    "an image of no registry of AWS": deployment(),
    "a public image of ECR": with_field(f"{CONTAINER}.image", "public.ecr.aws/nginx/nginx:1"),
    "an image of ECR on EC2, by the instance's role": with_field(f"{CONTAINER}.image", PRIVATE, EC2),
    "an image of ECR on capacity of one's own": with_field(f"{CONTAINER}.image", PRIVATE, PROVIDER),
}


@pytest.mark.parametrize("obj", UNNEEDED.values(), ids=UNNEEDED)
def test_a_task_that_needs_no_role_has_none(obj: Json) -> None:
    """And no log configuration either: nobody may write to CloudWatch for it."""
    body = _translate(obj, WITHOUT).body
    assert "executionRoleArn" not in body
    assert "logConfiguration" not in body["containerDefinitions"][0]


def test_credentials_go_with_the_images_that_are_not_of_ecr() -> None:
    """Two containers of two registries: the Secret is read, and one of them carries it."""
    containers = [{"name": "own", "image": PRIVATE}, {"name": "foreign", "image": "registry.example/x"}]
    obj = deployment(template={"spec": {"containers": containers, "imagePullSecrets": [{"name": "pull"}]}})
    assert references(parse_deployment(obj)).secrets == {"pull"}
    assert [item.get("repositoryCredentials") for item in _translate(obj).body["containerDefinitions"]] == [
        None,
        {"credentialsParameter": DB},
    ]


def test_credentials_that_are_not_there_are_told() -> None:
    """A pull secret is not optional: ECS could not pull the image."""
    with pytest.raises(Refused, match=r"imagePullSecrets\[0\]: Secret gone does not exist"):
        _translate(
            with_field("spec.imagePullSecrets", [{"name": "gone"}]),
            dataclasses.replace(CONTEXT, sources=Sources()),
        )


AWSLOGS = {
    "awslogs-create-group": "true",
    "awslogs-group": "/ecs/shop/web",
    "awslogs-region": "eu-west-1",
    "awslogs-stream-prefix": "web",
}
TOKEN = {"name": "splunk-token", "valueFrom": DB}
DRIVERS: dict[str, tuple[Json, Json, Json | None]] = {
    "none": ({"driver": "none"}, deployment(), None),
    "awslogs": ({"driver": "awslogs"}, deployment(), {"logDriver": "awslogs", "options": AWSLOGS}),
    "awslogs on EC2": ({"driver": "awslogs"}, EC2, {"logDriver": "awslogs", "options": AWSLOGS}),
    "awslogs of one's own": (
        {"driver": "awslogs", "options": {"awslogs-group": "/shop", "mode": "non-blocking"}},
        deployment(),
        {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/shop",
                "awslogs-region": "eu-west-1",
                "awslogs-stream-prefix": "web",
                "mode": "non-blocking",
            },
        },
    ),
    "firelens": ({"driver": "awsfirelens"}, deployment(), {"logDriver": "awsfirelens"}),
    "syslog on EC2": (
        {"driver": "syslog", "options": {"syslog-address": "udp://192.0.2.1:514"}},
        EC2,
        {"logDriver": "syslog", "options": {"syslog-address": "udp://192.0.2.1:514"}},
    ),
    "splunk with a secret": (
        {"driver": "splunk", "secretOptions": [TOKEN]},
        deployment(),
        {"logDriver": "splunk", "secretOptions": [TOKEN]},
    ),
}


@pytest.mark.parametrize(("logging", "base", "expected"), DRIVERS.values(), ids=DRIVERS)
def test_logs_as_they_are_asked_for(logging: Json, base: Json, expected: Json | None) -> None:
    """CloudWatch's is completed, any other driver is taken as it is."""
    (container,) = _translate(spec_field("ecs.logging", logging, base)).body["containerDefinitions"]
    assert container.get("logConfiguration") == expected


WITHOUT_ROLE: dict[str, tuple[Json, Json, bool]] = {
    "awslogs on Fargate": ({"driver": "awslogs"}, deployment(), True),
    "awslogs on EC2, by the instance's role": ({"driver": "awslogs"}, EC2, False),
    "firelens": ({"driver": "awsfirelens"}, deployment(), False),
    "a secret on EC2": ({"driver": "splunk", "secretOptions": [TOKEN]}, EC2, True),
    "a secret on Fargate": ({"driver": "splunk", "secretOptions": [TOKEN]}, deployment(), True),
    "splunk without a secret": ({"driver": "splunk"}, deployment(), False),
    "none": ({"driver": "none"}, deployment(), False),
}


@pytest.mark.parametrize(("logging", "base", "refused"), WITHOUT_ROLE.values(), ids=WITHOUT_ROLE)
def test_a_log_driver_that_needs_a_role(logging: Json, base: Json, *, refused: bool) -> None:
    """CloudWatch on Fargate, and every secret."""
    obj = spec_field("ecs.logging", logging, base)
    if not refused:
        assert _translate(obj, WITHOUT).warnings == ()
        return
    with pytest.raises(Refused) as refusal:
        _translate(obj, WITHOUT)
    assert refusal.value.message == "spec.ecs.executionRoleArn: the log driver needs a role; set it"


def test_a_driver_that_fargate_lacks_is_taken_on_ec2_only() -> None:
    """The refusal names what there is."""
    asked: dict[str, Any] = {"driver": "journald"}
    assert _translate(spec_field("ecs.logging", asked, EC2)).warnings == ()
    with pytest.raises(Refused) as refusal:
        _translate(spec_field("ecs.logging", asked))
    assert refusal.value.message == (
        "spec.ecs.logging.driver: Fargate has awsfirelens, awslogs, splunk; use one of them or capacity on "
        "EC2"
    )
