"""What the types of a module say where nobody says anything."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any


def said(module: ModuleType) -> dict[str, Any]:
    """Return each default of the module's types that is not simply nothing: `Type.field` → value."""
    kinds = [
        kind
        for kind in vars(module).values()
        if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind.__module__ == module.__name__
    ]
    return {
        f"{kind.__name__}.{field.name}": value
        for kind in kinds
        for field in dataclasses.fields(kind)
        if (value := _default(field)) not in (None, False, 0, "", (), frozenset(), {})
    }


def _default(field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default
