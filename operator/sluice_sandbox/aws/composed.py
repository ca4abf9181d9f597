"""What services that are put together of parts share: their books, and one table of operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from sluice_sandbox.aws.service import Handler

S = TypeVar("S")


class Books(Protocol[S]):
    """Whoever holds a service's state for its parts."""

    state: S


class Part(Protocol):
    """Some of a service's operations."""

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""


class ComposedService(Generic[S]):
    """The half of `service.Service` that is the same for all that are put together of parts."""

    def __init__(self, books: Books[S], *parts: Part) -> None:
        """Keep the books and what the parts can do."""
        self._books = books
        self._operations: dict[str, Handler] = {}
        for part in parts:
            self._operations.update(part.operations())

    @property
    def state(self) -> S:
        """All that it remembers, as plain data."""
        return self._books.state

    @state.setter
    def state(self, state: S) -> None:
        """Exchange the books: an older copy for a stale read, and back."""
        self._books.state = state

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return self._operations
