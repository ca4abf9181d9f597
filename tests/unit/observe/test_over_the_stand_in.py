"""Gateway, executor and facts together over the AWS stand-in: in process, and through boto3 on the wire."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from prometheus_client import CollectorRegistry

from sluice.apply.errors import ApplyFailed
from sluice.apply.executor import PlanExecutor
from sluice.aws.boto_transport import Boto3Transport
from sluice.aws.budget import Budgets
from sluice.aws.clients import Clients, ClientSettings
from sluice.aws.gateway import AlwaysLeader, AwsGateway
from sluice.aws.metrics import AwsMetrics
from sluice.aws.transport import Answered, NoAnswer, Transport
from sluice.model.actions import Action, Applied, Ref
from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.errors import AwsFailure
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.ownership import to_ecs, to_elb
from sluice.model.tenancy import Tenancy
from sluice.observe.facts import AwsFacts
from sluice.observe.image_times import ImageTimes
from sluice_sandbox.aws import estate
from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError, ConnectionLost
from sluice_sandbox.aws.faults import Fault
from sluice_sandbox.aws.wire.server import WireServer
from sluice_sandbox.aws.world import World

KEY = Key(DEPLOYMENT, "shop", "checkout")
BINDING = Binding(account=estate.ACCOUNT, region=estate.REGION)
CONTEXT = CallContext(binding=BINDING, priority=Priority.ROLLOUT, key=KEY)
OURS = {"sluice.dev/name": "checkout"}


class InProcess:
    """The transport of simulation: the stand-in's handlers without a socket."""

    def __init__(self, world: World) -> None:
        """Call `world`."""
        self._world = world

    def send(
        self, service: str, operation: str, params: Mapping[str, Any], binding: Binding, *, write: bool
    ) -> Mapping[str, Any]:
        """Call, and turn the stand-in's refusals into a transport's."""
        try:
            return self._world.call(service, operation, dict(params))
        except AwsError as error:
            raise Answered(error.code, error.message, status=error.status) from error
        except ConnectionLost as error:
            raise NoAnswer(str(error)) from error
        except ParamValidationError as error:
            raise Answered("ParamValidation", str(error)) from error


class Clock:
    """The world's virtual time as the product's clock."""

    def __init__(self, clock: VirtualClock) -> None:
        """Follow `clock`."""
        self._clock = clock

    def now(self) -> float:
        """Return the virtual time."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Return the virtual time."""
        return self._clock.now()


class Rig:
    """A world with a cluster, a load balancer and a listener, and the product's AWS side over it."""

    def __init__(self, world: World, clock: VirtualClock, transport: Transport) -> None:
        """Make the estate and compose."""
        self.world = world
        self.clock = clock
        gateway = AwsGateway(
            transport,
            budgets=Budgets(share=1.0),
            clock=Clock(clock),
            lease=AlwaysLeader(),
            metrics=AwsMetrics(CollectorRegistry()),
        )
        self.gateway = gateway
        self.facts = AwsFacts(gateway, clock=Clock(clock))
        self.executor = PlanExecutor(gateway, observer=self.facts)
        world.call("ecs", "CreateCluster", {"clusterName": "prod"})
        balancer = {
            "Name": "web",
            "Subnets": list(estate.SUBNET_IDS),
            "SecurityGroups": [estate.SECURITY_GROUP_ID],
        }
        made = world.call("elbv2", "CreateLoadBalancer", balancer)
        self.balancer: str = made["LoadBalancers"][0]["LoadBalancerArn"]
        not_found = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        made = world.call(
            "elbv2",
            "CreateListener",
            {
                "LoadBalancerArn": self.balancer,
                "Protocol": "HTTP",
                "Port": 80,
                "DefaultActions": [not_found],
            },
        )
        self.listener: str = made["Listeners"][0]["ListenerArn"]
        self.world.calls.clear()

    def run(self, *actions: Action) -> Applied:
        """Apply actions."""
        return self.executor.run(actions, key=KEY, binding=BINDING, still_current=lambda: True)

    def calls(self) -> list[str]:
        """Return the operations since the last question."""
        found = [call.operation for call in self.world.calls.find()]
        self.world.calls.clear()
        return found

    def service(self, max_age: float = 0.0) -> Any:
        """Look at the service."""
        return self.facts.service(CONTEXT, cluster="prod", name="checkout-a0", max_age=max_age)


