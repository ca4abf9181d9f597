"""The examples mean what they show."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_samples import SUBNETS
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.api.v1alpha1.route import parse_route
from sluice.plan.translation import translate
from translation_cases import CONTEXT

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
IN_A_SANDBOX = dataclasses.replace(CONTEXT, default_network_configuration=SUBNETS)
OBJECTS: list[dict[str, Any]] = [
    obj
    for file in sorted(EXAMPLES.glob("*.yaml"))
    for obj in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]
DEPLOYMENTS = {obj["metadata"]["name"]: obj for obj in OBJECTS if obj["kind"] == "Deployment"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_an_example_deployment_translates_without_a_warning(name: str) -> None:
    """What a newcomer applies first is not answered with warnings, and has the port that routes name."""
    translated = translate(parse_deployment(DEPLOYMENTS[name]), IN_A_SANDBOX)
    assert translated.warnings == ()
    assert [port.name for port in translated.ports] == ["http"]
    assert translated.ports[0].health_check["HealthCheckPath"] == "/healthz"


def test_the_example_routes_name_the_example_deployments() -> None:
    """Every backend is one of the other examples, and every example can be reached."""
    routes = [parse_route(obj) for obj in OBJECTS if obj["kind"] == "ServiceRoute"]
    named = {ref.name for route in routes for rule in route.rules or () for ref in rule.backend_refs}
    named |= {found.backend_ref.name for route in routes if (found := route.discovery) and found.backend_ref}
    assert named == set(DEPLOYMENTS)
