"""Documents list what the code has: nothing is missing, nothing is left over."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any, get_args

import boto3
import pytest
from pydantic import BaseModel

from sluice.config import Settings
from sluice.config_section import SecretKey
from sluice.model import conditions
from sluice.model.events import DECISIONS, EVENTS
from sluice.model.keys import GROUP
from sluice.plan.deployment import verbs
from sluice.rollout.events import EventReason
from sluice_sandbox.aws.calamities import CALAMITIES
from sluice_sandbox.aws.faults import KINDS
from sluice_sandbox.dataplane.behaviour import VARIABLES
from unit.docs.pages import ROOT, page

SOURCES = ROOT / "operator" / "sluice"


@pytest.mark.parametrize(
    ("heading", "reasons"),
    [
        pytest.param("## Ready", {conditions.AVAILABLE}, id="ready"),
        pytest.param("## Reconciling", conditions.RECONCILING_REASONS, id="reconciling"),
        pytest.param("## Stalled", conditions.STALLED_REASONS, id="stalled"),
    ],
)
def test_every_reason_is_explained(heading: str, reasons: frozenset[str]) -> None:
    """docs/conditions.md has exactly the closed list of model/conditions.py, each under its condition."""
    rows = list(page("docs/conditions.md").first_column(heading))
    assert sorted(rows) == sorted(reasons)


def test_every_event_is_explained() -> None:
    """The events' table has every decision of model/events.py, and nothing beside the closed list.

    A rollout that ends badly is told by an Event of the condition's own reason; few are repeated there.
    """
    documented = page("docs/conditions.md").first_column("## Events")
    assert set(documented) >= DECISIONS
    assert set(documented) <= EVENTS


def test_no_event_is_told_that_is_not_in_the_closed_list() -> None:
    """Reasons that the code names are in it, the machine's own list is, and each of it is named somewhere.

    Reasons that come from a status are held against it in the simulation (sim.operator_process).
    """
    found = set(get_args(EventReason))
    for call in _calls():
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in {"Note", "note", "event"}:
            found |= {_text(word.value) for word in call.keywords if word.arg == "reason"}
        elif name == "_report":
            found |= {_text(argument) for argument in call.args[1:2]}
    assert found - {""} <= EVENTS
    deciding = [folder.name for folder in SOURCES.iterdir() if folder.is_dir() and folder.name != "model"]
    assert _strings(*deciding) >= DECISIONS


def test_every_setting_is_explained() -> None:
    """docs/configuration.md has exactly the settings, by the path that the file has them under."""
    documented = []
    for heading in ("## Settings", "## Notifications", "## Accounts", "## Tenancy"):
        documented += list(page("docs/configuration.md").first_column(heading))
    assert sorted(documented) == sorted(_settings(Settings))


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)]
        optional = type(None) in get_args(field.annotation)
        plain = not inner or not (field.annotation in inner or optional)
        if SecretKey in inner:
            yield path
            continue
        if plain:
            yield path
        for kind in inner:
            yield from _settings(kind, f"{path}.*." if plain else f"{path}.")


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def test_the_defaults_of_switches_and_numbers() -> None:
    """The default that the table shows for a plain number or switch is the code's."""
    text = page("docs/configuration.md").text
    rows = {
        line.split("|")[1].strip(" `"): line.split("|")[2].strip()
        for line in text.splitlines()
        if "| `" in line
    }
    settings = Settings(installation_id="x")
    for path, shown in (
        ("workers", str(settings.workers)),
        ("driftInterval", f"{settings.drift_interval:g}s"),
        ("driftAttributesInterval", f"{settings.drift_attributes_interval / 60:g}m"),
        ("discoveryPropagation", f"{settings.discovery_propagation:g}s"),
        ("aws.budgetShare", f"{settings.aws.budget_share:g}"),
        ("aws.budgets", str(settings.aws.budgets).lower()),
        ("lease.duration", f"{settings.lease.duration:g}s"),
        ("lease.renewDeadline", f"{settings.lease.renew_deadline:g}s"),
        ("lease.retryPeriod", f"{settings.lease.retry_period:g}s"),
        ("http.address", settings.http.address),
        ("http.port", str(settings.http.port)),
        ("dryRun", str(settings.dry_run).lower()),
        ("suspend", str(settings.suspend).lower()),
        ("objectMetrics", str(settings.object_metrics).lower()),
        ("log.level", settings.log.level),
        ("log.format", settings.log.format),
        ("tracing.enabled", str(settings.tracing.enabled).lower()),
        ("tracing.sampleRatio", f"{settings.tracing.sample_ratio:g}"),
        ("tracing.restSampleRatio", f"{settings.tracing.rest_sample_ratio:g}"),
    ):
        assert rows[path] == shown, path


