"""Where the outbox's document lies: the port, and what can go wrong with it."""

from __future__ import annotations

from typing import Protocol


class Shelf(Protocol):
    """A place for one document, written under a version. `runtime.kube_config_map.ConfigMapShelf`."""

    def load(self) -> str | None:
        """Return the document and remember its version; None when there is none. Raises Retryable."""

    def save(self, text: str) -> None:
        """Replace the document; raises WriteConflict when somebody else wrote it since, or Retryable."""
