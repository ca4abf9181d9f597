"""Progressive rollouts as a person drives and watches them: manifests, verbs, where a rollout stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from e2e.desk import DEPLOYMENT, REPOSITORY, Desk
from e2e.traffic import Load
from e2e.waiting import until

GOOD, NEXT, BAD = "1.0.0", "2.0.0", "3.0.0"
RETURN_S: Final = 2.0
"""A rollback of one rule takes less, from its decision to the proof (the figure that bench measures)."""
PERSON: Final[dict[str, Any]] = {"pause": {}}
ALL: Final[dict[str, Any]] = {"setWeight": 100}


def weight(percent: float) -> dict[str, Any]:
    """Return a step that sets a weight."""
    return {"setWeight": percent}


def progressive(
    desk: Desk,
    *steps: Mapping[str, Any],
    name: str = "web",
    image: str = GOOD,
    env: Mapping[str, str] | None = None,
    **members: Any,
) -> dict[str, Any]:
    """Return a Deployment of two tasks with these steps; `members` are of `strategy.progressive`.

    `env` are the container's variables. Connections drain within a second or two, as these tests' do.
    """
    how = {"drain": {"propagationDelaySeconds": 1}, **({"steps": list(steps)} if steps else {}), **members}
    found = desk.deployment(
        name,
        image=image,
        ecs={"launchType": "FARGATE", "targetGroups": [{"port": "http", "deregistrationDelaySeconds": 2}]},
        strategy={"type": "Progressive", "progressive": how},
    )
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": key, "value": value} for key, value in (env or {}).items()]
    return found


def image(tag: str) -> str:
    """Return a whole image name, as answers tell it."""
    return f"{REPOSITORY}:{tag}"


def rollout(desk: Desk, name: str = "web") -> dict[str, Any]:
    """Return the rollout in motion; {} at rest."""
    return dict(desk.status(DEPLOYMENT, name).get("rollout") or {})


def latest(desk: Desk, name: str = "web") -> dict[str, Any]:
    """Return how the last rollout ended."""
    return dict(desk.status(DEPLOYMENT, name)["history"][0])


def verb(desk: Desk, word: str, name: str = "web") -> None:
    """Say a verb to the present rollout, or to the last one at rest, by annotation."""
    moving = rollout(desk, name)
    address = str(moving["id"] if moving else latest(desk, name)["id"])
    desk.kubectl("annotate", "--overwrite", f"{DEPLOYMENT}/{name}", f"sluice.dev/{word}={address}")


def wait_step(desk: Desk, number: int, *, name: str = "web", seconds: float = 60.0) -> dict[str, Any]:
    """Wait until a rollout is at a step (counted from 1) and the weights before it are proved."""

    def there() -> dict[str, Any] | None:
        found = rollout(desk, name)
        at = int(found.get("stepIndex", -1)) + 1
        assert at <= number or found.get("stage") != "Stepping", f"step {number} has passed: {found}"
        return found if at == number and found.get("stepStartedAt") else None

    return until(there, f"{name} is at step {number}", seconds=seconds)


def wait_rolled_back(desk: Desk, name: str = "web", *, seconds: float = 60.0) -> dict[str, Any]:
    """Wait until a rollout was taken back and cleaned up; return its history entry."""
    until(
        lambda: not rollout(desk, name) and desk.condition(DEPLOYMENT, name)["reason"] == "RolledBack",
        f"{name} is rolled back",
        seconds=seconds,
    )
    return latest(desk, name)


def assert_unharmed(load: Load, *, candidates: Sequence[str] = ()) -> None:
    """Ask that all that failed was answered by these images: no reset, no 5xx of the load balancer."""
    assert load.unexcused == {}
    assert set(load.failed_by) <= set(candidates)
    assert load.sent > 60
