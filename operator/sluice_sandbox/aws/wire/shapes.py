"""The walk over a service model's shapes, once for everything that is compiled from them.

Validation, rendering, forms and XML each turn a shape into a function. What they share stands here: the
choice by kind of shape, and structures compiled once each even where they contain themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from sluice_sandbox.aws.wire.models import Shape

Compiled = TypeVar("Compiled", bound=Callable[..., Any] | None)


class ShapeCompiler(ABC, Generic[Compiled]):
    """Compiles the shapes of one service model to functions; say how for each kind."""

    def __init__(self) -> None:
        """Start with nothing compiled."""
        self._compiled: dict[str, Compiled] = {}

    def of(self, shape: Shape) -> Compiled:
        """Return the function of `shape`."""
        kind = shape.type_name
        if kind == "structure":
            return self._known_structure(shape)
        if kind == "list":
            return self.list_of(shape)
        if kind == "map":
            return self.map_of(shape)
        return self.scalar(shape)

    def _known_structure(self, shape: Shape) -> Compiled:
        found = self._compiled.get(shape.name)
        if found is not None:
            return found
        ready: list[Any] = []

        def recurse(*args: object) -> object:
            return ready[0](*args)

        self._compiled[shape.name] = cast("Compiled", recurse)
        compiled = self._compiled[shape.name] = self.structure(shape)
        ready.append(compiled)
        return compiled

    @abstractmethod
    def structure(self, shape: Shape) -> Compiled:
        """Compile a structure; members that contain it again are compiled already."""

    @abstractmethod
    def list_of(self, shape: Shape) -> Compiled:
        """Compile a list."""

    @abstractmethod
    def map_of(self, shape: Shape) -> Compiled:
        """Compile a map."""

    @abstractmethod
    def scalar(self, shape: Shape) -> Compiled:
        """Compile a string, number, boolean, timestamp or blob."""
