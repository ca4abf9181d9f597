"""Native deployments over a port with boto3: what a client, an operator on call and a queue see of them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from integration.sandbox_ecs.ecs_port import code_of, definition, fresh, until

ROLE = "arn:aws:iam::111122223333:role/ecsInfrastructureRole"
BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}


class Native:
    """A service behind two groups, on a load balancer of its own."""

    def __init__(self, side: Any, ecs: Any, request: dict[str, Any]) -> None:
        """Make the load balancer; the service is the test's."""
        self.ecs, self.elb = ecs, side.client("elbv2")
        balancer = self.elb.create_load_balancer(Name=fresh("lb"), Subnets=side.subnets)["LoadBalancers"][0]
        self.own, self.other = side.target_group(), side.target_group()
        for group in (self.own, self.other):
            delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "0"}
            self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
        listener = self.elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )["Listeners"][0]["ListenerArn"]
        entries = [
            {"TargetGroupArn": self.own, "Weight": 1},
            {"TargetGroupArn": self.other, "Weight": 0},
        ]
        self.rule = self.elb.create_rule(
            ListenerArn=listener,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": entries}}],
        )["Rules"][0]["RuleArn"]
        advanced = {
            "alternateTargetGroupArn": self.other,
            "productionListenerRule": self.rule,
            "roleArn": ROLE,
        }
        self.request = request | {
            "loadBalancers": [
                {
                    "targetGroupArn": self.own,
                    "containerName": "app",
                    "containerPort": 80,
                    "advancedConfiguration": advanced,
                }
            ]
        }
        self.where = {"cluster": request["cluster"], "service": request["serviceName"]}

    def weights(self) -> list[int]:
        """Return the rule's weights of the own and the other group."""
        (action,) = self.elb.describe_rules(RuleArns=[self.rule])["Rules"][0]["Actions"]
        found = {item["TargetGroupArn"]: item["Weight"] for item in action["ForwardConfig"]["TargetGroups"]}
        return [found[self.own], found[self.other]]

    def newest(self) -> Any:
        """Describe the newest service deployment."""
        listed = self.ecs.list_service_deployments(**self.where)["serviceDeployments"]
        arns = [listed[0]["serviceDeploymentArn"]]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"][0]

    def create(self, **configuration: Any) -> None:
        """Create the service and wait until it is deployed."""
        self.ecs.create_service(**self.request, deploymentConfiguration=configuration)
        until(lambda: self.newest()["status"] == "SUCCESSFUL")

    def deploy(self, **configuration: Any) -> str:
        """Start the next deployment; return its ARN."""
        self.ecs.update_service(
            **self.where, forceNewDeployment=True, deploymentConfiguration=BLUE_GREEN | configuration
        )
        return str(self.newest()["serviceDeploymentArn"])


@pytest.fixture
def native(side: Any, ecs: Any, request_of: Callable[..., dict[str, Any]]) -> Native:
    """Give the load balancer and a service to create."""
    return Native(side, ecs, request_of())


def test_blue_green_swings_the_rule(native: Native) -> None:
    """Within seconds: stages in order, weights 100/0 to 0/100, then SUCCESSFUL."""
    native.create(**BLUE_GREEN)
    assert native.weights() == [100, 0]
    arn = native.deploy()
    seen: list[str] = []

    def ended() -> bool:
        shown = native.newest()
        stage = shown.get("lifecycleStage", "")
        if stage and stage not in seen:
            seen.append(stage)
        return bool(shown["status"] == "SUCCESSFUL")

    until(ended, within=60.0)
    assert native.newest()["serviceDeploymentArn"] == arn
    order = ["PRE_SCALE_UP", "SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"]
    assert [stage for stage in seen if stage in order] == order
    assert native.weights() == [0, 100]


def test_a_paused_deployment_is_continued(native: Native) -> None:
    """The hook is found in lifecycleHookDetails and continued; a second time it does not wait any more."""
    native.create(**BLUE_GREEN)
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
    arn = native.deploy(lifecycleHooks=[hook])
    (detail,) = until(lambda: native.newest().get("lifecycleHookDetails"))
    assert (detail["status"], detail["timeoutAction"]) == ("AWAITING_ACTION", "ROLLBACK")
    call = {"serviceDeploymentArn": arn, "hookId": detail["hookId"]}
    native.ecs.continue_service_deployment(**call, action="CONTINUE")
    assert code_of(native.ecs.continue_service_deployment, **call) == "ClientException"
    until(lambda: native.newest()["status"] == "SUCCESSFUL", within=60.0)


