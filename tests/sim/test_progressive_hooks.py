"""Hooks that are ECS tasks, from before the candidate has a service to after the spec was edited."""

from __future__ import annotations

from typing import Any

import pytest

from sim.progressive_stories import BLUE_GREEN, QUICK, at_step, ready, rolled_back, serves, verb, web
from sim.stories import apply
from sim.universe import WEB, Universe, route

CANARY_OF_ONE = [{"setWeight": 50}, {"pause": {}}, {"hook": {"name": "check"}}, {"setWeight": 100}]


def strategy(
    stage: str, code: str = "0", *, steps: list[dict[str, Any]] | None = None, **members: Any
) -> dict[str, Any]:
    """Return a strategy with a hook that runs a task which ends with an exit code."""
    task = {"container": "app", "command": ["check"], "environment": {"SANDBOX_EXIT": code}}
    hook = {"name": "check", "stage": stage, "runTask": task, "timeout": "2m"} | members
    given = steps or [{"setWeight": 100}]
    return {"type": "Progressive", "progressive": {"steps": given, "hooks": [hook], "drain": QUICK}}


def commands(universe: Universe) -> list[tuple[str, str]]:
    """Return (what, task definition) of each call that starts tasks, in order."""
    found = []
    for call in universe.world.calls.find(service="ecs", mutating=True):
        if call.operation in ("RunTask", "CreateService", "UpdateService") and call.took_place:
            definition = str(call.params.get("taskDefinition", ""))
            found.append((call.operation, definition.rsplit(":", 1)[-1]))
    return found


def hook_tasks(universe: Universe) -> list[str]:
    """Return the tasks that run and belong to no service."""
    arns = universe.aws("ecs", "ListTasks", cluster="sandbox")["taskArns"]
    tasks = universe.aws("ecs", "DescribeTasks", cluster="sandbox", tasks=arns)["tasks"] if arns else []
    return [task["taskArn"] for task in tasks if not task["group"].startswith("service:")]


@pytest.mark.parametrize("image", ["web:1", "web:2"], ids=["first rollout", "next rollout"])
def test_a_migration_runs_the_candidates_image_before_its_first_task(image: str) -> None:
    """PreScaleUp: the definition is registered for the hook; the service gets it after the hook's yes."""
    universe = Universe(seed=3)
    apply(web(strategy=strategy("PreScaleUp")), route())(universe)
    universe.settle(lambda: ready(universe), within=300)
    if image != "web:1":
        apply(web(image, strategy=strategy("PreScaleUp")))(universe)
        universe.settle(lambda: serves(image)(universe), within=600)
    definition = image.rsplit(":", 1)[-1]
    told = [operation for operation, number in commands(universe) if number == definition]
    assert told[0] == "RunTask"
    assert told.count("RunTask") == 1
    assert len(told) > 1


def test_a_migration_that_fails_starts_no_task_of_the_candidate() -> None:
    """Its no is an answer: back, with the exit code in the reason, and the source was never touched."""
    universe = Universe(seed=3)
    apply(web(strategy=strategy("PreScaleUp")), route())(universe)
    universe.settle(lambda: ready(universe), within=300)
    apply(web("web:2", strategy=strategy("PreScaleUp", "3")))(universe)
    universe.settle(lambda: rolled_back(universe), within=600)
    assert "exit code 3" in universe.status()["history"][0]["reason"]
    assert [number for operation, number in commands(universe) if operation != "RunTask"].count("2") == 0


@pytest.mark.parametrize("why", ["timeout", "abort"])
def test_a_migration_that_nobody_waits_for_is_stopped(why: str) -> None:
    """One whose time is over must not run beside the next attempt, nor after an abort."""
    universe = Universe(seed=3)
    apply(web(strategy=BLUE_GREEN), route())(universe)
    universe.settle(lambda: ready(universe), within=300)
    endless = strategy("PreScaleUp")
    endless["progressive"]["hooks"][0]["runTask"].pop("environment")
    apply(web("web:2", strategy=endless))(universe)
    universe.settle(lambda: len(hook_tasks(universe)) == 1, within=60)
    if why == "abort":
        verb(universe, "abort")
    universe.settle(lambda: rolled_back(universe), within=300)
    universe.settle(lambda: not hook_tasks(universe), within=60)
    told = universe.status()["history"][0]["reason"]
    assert ("no answer in 120 s (task " in told and "RUNNING)" in told) is (why == "timeout")


def test_a_hook_that_the_spec_lost_meanwhile_is_the_rollouts_own() -> None:
    """Strategy is taken as it is when a rollout begins (rollout.md §3.1): its hooks, too."""
    universe = Universe(seed=3)
    apply(web(strategy=strategy("Step", steps=CANARY_OF_ONE)), route())(universe)
    universe.settle(lambda: ready(universe), within=300)
    apply(web("web:2", strategy=strategy("Step", steps=CANARY_OF_ONE)))(universe)
    universe.settle(lambda: at_step(1)(universe), within=300)
    without: Any = {"steps": [{"setWeight": 100}], "drain": QUICK}
    universe.cluster.edit(WEB, lambda obj: obj["spec"]["strategy"].update(progressive=without))
    universe.run(10)
    verb(universe, "promote")
    universe.settle(lambda: serves("web:2")(universe), within=600)
    assert universe.status()["history"][0]["outcome"] == "Succeeded"
    assert [operation for operation, _ in commands(universe)].count("RunTask") == 1
