"""The Kubernetes structures that several of our types share, spelled as Kubernetes spells them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluice.api.v1alpha1.schema import Schema, Typed, accepted, atomic, refused, translated, unique

LabelMap = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Schema({"maxProperties": 64})]
ShortText = Annotated[str, Field(max_length=253)]


class TemplateMetadata(Typed):
    """Metadata of the task: of Kubernetes' ObjectMeta what makes sense in a template."""

    labels: Annotated[LabelMap | None, translated("tags of the ECS service and its tasks")] = None
    annotations: Annotated[
        dict[str, str] | None,
        Schema({"maxProperties": 128}),
        accepted(
            "readable through fieldRef metadata.annotations['…']; sluice.dev/restartedAt "
            "makes a new revision; others have no reader on ECS"
        ),
    ] = None
    name: Annotated[str | None, accepted("ECS names tasks itself")] = None
    namespace: Annotated[str | None, accepted("the Deployment's own namespace counts")] = None
    creation_timestamp: Annotated[
        str | None,
        Schema({"nullable": True}),
        accepted("exported manifests carry `creationTimestamp: null`"),
    ] = None
    finalizers: Annotated[
        list[str] | None,
        atomic(most=16),
        refused("a task has no finalizers; remove the field"),
    ] = None


class LabelSelectorRequirement(Typed):
    """One expression of a label selector."""

    key: ShortText
    """Label key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label relates to the values."""
    values: Annotated[list[ShortText] | None, unique(most=32)] = None
    """Values of In and NotIn."""

    def matches(self, labels: dict[str, str]) -> bool:
        """Tell whether labels fulfil the expression."""
        if self.operator == "Exists":
            return self.key in labels
        if self.operator == "DoesNotExist":
            return self.key not in labels
        return (labels.get(self.key) in (self.values or [])) == (self.operator == "In")


class LabelSelector(Typed):
    """Kubernetes' label selector."""

    match_labels: LabelMap | None = None
    """Labels that must be equal."""
    match_expressions: Annotated[list[LabelSelectorRequirement] | None, atomic(most=16)] = None
    """Expressions that must all hold."""

    def matches(self, labels: dict[str, str]) -> bool:
        """Tell whether labels fulfil the selector."""
        equal = all(labels.get(key) == value for key, value in (self.match_labels or {}).items())
        return equal and all(term.matches(labels) for term in self.match_expressions or [])