def test_stop_gives_the_traffic_back(native: Native) -> None:
    """StopServiceDeployment in the bake: the rule leads to the old group again, ROLLBACK_SUCCESSFUL."""
    native.create(**BLUE_GREEN)
    arn = native.deploy(bakeTimeInMinutes=1)
    until(lambda: native.newest().get("lifecycleStage") == "BAKE_TIME", within=60.0)
    native.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    until(lambda: native.newest()["status"] == "ROLLBACK_SUCCESSFUL", within=60.0)
    assert native.weights() == [100, 0]
    shown = native.newest()
    assert shown["rollback"]["startedAt"] >= shown["startedAt"]
    assert code_of(native.ecs.stop_service_deployment, serviceDeploymentArn=arn) == "ConflictException"


def test_a_real_alarm_rolls_back(side: Any, native: Native) -> None:
    """SetAlarmState on an alarm of the deployment, through CloudWatch's own API."""
    cloudwatch, name = side.client("cloudwatch"), fresh("alarm")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="x",
        MetricName="errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    native.create(**BLUE_GREEN)
    native.deploy(alarms={"alarmNames": [name], "enable": True, "rollback": True})
    until(lambda: native.newest().get("lifecycleStage") == "SCALE_UP")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    until(lambda: native.newest()["status"] == "ROLLBACK_SUCCESSFUL", within=60.0)
    assert native.newest()["alarms"]["triggeredAlarmNames"] == [name]


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": "BLUE_GREEN"},
        {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 1.0}},
        {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 200.0}},
        BLUE_GREEN | {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["TEST_TRAFFIC_SHIFT"]}]},
    ],
    ids=["no-bake-time", "linear-step", "canary-percent", "pause-in-shift"],
)
def test_refusals_reach_the_client(native: Native, change: Any) -> None:
    """As InvalidParameterException with a text."""
    code = code_of(native.ecs.create_service, **native.request, deploymentConfiguration=change)
    assert code == "InvalidParameterException"


def test_a_rule_with_a_queue_receives_deployment_events(side: Any, ecs: Any, native: Native) -> None:
    """EventBridge rule on aws.ecs, SQS target: deployment state changes, service actions, task changes."""
    sqs, events = side.client("sqs"), side.client("events")
    queue = sqs.create_queue(QueueName=fresh("events"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = fresh("ecs")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.ecs"]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    native.create(strategy="ROLLING")
    service = ecs.describe_services(cluster=native.where["cluster"], services=["web"])["services"][0]
    seen: list[Any] = []

    def complete() -> bool:
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(message["Body"])
            if service["serviceArn"] in event["resources"]:
                seen.append(event)
        names = {event["detail"]["eventName"] for event in seen}
        return {"SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE"} <= names

    until(complete)
    completed = next(
        event
        for event in seen
        if event["detail-type"] == "ECS Deployment State Change"
        and event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED"
    )
    assert completed["source"] == "aws.ecs"
    assert completed["detail"]["deploymentId"] == service["deployments"][0]["id"]
    steady = next(event for event in seen if event["detail"]["eventName"] == "SERVICE_STEADY_STATE")
    assert (steady["detail-type"], steady["detail"]["clusterArn"]) == (
        "ECS Service Action",
        service["clusterArn"],
    )


def test_revisions_name_digests_and_groups(ecs: Any, native: Native) -> None:
    """A deployment leads to its revision, which leads to images by digest and to the group in use."""
    native.create(**BLUE_GREEN)
    family = native.request["taskDefinition"]
    ecs.register_task_definition(**definition(family))
    target = native.newest()["targetServiceRevision"]["arn"]
    answer = ecs.describe_service_revisions(serviceRevisionArns=[target, target + "0"])
    (shown,) = answer["serviceRevisions"]
    assert shown["containerImages"][0]["imageDigest"].startswith("sha256:")
    assert shown["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"] == native.own
    assert answer["failures"] == [{"arn": target + "0", "reason": "MISSING"}]


def test_a_functions_answer_is_set_by_the_control_api(side: Any, native: Native) -> None:
    """POST /_sandbox/hooks: what the Lambda function would answer; FAILED rolls back."""
    function = f"arn:aws:lambda:eu-central-1:111122223333:function:{fresh('check')}"
    body = json.dumps({"function": function, "status": "FAILED"}).encode()
    with urllib.request.urlopen(f"{side.url}/_sandbox/hooks", data=body, timeout=10) as answer:
        assert json.load(answer)["answers"][function] == "FAILED"
    native.create(**BLUE_GREEN)
    hook = {"hookTargetArn": function, "roleArn": ROLE, "lifecycleStages": ["PRE_SCALE_UP"]}
    native.deploy(lifecycleHooks=[hook])
    until(lambda: native.newest()["status"] == "ROLLBACK_SUCCESSFUL", within=60.0)
    assert native.newest()["lifecycleHookDetails"][0]["status"] == "FAILED"
    assert native.weights() == [100, 0]