def test_every_verb_is_explained() -> None:
    """docs/deployment.md has exactly the verbs that are read from annotations."""
    documented = page("docs/deployment.md").first_column("## Verbs")
    assert sorted(documented) == sorted(f"{GROUP}/{verb}" for verb in verbs._PRECEDENCE)


def test_the_sandbox_is_explained() -> None:
    """docs/sandbox.md has exactly the variables of a container and the kinds of faults and calamities."""
    document = page("docs/sandbox.md")
    assert document.first_column("## Tasks") == list(VARIABLES)
    assert document.first_column("## Faults") == list(KINDS)
    assert document.first_column("## Calamities") == list(CALAMITIES)


def test_the_policy_is_what_is_called() -> None:
    """The IAM policy allows exactly the AWS operations that planners write, collectors read and gates ask."""
    (block,) = page("docs/security.md").blocks("json")
    allowed: set[str] = set()
    for statement in json.loads(block)["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    assert {action for action in allowed if not action.startswith(_FOR_OTHERS)} == _operations()


_FOR_OTHERS = ("iam:", "route53:", "ec2:")
"""Services that Sluice does not call: roles for tasks, and DNS that Cloud Map makes in the caller's name."""
_OF_CLOUD_MAP = ("observe/cloud_map.py", "observe/cloud_instances.py", "plan/discovery")
"""Sources that speak to Cloud Map: it shares names of operations (CreateService) with ECS."""


def _operations() -> set[str]:
    """Return the operations that the sources of observe, plan and the gates name, as IAM spells them."""
    found: set[str] = set()
    of_cloud_map: set[str] = set()
    prefixes = (
        ("servicediscovery", "servicediscovery"),
        ("ecs", "ecs"),
        ("elbv2", "elasticloadbalancing"),
        ("cloudwatch", "cloudwatch"),
        ("logs", "logs"),
    )
    for service, prefix in prefixes:
        client = boto3.client(
            service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        names = set(client.meta.service_model.operation_names)
        client.close()
        if service == "servicediscovery":
            of_cloud_map = names
            found |= {f"{prefix}:{text}" for text in _strings(*_OF_CLOUD_MAP) if text in names}
            continue
        used = {"cloudwatch": ("analysis",), "logs": ("observe",)}.get(service, ("observe", "plan", "hooks"))
        said = _strings(*used, without=_OF_CLOUD_MAP) | (_strings(*_OF_CLOUD_MAP) - of_cloud_map)
        found |= {f"{prefix}:{text}" for text in said if text in names}
    return found


def test_the_policy_binds_writes_to_the_owner_tag() -> None:
    """Every write but deregistering and handing over roles needs the installation's tag."""
    (block,) = page("docs/security.md").blocks("json")
    for statement in json.loads(block)["Statement"]:
        if statement["Sid"] in {"Look", "GiveBackOldDefinitions", "DnsBehindNames"}:
            assert "Condition" not in statement
            continue
        keys = set(statement["Condition"]["StringEquals"])
        assert keys <= {
            f"aws:RequestTag/{GROUP}/installation",
            f"aws:ResourceTag/{GROUP}/installation",
            "ecs:CreateAction",
            "elasticloadbalancing:CreateAction",
            "iam:PassedToService",
        }


def _trees(*packages: str, without: tuple[str, ...] = ()) -> Iterator[ast.Module]:
    for package in packages or ("",):
        place = SOURCES / package
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            if not file.relative_to(SOURCES).as_posix().startswith(without):
                yield ast.parse(file.read_text(encoding="utf-8"))


def _calls() -> Iterator[ast.Call]:
    for tree in _trees():
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _strings(*packages: str, without: tuple[str, ...] = ()) -> set[str]:
    return {
        text
        for tree in _trees(*packages, without=without)
        for node in ast.walk(tree)
        if (text := _text(node))
    }


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
