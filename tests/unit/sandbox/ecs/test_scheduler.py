"""The scheduler in virtual time: what a service's tasks, deployments and events do."""

from __future__ import annotations

from typing import Any

import pytest

from sluice_sandbox.aws.estate import SUBNET_IDS

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
GROUP = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef"


def counts(ecs: Any) -> tuple[int, int]:
    """Return how many tasks are wanted and how many of them run."""
    shown = ecs.describe()
    return len(ecs.tasks()), shown["runningCount"]


def test_a_service_reaches_its_steady_state(ecs: Any) -> None:
    """Tasks run in about a second, are registered as targets, and the deployment completes."""
    ecs.create()
    assert ecs.until(ecs.completed) < 2.0
    tasks = ecs.tasks()
    assert {task["lastStatus"] for task in tasks} == {"RUNNING"}
    assert len(ecs.groups.registered) == 2
    assert ecs.messages()[0].startswith("(service web) has started 2 tasks: (task ")
    assert f"(service web) registered 1 targets in (target-group {GROUP})" in ecs.messages()
    assert ecs.messages()[-2].endswith("deployment completed.")
    assert ecs.messages()[-1] == "(service web) has reached a steady state."


def test_a_task_passes_through_every_state(ecs: Any) -> None:
    """The life of a task as the developer guide draws it, told by its state-change events."""
    ecs.groups.delay = 3.0
    ecs.create(desiredCount=1)
    ecs.until(ecs.completed)
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=0)
    ecs.until(lambda: not ecs.service.state.scope(ecs.caller).services[ecs.describe()["serviceArn"]].live)
    told = [d["lastStatus"] for kind, d in ecs.emitter.events if kind == "ECS Task State Change"]
    assert told == [
        "PROVISIONING",
        "PENDING",
        "ACTIVATING",
        "RUNNING",
        "DEACTIVATING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
    ]


def test_zones_are_balanced_and_addresses_come_from_the_subnets(ecs: Any) -> None:
    """Three tasks, three zones; the ENI's address is in its subnet and is nobody else's."""
    ecs.create(desiredCount=3)
    ecs.until(ecs.completed)
    tasks = ecs.tasks()
    assert {task["availabilityZone"] for task in tasks} == {"eu-west-1a", "eu-west-1b", "eu-west-1c"}
    details = [{d["name"]: d["value"] for d in task["attachments"][0]["details"]} for task in tasks]
    assert {item["subnetId"] for item in details} == set(SUBNET_IDS)
    assert sorted(item["privateIPv4Address"] for item in details) == ["10.42.0.4", "10.42.16.4", "10.42.32.4"]


@pytest.mark.parametrize(("low", "high"), [(100, 200), (50, 100), (0, 100), (100, 150)], ids=str)
def test_a_rolling_update_stays_within_its_percentages(ecs: Any, low: int, high: int) -> None:
    """At no moment are there fewer running tasks than min or more wanted ones than max."""
    ecs.create(desiredCount=4, deploymentConfiguration={"minimumHealthyPercent": low, "maximumPercent": high})
    ecs.until(ecs.completed)
    ecs.register(container={"image": "app:2"})
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    seen = []

    def done() -> bool:
        seen.append(counts(ecs))
        return bool(ecs.completed())

    ecs.until(done)
    assert max(wanted for wanted, _ in seen) <= 4 * high // 100
    assert min(running for _, running in seen) >= 4 * low // 100
    assert {task["taskDefinitionArn"].rsplit(":", 1)[1] for task in ecs.tasks()} == {"2"}


