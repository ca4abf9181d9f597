"""The vocabulary in which the custom resources are typed.

Every type of the API derives from `Typed`. What pydantic cannot say (list-map keys, CEL, defaults of
the API server, shapes of ECS) is said by the annotations here and lands in the generated CRD.

Every PodTemplate field carries an `Answer`: translated, accepted, accepted with a warning, or refused
with what to use instead. One declaration gives the CRD's CEL rule, the check of `parse_deployment`,
the line in docs/translation.md and `kubectl explain`, so the four cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

Json = dict[str, Any]

API_DEFAULT: Final = "x-sluice-default"
"""Marks a default that the API server fills in; pydantic's own defaults never reach the CRD."""
SHAPE: Final = "x-sluice-shape"
"""Names an ECS shape of ecs_shapes.json that replaces the schema."""
ANSWER: Final = "x-sluice-answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cel:
    """One `x-kubernetes-validations` rule (Kubernetes: "Validation rules", CRD reference)."""

    rule: str
    message: str
    """What a person reads: what is wrong and what to do."""
    field_path: str = ""
    """Relative path that the error points at, for instance `.template`."""
    forbidden: bool = False
    """The field may not be used at all: reason FieldValueForbidden."""

    def to_schema(self) -> Json:
        """Return the rule as the CRD spells it."""
        extra = {"fieldPath": self.field_path} if self.field_path else {}
        reason = {"reason": "FieldValueForbidden"} if self.forbidden else {}
        return {"rule": self.rule, "message": self.message} | extra | reason


class Typed(BaseModel):
    """Base of all API types: camelCase outside, snake_case inside, unknown fields refused, immutable.

    Unknown fields are refused because an operator older than its CRDs must not drop what it does not
    understand.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )
    cel: ClassVar[tuple[Cel, ...]] = ()
    """Rules that cross fields of this type."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """Add the type's CEL rules to its JSON schema."""
        schema = handler(core_schema)
        if cls.cel:
            handler.resolve_ref_schema(schema)["x-kubernetes-validations"] = [c.to_schema() for c in cls.cel]
        return schema


@dataclass(frozen=True, slots=True, eq=False)  # hashed by identity: typing puts it into unions
class Schema:
    """Keywords to add to a field's schema: `Annotated[list[X], Schema({...})]`."""

    keywords: Mapping[str, Any]

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """Add the keywords beside what pydantic says."""
        return handler(core_schema) | dict(self.keywords)


def list_map(*keys: str, most: int) -> Schema:
    """Say that server-side apply merges a list by these keys, and how long the list may be."""
    return Schema({
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
        "maxItems": most,
    })  # fmt: skip


def atomic(*, most: int, least: int = 0) -> Schema:
    """Say that a list is replaced as a whole, and how long it may be."""
    return Schema(
        {"x-kubernetes-list-type": "atomic", "maxItems": most} | ({"minItems": least} if least else {})
    )


def unique(*, most: int) -> Schema:
    """Say that a list is a set of scalars."""
    return Schema({"x-kubernetes-list-type": "set", "maxItems": most})


def api_default(value: str) -> Schema:
    """Let the API server fill in a true constant (only where a list-map key demands it)."""
    return Schema({API_DEFAULT: value})


def ecs_shape(name: str) -> Schema:
    """Embed an ECS shape, as botocore's model has it."""
    return Schema({SHAPE: name})


def rules(*cel: Cel) -> Schema:
    """Add CEL rules to one field."""
    return Schema({"x-kubernetes-validations": [rule.to_schema() for rule in cel]})


OPEN: Final = Schema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
"""Content that is refused anyway: it must reach the CEL rule instead of failing as an unknown field."""
OPEN_LIST: Final = Schema(
    {
        "type": "array",
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "maxItems": 64,
        "x-kubernetes-list-type": "atomic",
    }
)
_DECIMAL: Final = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
QUANTITY: Final = rf"^(\+|-)?{_DECIMAL}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{_DECIMAL}))?$"
"""k8s.io/apimachinery resource.Quantity, as controller-gen writes it."""
Quantity = int | str
IntOrString = int | str

Kind = Literal["translated", "accepted", "warned", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What becomes of one PodTemplate field on ECS."""

    kind: Kind
    text: str
    """Translated: into what. Accepted or warned: why it makes no difference or what differs.
    Refused: what to use."""
    unless: tuple[Any, ...] = ()
    """Values that need no warning and are not refused (what exported manifests carry)."""
    when: str = ""
    """The condition, in words, when the refusal or warning depends on more than the value."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """Describe the field by its answer and refuse by CEL what is always refused."""
        schema = handler(core_schema)
        word = {
            "translated": "Becomes",
            "accepted": "Accepted",
            "warned": "Accepted with a warning",
            "refused": "Refused",
        }[self.kind]
        schema["description"] = f"{word}: {self.text}"
        if self.kind == "refused" and not self.when:
            cel = Cel(rule=self._cel(schema), message=self.text, forbidden=True).to_schema()
            schema["x-kubernetes-validations"] = [cel]
        return schema

    def _cel(self, schema: Json) -> str:
        """Return the rule that lets only harmless values through, by the field's JSON type."""
        if self.unless:
            return f"self in [{', '.join(_literal(value) for value in self.unless)}]"
        branches = [branch for branch in schema.get("anyOf", [schema]) if branch.get("type") != "null"]
        branch = branches[0] if len(branches) == 1 else {}
        kind = schema.get("type") or branch.get("type")
        if kind == "object":
            return "size(self) == 0" if "additionalProperties" in branch and "type" not in schema else "false"
        return {
            "array": "size(self) == 0",
            "string": "self == ''",
            "integer": "self == 0",
            "boolean": "!self",
        }.get(kind or "", "false")

    def applies(self, value: object) -> bool:
        """Tell whether a value of the field is one to warn of or to refuse: set, and not harmless."""
        if value is None:
            return False
        return value not in self.unless if self.unless else bool(value)


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def translated(text: str) -> Answer:
    """Say what a field becomes."""
    return Answer(kind="translated", text=text)


def accepted(text: str) -> Answer:
    """Say why a field makes no difference on ECS."""
    return Answer(kind="accepted", text=text)


def warned(text: str, *, unless: tuple[Any, ...] = (), when: str = "") -> Answer:
    """Say what differs on ECS; a condition `Warnings` repeats it. With `when` the translation decides."""
    return Answer(kind="warned", text=text, unless=unless, when=when)


def refused(text: str, *, unless: tuple[Any, ...] = (), when: str = "") -> Answer:
    """Say what to use instead. With `when` the translation or a rule across fields decides."""
    return Answer(kind="refused", text=text, unless=unless, when=when)


@dataclass(frozen=True, slots=True)
class Finding:
    """A field that a person used and that has an answer worth telling."""

    path: str
    text: str


def answers(kind: type[Typed], field: str) -> tuple[Answer, ...]:
    """Return the answers that a field was declared with."""
    return tuple(item for item in kind.model_fields[field].metadata if isinstance(item, Answer))


def findings(value: object, path: str, which: Callable[[Answer], bool]) -> Iterator[Finding]:
    """Walk a parsed object and yield the fields in use whose answer `which` selects."""
    if isinstance(value, Typed):
        kind = type(value)
        for name in sorted(value.model_fields_set):
            content = getattr(value, name)
            here = f"{path}.{kind.model_fields[name].alias or name}"
            for answer in answers(kind, name):
                if which(answer) and not answer.when and answer.applies(content):
                    yield Finding(here, answer.text)
            yield from findings(content, here, which)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from findings(item, f"{path}[{index}]", which)
