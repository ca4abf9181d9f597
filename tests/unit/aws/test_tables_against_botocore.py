"""The tables of operations and error codes are spelled as botocore spells them."""

from __future__ import annotations

from typing import Any, get_args

import botocore.session
import pytest

from sluice.aws import errors, operations
from sluice.aws.errors import classify
from sluice.model.errors import AwsErrorKind

WRITES = [
    ("ecs", "RegisterTaskDefinition"),
    ("ecs", "DeregisterTaskDefinition"),
    ("ecs", "CreateService"),
    ("ecs", "UpdateService"),
    ("ecs", "DeleteService"),
    ("ecs", "TagResource"),
    ("ecs", "UntagResource"),
    ("elbv2", "CreateTargetGroup"),
    ("elbv2", "ModifyTargetGroup"),
    ("elbv2", "ModifyTargetGroupAttributes"),
    ("elbv2", "DeleteTargetGroup"),
    ("elbv2", "CreateRule"),
    ("elbv2", "ModifyRule"),
    ("elbv2", "SetRulePriorities"),
    ("elbv2", "DeleteRule"),
    ("elbv2", "AddTags"),
    ("elbv2", "RemoveTags"),
    ("ecs", "UpdateTaskProtection"),
    ("servicediscovery", "CreateHttpNamespace"),
    ("servicediscovery", "CreatePrivateDnsNamespace"),
    ("servicediscovery", "CreatePublicDnsNamespace"),
    ("servicediscovery", "DeleteNamespace"),
    ("servicediscovery", "CreateService"),
    ("servicediscovery", "UpdateService"),
    ("servicediscovery", "DeleteService"),
    ("servicediscovery", "RegisterInstance"),
    ("servicediscovery", "DeregisterInstance"),
    ("servicediscovery", "UpdateInstanceCustomHealthStatus"),
    ("servicediscovery", "TagResource"),
]


def model(service: str) -> Any:
    """Return botocore's model of a service."""
    return botocore.session.Session().get_service_model(service)


def test_every_operation_of_the_bucket_table_exists() -> None:
    """A misspelt operation would fall into the bucket of unknown ones."""
    assert set(operations._ECS) <= set(model("ecs").operation_names)
    assert set(operations._CLOUD_MAP) <= set(model("servicediscovery").operation_names)
    assert set(model("elbv2").operation_names) >= operations._ELB_REGISTRATION | operations._ELB_INTENSIVE


def test_every_bucket_of_the_table_is_used() -> None:
    """A bucket that no call passes limits nothing."""
    used = {
        shape.name
        for service in ("ecs", "elbv2", "cloudwatch", "servicediscovery", "sns", "events")
        for operation in model(service).operation_names
        for shape in operations.buckets(service, operation)
    }
    assert set(operations.SHAPES) <= used


@pytest.mark.parametrize(("service", "operation"), WRITES)
def test_every_error_of_our_writes_has_a_meaning_of_its_own(service: str, operation: str) -> None:
    """What botocore says that our writes may answer is classified, and never as our own outage."""
    for shape in model(service).operation_model(operation).error_shapes:
        kind = classify(operation, shape.error_code, "", status=400, write=True)
        assert kind in get_args(AwsErrorKind)
        assert kind != "throttled"
        if "NotFound" in shape.error_code and shape.error_code not in {
            "ClusterNotFoundException",  # of a write: the spec names a cluster that does not exist
            "NamespaceNotFoundException",  # the spec names a Cloud Map namespace that does not exist
            "CustomHealthNotFound",  # the service is another one than was seen: look again
            "TrustStoreNotFound",  # tags of trust stores: never ours
        }:
            assert kind == "not-found"


def test_no_code_has_two_meanings() -> None:
    """The code tables do not overlap."""
    tables = [
        errors._THROTTLED,
        errors._DENIED,
        errors._NOT_FOUND,
        errors._CONFLICT,
        errors._QUOTA,
        errors._UNAVAILABLE,
        errors._VAGUE,
    ]
    assert sum(map(len, tables)) == len(frozenset().union(*tables))