def test_deployments_are_primary_and_active_in_between(ecs: Any) -> None:
    """While both run: PRIMARY in progress first, then the ACTIVE completed one."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.register()
    before = ecs.describe()["deployments"][0]
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web")
    primary, active = ecs.describe()["deployments"]
    assert (primary["status"], primary["rolloutState"]) == ("PRIMARY", "IN_PROGRESS")
    assert primary["rolloutStateReason"] == f"ECS deployment {primary['id']} in progress."
    assert (active["id"], active["status"], active["rolloutState"]) == (before["id"], "ACTIVE", "COMPLETED")
    assert active["runningCount"] == 2


def test_desired_count_alone_opens_no_deployment(ecs: Any) -> None:
    """Scaling keeps the deployment and its COMPLETED state, and reaches a steady state again."""
    ecs.create()
    ecs.until(ecs.completed)
    before = ecs.describe()["deployments"][0]["id"]
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=5)
    ecs.until(lambda: ecs.describe()["runningCount"] == 5)
    ecs.run(2)
    (deployment,) = ecs.describe()["deployments"]
    assert (deployment["id"], deployment["desiredCount"]) == (before, 5)
    assert ecs.messages().count("(service web) has reached a steady state.") == 2


def test_breaker_rolls_back_to_the_completed_deployment(ecs: Any) -> None:
    """Tasks that exit at start fail the deployment after three; the old tasks are never touched."""
    ecs.create(deploymentConfiguration=BREAKER)
    ecs.until(ecs.completed)
    good = ecs.describe()["deployments"][0]
    survivors = {task["taskArn"] for task in ecs.tasks()}
    ecs.register(container={"image": "exit:1"})
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    bad = ecs.describe()["deployments"][0]
    ecs.until(lambda: ecs.describe()["deployments"][0]["id"] != bad["id"])
    shown = ecs.describe()
    primary = shown["deployments"][0]
    assert shown["taskDefinition"].endswith("web:1")
    assert primary["id"] != good["id"]
    assert primary["rolloutStateReason"] == (
        f"ECS deployment circuit breaker: rolling back to deploymentId {good['id']}."
    )
    failed = next(item for item in shown["deployments"] if item["id"] == bad["id"])
    assert (failed["status"], failed["rolloutState"]) == ("ACTIVE", "FAILED")
    assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert failed["failedTasks"] >= 3
    ecs.until(ecs.completed)
    assert {task["taskArn"] for task in ecs.tasks()} == survivors
    assert (
        f"(service web) (deployment {bad['id']}) deployment failed: tasks failed to start." in ecs.messages()
    )
    assert f"(service web) rolling back to deployment {good['id']}." in ecs.messages()
    names = [d["eventName"] for kind, d in ecs.emitter.events if kind == "ECS Deployment State Change"]
    assert names[-3:] == [
        "SERVICE_DEPLOYMENT_FAILED",
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED",
    ]


def test_breaker_without_rollback_leaves_a_failed_primary(ecs: Any) -> None:
    """The failed deployment stays PRIMARY, launches nothing more, and the old tasks serve on."""
    ecs.create(deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    ecs.until(ecs.completed)
    ecs.register(container={"image": "exit:1"})
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    ecs.until(lambda: ecs.describe()["deployments"][0]["rolloutState"] == "FAILED")
    ecs.run(30)
    primary, active = ecs.describe()["deployments"]
    assert (primary["status"], primary["runningCount"], primary["pendingCount"]) == ("PRIMARY", 0, 0)
    assert active["runningCount"] == 2
    assert (
        ecs.call("ListServiceDeployments", cluster="main", service="web")["serviceDeployments"][0]["status"]
        == "STOPPED"
    )


def test_first_deployment_has_nothing_to_roll_back_to(ecs: Any) -> None:
    """With no COMPLETED deployment the breaker only fails it."""
    ecs.register(container={"image": "exit:1"})
    ecs.create(deploymentConfiguration=BREAKER, taskDefinition="web:2")
    ecs.until(lambda: ecs.describe()["deployments"][0]["rolloutState"] == "FAILED")
    ecs.run(10)
    assert len(ecs.describe()["deployments"]) == 1
    assert ecs.tasks() == []


def test_new_tasks_that_fail_their_target_health_checks_trip_the_breaker(ecs: Any) -> None:
    """They are stopped with ECS's reason, told in an event, and counted."""
    ecs.create(deploymentConfiguration=BREAKER)
    ecs.until(ecs.completed)
    good = {task["attachments"][0]["details"][-1]["value"] for task in ecs.tasks()}
    ecs.groups.sick = lambda ip: "healthy" if ip in good else "unhealthy"
    ecs.register()
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    ecs.until(lambda: ecs.describe()["taskDefinition"].endswith(":1"))
    ecs.until(ecs.completed)
    stopped = ecs.tasks(desired="STOPPED")
    assert {task["stoppedReason"] for task in stopped} == {
        f"Task failed ELB health checks in (target-group {GROUP})"
    }
    assert {task["stopCode"] for task in stopped} == {"ServiceSchedulerInitiated"}
    assert any(") (port 8080) is unhealthy in (target-group " in text for text in ecs.messages())
    assert len(ecs.tasks()) == 2


