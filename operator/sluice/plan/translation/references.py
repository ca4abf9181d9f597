"""Which ConfigMaps and Secrets a Deployment reads, so that they can be fetched before it is translated."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.api.v1alpha1.container import Container
from sluice.api.v1alpha1.deployment import DeploymentSpec
from sluice.plan.translation.images import needs_credentials
from sluice.plan.translation.model import References


def references(spec: DeploymentSpec) -> References:
    """Return the names of all ConfigMaps and Secrets that the template refers to."""
    if spec.template is None:
        return References()
    pod = spec.template.spec
    containers = [*(pod.init_containers or ()), *pod.containers]
    secrets = {name for container in containers for name in _secrets(container)}
    if any(needs_credentials(container.image) for container in containers):
        secrets |= {reference.name for reference in pod.image_pull_secrets or ()}
    return References(
        config_maps=frozenset(name for container in containers for name in _config_maps(container)),
        secrets=frozenset(secrets),
    )


def _config_maps(container: Container) -> Iterator[str]:
    for entry in container.env_from or ():
        if entry.config_map_ref:
            yield entry.config_map_ref.name
    for variable in container.env or ():
        if variable.value_from and variable.value_from.config_map_key_ref:
            yield variable.value_from.config_map_key_ref.name


def _secrets(container: Container) -> Iterator[str]:
    for entry in container.env_from or ():
        if entry.secret_ref:
            yield entry.secret_ref.name
    for variable in container.env or ():
        if variable.value_from and variable.value_from.secret_key_ref:
            yield variable.value_from.secret_key_ref.name
