"""ARNs and ids in ECS's shapes, drawn from the world's seeded generator.

Shapes as in botocore's ECS examples: 32 hex digits for tasks, `ecs-svc/<19 digits>` for
deployments, the same digits in the service revision's ARN, 21 url-safe characters for service
deployments. All ARNs are the long (new) format, the only one since 2021.
"""

from __future__ import annotations

import random
import string
import uuid
from functools import cache

from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.service import Caller

LONG = 3
"""Parts of a long ARN's path: kind, cluster, name."""
_URL_SAFE = string.ascii_letters + string.digits + "-_"


def hex_id(rng: random.Random) -> str:
    """Return a task's id: 32 hex digits."""
    return f"{rng.getrandbits(128):032x}"


def uuid_id(rng: random.Random) -> str:
    """Return a UUID, as events, attachments and containers have."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def number_id(rng: random.Random) -> str:
    """Return the 19 digits of a deployment and of its service revision."""
    return str(rng.randint(10**18, 9_223_372_036_854_775_807))


def url_safe_id(rng: random.Random) -> str:
    """Return the 21 characters of a service deployment."""
    return "".join(rng.choice(_URL_SAFE) for _ in range(21))


def hook_id(rng: random.Random, kind: str) -> str:
    """Return a lifecycle hook's id: `ecs-pause-` and 43 characters, as the developer guide shows one."""
    word = "pause" if kind == "PAUSE" else "lambda"
    return f"ecs-{word}-" + "".join(rng.choice(_URL_SAFE) for _ in range(43))


def arn(caller: Caller, kind: str, *path: str) -> str:
    """Return `arn:aws:ecs:<region>:<account>:<kind>/<path...>`."""
    return f"arn:aws:ecs:{caller.region}:{caller.account}:{kind}/{'/'.join(path)}"


def check_cluster(name_or_arn: str, cluster: str) -> None:
    """Refuse a service's or task's long ARN that names another cluster than the call.

    Text: aws/aws-toolkit-vscode#2915. A call without a cluster means `default`: an ARN alone is not enough.
    """
    path = name_or_arn.split(":", 5)[-1].split("/") if name_or_arn.startswith("arn:") else []
    if len(path) == LONG and path[1] != cluster:
        raise refusals.invalid_parameter(
            f"Invalid identifier: Identifier is for cluster {path[1]}. Your cluster is {cluster}"
        )


def same_resource(name_or_arn: str, long_arn: str) -> bool:
    """Tell whether a call's name, long ARN or short ARN (without the cluster) means a resource.

    Both formats are accepted for what exists (ECS developer guide, "ARNs and IDs"; from memory).
    """
    if not name_or_arn.startswith("arn:"):
        return True
    front, _, name = long_arn.rpartition("/")
    return name_or_arn in {long_arn, f"{front.rpartition('/')[0]}/{name}"}


def last_segment(name_or_arn: str) -> str:
    """Return the part after the last slash: the name or id that an ARN ends with."""
    return name_or_arn.rsplit("/", 1)[-1]


def owner(ecs_arn: str) -> Caller:
    """Return who the scheduler acts for when it works on a resource: its account and region."""
    _, _, _, region, account, _ = ecs_arn.split(":", 5)
    return _scheduler_of(account, region)


@cache
def _scheduler_of(account: str, region: str) -> Caller:
    return Caller(
        account=account,
        region=region,
        access_key="",
        principal=service_linked_role(account),
    )


def service_linked_role(account: str) -> str:
    """Return the role ECS uses for awsvpc services (botocore: CreateServiceRequest.role)."""
    return f"arn:aws:iam::{account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