def test_grace_period_holds_judgement_back(ecs: Any) -> None:
    """Failures within healthCheckGracePeriodSeconds stop no task."""
    ecs.groups.sick = lambda ip: "unhealthy"
    ecs.create(healthCheckGracePeriodSeconds=20)
    ecs.until(lambda: ecs.describe()["runningCount"] == 2)
    first = {task["taskArn"] for task in ecs.tasks()}
    ecs.run(18)
    assert {task["taskArn"] for task in ecs.tasks()} == first
    ecs.run(10)
    assert not first & {task["taskArn"] for task in ecs.tasks()}


def test_a_healthy_task_resets_the_failure_count(ecs: Any) -> None:
    """botocore: resetOnHealthyTask is true by default."""
    ecs.register(container={"image": "exit:1"})
    ecs.create(desiredCount=1, taskDefinition="web:2")
    ecs.until(lambda: ecs.describe()["deployments"][0]["failedTasks"] == 2)
    ecs.service.state.scope(ecs.caller).families["web"].revisions[2].spec["containerDefinitions"][0][
        "image"
    ] = "app"
    ecs.until(ecs.completed)
    assert ecs.describe()["deployments"][0]["failedTasks"] == 0


def test_without_breaker_restarts_are_spaced_out_and_said_once(ecs: Any) -> None:
    """ECS throttles a service whose tasks cannot start, and says so."""
    ecs.register(container={"image": "exit:1"})
    ecs.create(desiredCount=1, taskDefinition="web:2")
    ecs.run(300)
    started = [text for text in ecs.messages() if "has started" in text]
    assert 3 < len(started) < 15
    assert ecs.messages().count("(service web) is unable to consistently start tasks successfully.") == 1
    stopped = ecs.tasks(desired="STOPPED")[0]
    assert (stopped["stopCode"], stopped["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert stopped["containers"][0]["exitCode"] == 3


def test_an_image_that_cannot_be_pulled_is_told(ecs: Any) -> None:
    """CannotPullContainerError is the task's reason and the container's."""
    ecs.register(container={"image": "registry.invalid/app:1"})
    ecs.create(desiredCount=1, taskDefinition="web:2", deploymentConfiguration=BREAKER)
    ecs.until(lambda: ecs.describe()["deployments"][0]["rolloutState"] == "FAILED")
    task = ecs.tasks(desired="STOPPED")[0]
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert task["containers"][0]["reason"] == task["stoppedReason"]


def test_a_crashed_task_is_replaced(ecs: Any) -> None:
    """One essential container exits: the task stops and another runs."""
    ecs.create()
    ecs.until(ecs.completed)
    victim = ecs.tasks()[0]["taskArn"]
    ecs.runtime.crash(victim)
    ecs.until(lambda: len(ecs.groups.registered) == 2 and ecs.stable())
    assert victim not in {task["taskArn"] for task in ecs.tasks()}
    assert ecs.describe()["deployments"][0]["rolloutState"] == "COMPLETED"


def test_an_unhealthy_task_at_rest_is_replaced_first(ecs: Any) -> None:
    """At rest the replacement runs before the unhealthy task goes (botocore, maximumPercent)."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.run(10)
    victim = ecs.tasks()[0]
    address = victim["attachments"][0]["details"][-1]["value"]
    ecs.groups.sick = lambda ip: "unhealthy" if ip == address else "healthy"
    seen = []

    def replaced() -> bool:
        seen.append(counts(ecs))
        return victim["taskArn"] not in {task["taskArn"] for task in ecs.tasks()}

    ecs.until(replaced)
    assert max(wanted for wanted, _ in seen) == 3
    assert min(running for _, running in seen) == 2
    assert ecs.until(ecs.stable) < 1


def test_container_health_checks_decide_too(ecs: Any) -> None:
    """A failing health command stops the task with its own reason; a passing one shows HEALTHY."""
    check = {"command": ["CMD-SHELL", "true"], "interval": 5, "retries": 1}
    ecs.register(container={"healthCheck": check})
    ecs.runtime.health = "HEALTHY"
    ecs.create(taskDefinition="web:2", desiredCount=1, loadBalancers=None)
    ecs.until(ecs.completed)
    assert ecs.tasks()[0]["healthStatus"] == "HEALTHY"
    ecs.runtime.health = "UNHEALTHY"
    ecs.until(lambda: bool(ecs.tasks(desired="STOPPED")))
    assert ecs.tasks(desired="STOPPED")[0]["stoppedReason"] == "Task failed container health checks"
    assert any("failed container health checks." in text for text in ecs.messages())


def test_stopping_waits_for_the_drain(ecs: Any) -> None:
    """Targets are deregistered at once; the containers run until the deregistration delay is over."""
    ecs.groups.delay = 4.0
    ecs.create(desiredCount=1)
    ecs.until(ecs.completed)
    (task,) = ecs.tasks()
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=0)
    ecs.run(0.1)
    assert not ecs.groups.registered
    ecs.run(3.5)
    assert task["taskArn"] in ecs.runtime.running
    ecs.run(2)
    assert task["taskArn"] not in ecs.runtime.running
    assert any("has begun draining connections on 1 tasks." in text for text in ecs.messages())


def test_blocked_percentages_are_told_once(ecs: Any) -> None:
    """One task with 50/100 can neither be stopped nor joined; ECS says what to change."""
    ecs.create(desiredCount=1, deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100})
    ecs.until(ecs.completed)
    ecs.register()
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    ecs.run(20)
    assert sum("was unable to stop or start tasks during a deployment" in t for t in ecs.messages()) == 1
    ecs.call(
        "UpdateService",
        cluster="main",
        service="web",
        deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100},
    )
    ecs.until(ecs.completed)


def test_protected_tasks_outlive_scale_in(ecs: Any) -> None:
    """Task protection holds until it expires."""
    ecs.create()
    ecs.until(ecs.completed)
    arns = [task["taskArn"] for task in ecs.tasks()]
    ecs.call("UpdateTaskProtection", cluster="main", tasks=arns, protectionEnabled=True, expiresInMinutes=1)
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=0)
    ecs.run(50)
    assert len(ecs.tasks()) == 2
    ecs.until(lambda: not ecs.tasks(), within=30)


def test_protected_tasks_hold_a_rolling_deployment(ecs: Any) -> None:
    """New tasks run beside the protected old ones, IN_PROGRESS and unfailed, until those are released.

    No more than the desired count may be protected: the new ones only once old ones are free (ECS guide,
    "Task scale-in protection").
    """
    ecs.create()
    ecs.until(ecs.completed)
    old = [task["taskArn"] for task in ecs.tasks()]

    def protect(arns: list[str], *, on: bool) -> list[str]:
        answer = ecs.call("UpdateTaskProtection", cluster="main", tasks=arns, protectionEnabled=on)
        return [item["reason"] for item in answer["failures"]]

    assert protect(old, on=True) == []
    ecs.call("UpdateService", cluster="main", service="web", forceNewDeployment=True)
    ecs.until(lambda: ecs.describe()["runningCount"] == 4)
    ecs.run(60)
    new = [task["taskArn"] for task in ecs.tasks() if task["taskArn"] not in old]
    assert sorted(task["taskArn"] for task in ecs.tasks()) == sorted(old + new)
    primary = ecs.describe()["deployments"][0]
    assert (primary["rolloutState"], primary["runningCount"], primary["failedTasks"]) == ("IN_PROGRESS", 2, 0)
    assert protect(new[:1], on=True) == ["DEPLOYMENT_BLOCKED"]
    assert protect(old[:1], on=True) == []
    assert protect(old[:1], on=False) == []
    assert protect(new[:1], on=True) == []
    assert protect(old[1:], on=False) == []
    ecs.until(ecs.completed)
    assert sorted(task["taskArn"] for task in ecs.tasks()) == sorted(new)


def test_capacity_shortage_is_told_and_heals(ecs: Any) -> None:
    """Without capacity no task is placed; an event says so once; with capacity the service goes on."""
    ecs.service.limit_capacity("FARGATE", reason="Capacity is unavailable at this time")
    ecs.create()
    ecs.run(5)
    told = [text for text in ecs.messages() if "was unable to place a task" in text]
    assert told == ["(service web) was unable to place a task. Reason: Capacity is unavailable at this time."]
    ecs.service.limit_capacity("FARGATE", reason=None)
    ecs.until(ecs.completed)


def test_a_lost_zone_is_left_and_comes_back(ecs: Any) -> None:
    """Its tasks end and are replaced elsewhere; once it is back, it is used again."""
    ecs.create(desiredCount=3)
    ecs.until(ecs.completed)
    assert ecs.service.lose_zone("eu-west-1a") == 1
    ecs.until(ecs.stable)
    assert {task["availabilityZone"] for task in ecs.tasks()} == {"eu-west-1b", "eu-west-1c"}
    ecs.service.limit_capacity("eu-west-1a", reason=None)
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=4)
    ecs.until(ecs.stable)
    assert "eu-west-1a" in {task["availabilityZone"] for task in ecs.tasks()}


def test_a_role_that_does_not_exist_starts_no_task(ecs: Any) -> None:
    """The service says which role it could not assume, once, and starts nothing."""
    ecs.register(taskRoleArn="arn:aws:iam::111122223333:role/known")
    ecs.register(taskRoleArn="arn:aws:iam::111122223333:role/gone")
    ecs.create("good", taskDefinition="web:2")
    ecs.create("bad", taskDefinition="web:3")
    ecs.run(5)
    assert ecs.completed("good")
    (told,) = ecs.messages("bad")
    assert told.startswith(
        "(service bad) failed to launch a task with (error ECS was unable to assume the role "
        "'arn:aws:iam::111122223333:role/gone' that was provided for this task."
    )
    assert ecs.tasks("bad") == []


def test_a_target_group_that_is_gone_is_told(ecs: Any) -> None:
    """New tasks cannot register, the deployment does not complete, the old tasks stay."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.groups.gone.add(GROUP)
    ecs.runtime.crash(ecs.tasks()[0]["taskArn"])
    ecs.run(10)
    assert sum("failed to register targets in (target-group" in text for text in ecs.messages()) == 1
    assert ecs.describe()["runningCount"] == 2


def test_active_deployments_want_what_is_left_of_them(ecs: Any) -> None:
    """The desiredCount of an ACTIVE deployment falls with its tasks."""
    ecs.create(desiredCount=4, deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100})
    ecs.until(ecs.completed)
    ecs.call("UpdateService", cluster="main", service="web", forceNewDeployment=True)
    ecs.run(0.1)
    assert [item["desiredCount"] for item in ecs.describe()["deployments"]] == [4, 2]


def test_strategy_base_and_weights_choose_the_provider(ecs: Any) -> None:
    """Base tasks first, the others by weight (botocore, CapacityProviderStrategyItem)."""
    ecs.create(
        desiredCount=6,
        launchType=None,
        capacityProviderStrategy=[
            {"capacityProvider": "FARGATE", "base": 2, "weight": 1},
            {"capacityProvider": "FARGATE_SPOT", "weight": 3},
        ],
    )
    ecs.until(ecs.completed)
    names = sorted(task["capacityProviderName"] for task in ecs.tasks())
    assert names == ["FARGATE"] * 3 + ["FARGATE_SPOT"] * 3
    assert "launchType" not in ecs.describe()


def test_a_service_on_ec2_finds_no_instances(ecs: Any) -> None:
    """The estate has no container instances, and the service says so in ECS's words."""
    ecs.create(launchType="EC2")
    ecs.run(5)
    (told,) = ecs.messages()
    assert told == (
        "(service web) was unable to place a task because no container instance met all of its requirements. "
        "Reason: No Container Instances were found in your cluster."
    )


def test_deletion_drains_and_frees_the_name(ecs: Any) -> None:
    """DRAINING keeps the name and leaves ListServices; INACTIVE frees it."""
    ecs.groups.delay = 5.0
    ecs.create()
    ecs.until(ecs.completed)
    shown = ecs.call("DeleteService", cluster="main", service="web", force=True)["service"]
    assert (shown["status"], shown["desiredCount"]) == ("DRAINING", 0)
    assert ecs.call("ListServices", cluster="main")["serviceArns"] == []
    code, text = ecs.refusal(
        "CreateService", cluster="main", serviceName="web", taskDefinition="web", desiredCount=1
    )
    assert (code, text) == ("InvalidParameterException", "Unable to Start a service that is still Draining.")
    assert (
        ecs.refusal("UpdateService", cluster="main", service="web", desiredCount=1)[0]
        == "ServiceNotActiveException"
    )
    ecs.until(lambda: ecs.describe()["status"] == "INACTIVE")
    ecs.create()
    ecs.until(ecs.completed)
    assert ecs.describe()["status"] == "ACTIVE"


def test_a_newer_update_supersedes_one_in_progress(ecs: Any) -> None:
    """The middle deployment's tasks go, its service deployment is STOPPED, the last one completes."""
    ecs.create()
    ecs.until(ecs.completed)
    for tag in ("2", "3"):
        ecs.register(container={"image": f"app:{tag}"})
        ecs.call("UpdateService", cluster="main", service="web", taskDefinition=f"web:{tag}")
        ecs.run(0.2)
    ecs.until(ecs.completed)
    listed = ecs.call("ListServiceDeployments", cluster="main", service="web")["serviceDeployments"]
    assert [item["status"] for item in listed] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]
    assert {task["taskDefinitionArn"].rsplit(":", 1)[1] for task in ecs.tasks()} == {"3"}


def test_the_same_seed_gives_the_same_story(ecs: Any) -> None:
    """Ids, addresses and events repeat exactly."""

    def story() -> list[str]:
        world = type(ecs)(seed=3)
        world.call("CreateCluster", clusterName="main")
        world.register()
        world.create()
        world.run(5)
        return world.messages() + [task["taskArn"] for task in world.tasks()]

    assert story() == story()


def test_services_at_rest_cost_a_sweep_and_no_more(ecs: Any) -> None:
    """A hundred services at rest: one timer, one reading per target per sweep, no pass."""
    for number in range(100):
        ecs.create(name=f"s{number}", desiredCount=1)
    ecs.run(30)
    readings = 0
    health = ecs.groups.health

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal readings
        readings += 1
        return health(*args, **kwargs)

    ecs.groups.health = counted
    ecs.run(20)
    assert readings == 100 * 10
    assert not ecs.service.scheduler.busy()
