"""The identity of a custom resource: what the queue holds and every log line, tag and name derives from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

GROUP: Final = "sluice.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

Kind = Literal["Deployment", "ServiceRoute"]
DEPLOYMENT: Final[Kind] = "Deployment"
SERVICE_ROUTE: Final[Kind] = "ServiceRoute"
PLURALS: Final[dict[Kind, str]] = {DEPLOYMENT: "ecsdeployments", SERVICE_ROUTE: "serviceroutes"}
FINALIZER: Final = f"{GROUP}/finalizer"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One custom resource of this installation."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return `Deployment/shop/checkout`."""
        return f"{self.kind}/{self.namespace}/{self.name}"