class ServedWorld:
    """A world behind HTTP, its loop in a thread of its own; the test's own calls go there, too."""

    def __init__(self, world: World) -> None:
        """Start listening."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._server = WireServer(world)
        self.url = asyncio.run_coroutine_threadsafe(self._server.start(), self.loop).result(10)

    def call(self, run: Callable[[], Any]) -> Any:
        """Run a function in the world's thread."""
        done: Future[Any] = Future()

        def inside() -> None:
            try:
                done.set_result(run())
            except BaseException as error:  # noqa: BLE001 - it is raised again by result()
                done.set_exception(error)

        self.loop.call_soon_threadsafe(inside)
        return done.result(10)

    def stop(self) -> None:
        """Stop listening and end the thread."""
        asyncio.run_coroutine_threadsafe(self._server.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@pytest.fixture(params=["in-process", "boto3"])
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Give the same world by both ways."""
    clock = VirtualClock()
    world = World.build(clock=clock)
    if request.param == "in-process":
        yield Rig(world, clock, InProcess(world))
        return
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASANDBOX")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    served = ServedWorld(world)
    clients = Clients(ClientSettings(endpoint_url=served.url))
    try:
        yield served.call(lambda: Rig(world, clock, Boto3Transport(clients)))
    finally:
        clients.close()
        served.stop()


def act(service: str, operation: str, params: dict[str, Any], **more: Any) -> Action:
    """Return an action with texts nobody reads here."""
    return Action(service=service, operation=operation, params=params, subject="it", reason="so", **more)


def creation(rig: Rig) -> tuple[Action, ...]:
    """Return the plan from an empty account to a routed service."""
    container = {"name": "app", "image": "nginx:1", "portMappings": [{"containerPort": 80}]}
    definition = {
        "family": "checkout",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
        "tags": to_ecs(OURS),
    }
    group = {
        "Name": "checkout-a",
        "Protocol": "HTTP",
        "Port": 80,
        "VpcId": estate.VPC_ID,
        "TargetType": "ip",
        "Tags": to_elb(OURS),
    }
    rule = {
        "ListenerArn": rig.listener,
        "Priority": 7,
        "Conditions": [{"Field": "host-header", "HostHeaderConfig": {"Values": ["shop.example.com"]}}],
        "Actions": [
            {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": Ref("group")}]}}
        ],
        "Tags": to_elb(OURS),
    }
    network = {"subnets": list(estate.SUBNET_IDS), "securityGroups": [estate.SECURITY_GROUP_ID]}
    service = {
        "cluster": "prod",
        "serviceName": "checkout-a0",
        "taskDefinition": Ref("definition"),
        "desiredCount": 1,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": network},
        "loadBalancers": [{"targetGroupArn": Ref("group"), "containerName": "app", "containerPort": 80}],
        "tags": to_ecs(OURS),
    }
    arn = "taskDefinition.taskDefinitionArn"
    return (
        act("ecs", "RegisterTaskDefinition", definition, outputs={"definition": arn}),
        act("elbv2", "CreateTargetGroup", group, outputs={"group": "TargetGroups[0].TargetGroupArn"}),
        act("elbv2", "CreateRule", rule, outputs={"rule": "Rules[0].RuleArn"}),
        act("ecs", "CreateService", service, outputs={"service": "service.serviceArn"}),
    )


def test_one_plan_goes_from_an_empty_account_to_a_routed_service(rig: Rig) -> None:
    """Four writes in order, and what they answered is known without a read of service or group."""
    applied = rig.run(*creation(rig))
    assert set(applied.outputs) == {"definition", "group", "rule", "service"}
    assert rig.calls() == ["RegisterTaskDefinition", "CreateTargetGroup", "CreateRule", "CreateService"]
    service = rig.service(max_age=60)
    assert (service["serviceArn"], service["tags"]) == (applied.outputs["service"], to_ecs(OURS))
    assert rig.facts.task_definition(CONTEXT, applied.outputs["definition"])["tags"] == to_ecs(OURS)  # type: ignore[index]
    assert rig.calls() == []
    groups = rig.facts.target_groups(CONTEXT, ["checkout-a"], max_age=60)
    assert groups["checkout-a"]["Tags"] == OURS
    assert groups["checkout-a"]["Attributes"]["deregistration_delay.timeout_seconds"] == "300"
    assert rig.calls() == ["DescribeTargetGroupAttributes"]


def test_a_fresh_look_agrees_with_what_the_writes_answered(rig: Rig) -> None:
    """Caches are fed with what AWS would say, so planning from them and from a read is the same."""
    applied = rig.run(*creation(rig))
    fed = rig.service(max_age=60)
    rig.facts.forget(BINDING, "checkout-a0")
    read = rig.service()
    differing = {name for name in fed if fed[name] != read.get(name)}
    assert differing <= {"deployments", "events", "currentServiceDeployment", "currentServiceRevisions"}
    (rule, default) = rig.facts.rules(CONTEXT, rig.listener, max_age=0)
    assert (rule["RuleArn"], rule["Priority"], rule["Tags"]) == (applied.outputs["rule"], "7", OURS)
    assert default["IsDefault"]
    by_arn = rig.facts.rules_by_arn(CONTEXT, [applied.outputs["rule"]])
    assert by_arn[applied.outputs["rule"]]["Actions"] == rule["Actions"]
    (found,) = rig.facts.find_task_definitions(CONTEXT, "checkout", limit=10)
    assert found["taskDefinitionArn"] == applied.outputs["definition"]


def test_a_running_service_shows_its_deployment_tasks_and_health(rig: Rig) -> None:
    """After a while the deployment is done, the task runs and its target is healthy."""
    applied = rig.run(*creation(rig))
    rig.clock.advance(300)
    deployment = rig.facts.service_deployments(CONTEXT, cluster="prod", service="checkout-a0")[0]
    assert deployment["status"] == "SUCCESSFUL"
    assert deployment["targetServiceRevision"]["taskDefinition"] == applied.outputs["definition"]
    (task,) = rig.facts.tasks(CONTEXT, cluster="prod", service="checkout-a0", status="RUNNING", max_age=0)
    assert task["lastStatus"] == "RUNNING"
    (target,) = rig.facts.target_health(CONTEXT, applied.outputs["group"], max_age=0)
    assert target["TargetHealth"]["State"] == "healthy"


def test_absence_is_told_by_every_collector(rig: Rig) -> None:
    """An empty account answers None or nothing, and asks once for each."""
    missing = f"{rig.listener.replace(':listener/', ':listener-rule/')}/0123456789abcdef"
    assert rig.service() is None
    assert rig.facts.service(CONTEXT, cluster="nowhere", name="a", max_age=0) is None
    assert rig.facts.task_definition(CONTEXT, "checkout:1") is None
    assert rig.facts.find_task_definitions(CONTEXT, "checkout", limit=5) == ()
    assert rig.facts.service_deployments(CONTEXT, cluster="prod", service="a") == ()
    assert rig.facts.tasks(CONTEXT, cluster="prod", service="a", status="RUNNING", max_age=0) == ()
    assert rig.facts.load_balancer(CONTEXT, "nobody") is None
    assert rig.facts.target_groups(CONTEXT, ["a", "b"], max_age=0) == {}
    assert rig.facts.rules_by_arn(CONTEXT, [missing]) == {}
    assert rig.facts.load_balancer(CONTEXT, "web")["LoadBalancerArn"] == rig.balancer  # type: ignore[index]
    assert rig.facts.listener(CONTEXT, rig.listener)["Port"] == 80  # type: ignore[index]


def fault(rig: Rig, kind: str, operation: str, **more: Any) -> None:
    """Make the next call of an operation fail."""
    rig.world.faults.add(Fault(kind=kind, operation=operation, remaining=1, **more))


@pytest.mark.parametrize(
    ("kind", "operation", "index", "expected"),
    [
        ("throttle", "CreateTargetGroup", 1, "throttled"),
        ("throttle", "CreateService", 3, "throttled"),
        ("deny", "CreateRule", 2, "denied"),
        ("deny", "RegisterTaskDefinition", 0, "denied"),
        ("error", "CreateService", 3, "unknown-outcome"),
        ("lost-response", "CreateService", 3, "unknown-outcome"),
        ("reset", "CreateRule", 2, "unknown-outcome"),
    ],
)
def test_a_bad_day_has_a_name(rig: Rig, kind: str, operation: str, index: int, expected: str) -> None:
    """What the stand-in does to a call arrives as its kind, and the plan stops there."""
    fault(rig, kind, operation)
    with pytest.raises(ApplyFailed) as failed:
        rig.run(*creation(rig))
    assert failed.value.applied.done == index
    assert isinstance(failed.value.cause, AwsFailure)
    assert failed.value.cause.kind == expected


def test_a_lost_answer_is_found_by_looking(rig: Rig) -> None:
    """The service was created although nobody heard: the next look, whatever age it accepts, sees it."""
    assert rig.service(max_age=60) is None
    fault(rig, "lost-response", "CreateService")
    with pytest.raises(ApplyFailed):
        rig.run(*creation(rig))
    assert rig.service(max_age=60)["status"] == "ACTIVE"


def test_a_stale_read_neither_hides_a_new_service_nor_proves_a_rule(rig: Rig) -> None:
    """Reads that lag behind are recognised as older than our own writes."""
    rig.world.faults.add(Fault(kind="stale-read", seconds=30))
    rig.run(*creation(rig))
    rig.clock.advance(1)
    assert rig.service() is not None
    with pytest.raises(AwsFailure, match="StaleRead"):
        rig.facts.rules(CONTEXT, rig.listener, max_age=0)
    assert set(rig.facts.target_groups(CONTEXT, ["checkout-a"], max_age=0)) <= {"checkout-a"}


@pytest.mark.parametrize(
    ("again", "code", "kind"),
    [
        (2, "PriorityInUse", "conflict"),
        (3, "InvalidParameterException", "conflict"),
    ],
    ids=["CreateRule", "CreateService"],
)
def test_a_second_creation_is_a_conflict(rig: Rig, again: int, code: str, kind: str) -> None:
    """Names and priorities are taken: look again."""
    plan = creation(rig)
    applied = rig.run(*plan)
    taken = plan[again]
    params = dict(taken.params)
    if again == 2:
        params["Actions"] = [{"Type": "forward", "TargetGroupArn": applied.outputs["group"]}]
    else:
        params |= {"taskDefinition": applied.outputs["definition"], "loadBalancers": [], "desiredCount": 5}
    with pytest.raises(ApplyFailed) as failed:
        rig.run(act(taken.service, taken.operation, params))
    cause = failed.value.cause
    assert isinstance(cause, AwsFailure)
    assert (cause.code, cause.kind) == (code, kind)


def test_everything_can_be_deleted_twice(rig: Rig) -> None:
    """A delete of what is gone counts as done, and the next look sees nothing."""
    outputs = rig.run(*creation(rig)).outputs
    rule = act("elbv2", "DeleteRule", {"RuleArn": outputs["rule"]}, already=frozenset({"RuleNotFound"}))
    service = act(
        "ecs",
        "DeleteService",
        {"cluster": "prod", "service": "checkout-a0", "force": True},
        already=frozenset({"ServiceNotFoundException", "ServiceNotActiveException"}),
    )
    assert rig.run(service, rule, rule).done == 3
    assert rig.service(max_age=60)["status"] == "DRAINING"
    rig.clock.advance(600)
    assert rig.run(service).done == 1
    assert rig.service() is None
    group = act("elbv2", "DeleteTargetGroup", {"TargetGroupArn": outputs["group"]})
    definition = act("ecs", "DeregisterTaskDefinition", {"taskDefinition": outputs["definition"]})
    assert rig.run(group, definition).done == 2
    assert rig.facts.target_groups(CONTEXT, ["checkout-a"], max_age=60) == {}
    assert rig.facts.task_definition(CONTEXT, outputs["definition"])["status"] == "INACTIVE"  # type: ignore[index]
    assert rig.facts.find_task_definitions(CONTEXT, "checkout", limit=5) == ()
    assert len(rig.facts.rules(CONTEXT, rig.listener, max_age=0)) == 1


def test_a_name_in_cloud_map_is_seen_as_clients_see_it(rig: Rig) -> None:
    """Namespace, service, tags, both views of an instance and its operation, over boto3's own host names."""
    call, cloud_map = rig.world.call, rig.facts.cloud_map
    call("servicediscovery", "CreateHttpNamespace", {"Name": "corp", "Tags": to_elb(OURS)})
    rig.clock.advance(60)
    (namespace,) = cloud_map.namespaces(CONTEXT, "corp", max_age=0)
    assert namespace["Tags"] == OURS
    applied = rig.run(
        act(
            "servicediscovery",
            "CreateService",
            {
                "Name": "web",
                "NamespaceId": namespace["Id"],
                "HealthCheckCustomConfig": {"FailureThreshold": 1},
                "Tags": to_elb(OURS),
            },
            outputs={"id": "Service.Id"},
        )
    )
    service = cloud_map.service(
        CONTEXT, namespace_id=namespace["Id"], name="web", service_id=applied.outputs["id"], max_age=0
    )
    assert service is not None
    assert (service["Tags"], "HealthCheckCustomConfig" in service) == (OURS, True)
    entry = {"AWS_INSTANCE_IPV4": "10.0.0.7"}
    registered = rig.run(
        act(
            "servicediscovery",
            "RegisterInstance",
            {"ServiceId": service["Id"], "InstanceId": "i", "Attributes": entry},
            outputs={"operation": "OperationId"},
        )
    )
    operation = registered.outputs["operation"]
    assert cloud_map.operations(CONTEXT, [operation], service_id=service["Id"])[operation]["Status"] == (
        "SUBMITTED"
    )
    rig.clock.advance(120)
    assert cloud_map.operations(CONTEXT, [operation], service_id=service["Id"])[operation]["Status"] == (
        "SUCCESS"
    )
    seen = cloud_map.discovered(CONTEXT, namespace="corp", service="web", max_age=0)
    assert seen.instances["i"]["HealthStatus"] == "HEALTHY"
    listed = cloud_map.instances(CONTEXT, service["Id"], revision=seen.revision, max_age=0)
    assert listed["i"]["Attributes"] == entry


def test_when_an_image_was_pushed(rig: Rig) -> None:
    """ECR's own time; an image that is not there is AWS's not-found."""
    repository = f"{estate.ACCOUNT}.dkr.ecr.{estate.REGION}.amazonaws.com/shop/web"
    times = ImageTimes(rig.gateway, Tenancy(rules=(), default_binding=BINDING))
    rig.world.call("ecr", "CreateRepository", {"repositoryName": "shop/web"})
    manifest = json.dumps({"schemaVersion": 2, "layers": [], "config": {"size": 1, "digest": "sha256:0"}})
    pushed = rig.clock.now()
    rig.world.call(
        "ecr", "PutImage", {"repositoryName": "shop/web", "imageManifest": manifest, "imageTag": "2.0"}
    )
    assert times.pushed_at(KEY, f"{repository}:2.0") == pytest.approx(pushed, abs=1)
    with pytest.raises(AwsFailure) as failed:
        times.pushed_at(KEY, f"{repository}:9")
    assert failed.value.kind == "not-found"
