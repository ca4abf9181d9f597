"""Documents list what the code has: nothing is missing, nothing is left over."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from typing import Any, get_args

import boto3
import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from sluice.aws.metrics import AwsMetrics
from sluice.config import Settings
from sluice.model import conditions
from sluice.model.keys import DEPLOYMENT, GROUP, SERVICE_ROUTE, Key
from sluice.plan.deployment import verbs
from sluice.telemetry.metrics import RuntimeMetrics, new_registry
from sluice.telemetry.objects import object_metrics
from sluice.telemetry.rollouts import RolloutMetrics
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
    """The events' table has every reason that the code gives an Event, and none that no code has.

    A rollout that ends badly is told by an Event of the condition's own reason, which is not repeated there.
    """
    found = set()
    for call in _calls():
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in {"Note", "note"}:
            found |= {_text(word.value) for word in call.keywords if word.arg == "reason"}
        elif name == "_report":
            found |= {_text(argument) for argument in call.args[1:2]}
    documented = set(page("docs/conditions.md").first_column("## Events"))
    assert found - {""} - conditions.STALLED_REASONS <= documented
    assert documented <= _strings()


def test_every_metric_is_explained() -> None:
    """docs/metrics.md has exactly the series that the operator exports under its own prefix."""
    documented = []
    for heading in ("## The loop", "## Kubernetes", "## AWS", "## Custom resources", "## Rollouts"):
        documented += page("docs/metrics.md").first_column(heading)
    assert sorted(documented) == sorted(_metrics())


def _metrics() -> set[str]:
    registry: CollectorRegistry = new_registry("1")
    nothing: Callable[[], int] = lambda: 0  # noqa: E731 - a gauge's value
    runtime = RuntimeMetrics(registry)
    runtime.watch_queue(
        depth=lambda: {"user": 0}, delayed=nothing, failing=nothing, oldest=lambda: 0.0, running=nothing
    )
    runtime.watch_watch(lambda: 0.0)
    RolloutMetrics(registry)
    AwsMetrics(registry).watch_budgets(lambda: ())
    objects: dict[Key, dict[str, Any]] = {
        Key(DEPLOYMENT, "shop", "web"): {"metadata": {"generation": 1}, "status": {"replicas": 1}},
        Key(SERVICE_ROUTE, "shop", "web"): {"metadata": {"generation": 1}, "status": {}},
    }
    registry.register(object_metrics(lambda: objects, shown=lambda: True))
    suffix = {"counter": "_total", "info": "_info"}
    return {
        family.name + suffix.get(family.type, "")
        for family in registry.collect()
        if family.name.startswith("sluice_")
    }


def test_every_setting_is_explained() -> None:
    """docs/configuration.md has exactly the settings, by the path that the file has them under."""
    documented = []
    for heading in ("## Settings", "## Accounts", "## Tenancy"):
        documented += list(page("docs/configuration.md").first_column(heading))
    assert sorted(documented) == sorted(_settings(Settings))


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)]
        plain = field.annotation not in inner
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
    assert allowed - {"iam:PassRole"} == _operations()


def _operations() -> set[str]:
    """Return the operations that the sources of observe, plan and the gates name, as IAM spells them."""
    found = set()
    prefixes = (
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
        used = {"cloudwatch": ("analysis",), "logs": ("observe",)}.get(service, ("observe", "plan", "hooks"))
        found |= {f"{prefix}:{text}" for text in _strings(*used) if text in names}
    return found


def test_the_policy_binds_writes_to_the_owner_tag() -> None:
    """Every write but deregistering and handing over roles needs the installation's tag."""
    (block,) = page("docs/security.md").blocks("json")
    for statement in json.loads(block)["Statement"]:
        if statement["Sid"] in {"Look", "GiveBackOldDefinitions"}:
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


def _trees(*packages: str) -> Iterator[ast.Module]:
    for package in packages or ("",):
        for file in sorted((SOURCES / package).rglob("*.py")):
            yield ast.parse(file.read_text(encoding="utf-8"))


def _calls() -> Iterator[ast.Call]:
    for tree in _trees():
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _strings(*packages: str) -> set[str]:
    return {text for tree in _trees(*packages) for node in ast.walk(tree) if (text := _text(node))}


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
