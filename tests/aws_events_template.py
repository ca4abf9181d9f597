"""examples/aws-events/template.yaml as data: CloudFormation's short tags become what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "aws-events"


class _Loader(yaml.SafeLoader):
    """YAML with `!Ref`, `!Sub` and `!GetAtt`."""


def _function(name: str) -> Any:
    def construct(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> dict[str, Any]:
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if name == "Fn::GetAtt" else value}

    return construct


for _tag, _name in (("!Ref", "Ref"), ("!Sub", "Fn::Sub"), ("!GetAtt", "Fn::GetAtt")):
    _Loader.add_constructor(_tag, _function(_name))


def template() -> dict[str, Any]:
    """Return the template."""
    text = (FOLDER / "template.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=_Loader))


def event_pattern() -> dict[str, Any]:
    """Return the pattern of its EventBridge rule."""
    return dict(template()["Resources"]["Rule"]["Properties"]["EventPattern"])
