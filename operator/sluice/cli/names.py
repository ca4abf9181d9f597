"""Names of Deployments as people type them: `checkout`, `ecsd/checkout`, `ecsdeployment/checkout`."""

from __future__ import annotations

from typing import Final

import click

from sluice.model.keys import DEPLOYMENT, GROUP, PLURALS, VERSION

_PLURAL: Final = PLURALS[DEPLOYMENT]
_PLAIN: Final = ("ecsd", _PLURAL.removesuffix("s"), _PLURAL)
_WITH_GROUP: Final = (*_PLAIN, "deployment", "deployments")
_KINDS: Final = frozenset(
    {
        *_PLAIN,
        *(f"{kind}.{GROUP}" for kind in _WITH_GROUP),
        *(f"{kind}.{VERSION}.{GROUP}" for kind in _WITH_GROUP),
    }
)


def deployment_name(value: str) -> str:
    """Return the plain name of a Deployment; a click type. Another resource is a usage error."""
    kind, slash, name = value.rpartition("/")
    if slash and kind.lower() not in _KINDS:
        hint = f" ({kind} would be apps/v1's)" if kind.lower() in {"deployment", "deployments"} else ""
        raise click.BadParameter(
            f"{kind} is no resource that has rollouts of Sluice{hint}; use ecsd/<name> or <name>"
        )
    if not name:
        raise click.BadParameter("a name is missing; use ecsd/<name> or <name>")
    return name
