"""What a leader does beside its passes, as the settings make it: which parts, where, and what they wake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from sluice import duties
from sluice.aws.gateway import AwsGateway
from sluice.aws.metrics import AwsMetrics
from sluice.aws_events.happening import Place
from sluice.aws_events.receiver import Receiver
from sluice.config import Settings
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.notify.notifier import Notifier, TellingRecorder
from sluice.observe.facts import AwsFacts
from sluice.ports import Kubernetes
from sluice.runtime.clock import SystemClock
from sluice.runtime.queue import Lane, WorkQueue
from sluice.runtime.store import ObjectStore
from sluice.telemetry.delivery import DeliveryMetrics
from sluice.telemetry.image_leads import ImageLeads
from unit.aws_events.heard import SERVICE, Clock
from unit.notify.told import Shelf

QUEUE = "https://sqs.eu-central-1.amazonaws.com/111122223333/sluice"
ACCOUNTS = {
    "ops": {"accountId": "444455556666", "roleArn": "arn:aws:iam::444455556666:role/sluice"},
    "far": {"accountId": "111122223333", "region": "us-east-1"},
}
SINKS: list[dict[str, Any]] = [
    {"name": "chat", "slack": {"urlSecretKeyRef": {"name": "chat", "key": "url"}}},
    {
        "name": "hook",
        "webhook": {
            "url": "https://a.example.com/in",
            "headers": [
                {"name": "A", "value": "b"},
                {"name": "C", "secretKeyRef": {"name": "s", "key": "k"}},
            ],
            "tls": {"caSecretKeyRef": {"name": "ca", "key": "pem"}, "insecureSkipVerify": True},
        },
    },
    {"name": "topic", "sns": {"topicArn": "arn:aws:sns:us-west-2:444455556666:t", "account": "ops"}},
    {"name": "bus", "eventBridge": {}},
    {"name": "far-bus", "eventBridge": {"eventBusName": "arn:aws:events:us-east-1:111122223333:event-bus/b"}},
]
WEB = Key(DEPLOYMENT, "shop", "web")


def settings(**more: Any) -> Settings:
    """Return settings of a Region with two accounts."""
    return Settings.model_validate(
        {"installationId": "dev", "region": "eu-west-1", "accounts": ACCOUNTS, **more}
    )


class Recorder:
    """Keeps the reasons of Events."""

    def __init__(self) -> None:
        """Begin with none."""
        self.reasons: list[str] = []

    def event(self, obj: Mapping[str, Any], *, type_: str, reason: str, message: str) -> None:
        """Keep one."""
        del obj, type_, message
        self.reasons.append(reason)


def composed(chosen: Settings) -> tuple[duties.Duties, object, Recorder]:
    """Return the duties of these settings, and the recorder that the controllers get."""
    clock, registry = SystemClock(), CollectorRegistry()
    around = duties.Surrounding(
        settings=chosen, store=ObjectStore(clock), clock=clock, registry=registry, home="sluice"
    )
    made, recorder = duties.Duties(around, WorkQueue(clock)), Recorder()
    telling = made.compose(
        gateway=cast("AwsGateway", None),
        aws_metrics=AwsMetrics(registry),
        facts=cast("AwsFacts", None),
        kubernetes=cast("Kubernetes", NoKubernetes()),
        recorder=recorder,
        shelf=Shelf(),
        version="1",
        delivery=DeliveryMetrics(registry, now=clock.now, team=lambda _obj: ""),
    )
    return made, telling, recorder


class NoKubernetes:
    """A cluster that nobody asks."""

    def namespace_labels(self, _name: str) -> Mapping[str, str]:
        """Never called without labels in a sink."""
        raise AssertionError


def test_nothing_is_made_where_nothing_is_configured() -> None:
    """No thread, no metric, no detour of Events."""
    made, telling, recorder = composed(settings())
    assert (made.all, telling) == ((), recorder)
    assert made.stretch(WEB) == 1
    made.changed(None, {})


def test_both_duties_are_made_of_their_settings() -> None:
    """A notifier with a courier for each sink, a receiver at the queue; Events are heard, too."""
    made, telling, recorder = composed(
        settings(notifications={"sinks": SINKS}, awsEvents={"queueUrl": QUEUE})
    )
    told, heard = made.all
    assert isinstance(told, Notifier)
    assert isinstance(heard, Receiver)
    assert [courier._sink.name for courier in told._with.couriers] == [sink["name"] for sink in SINKS]
    assert isinstance(telling, TellingRecorder)
    telling.event({"metadata": {}}, type_="Warning", reason="DriftRepaired", message="m")
    assert recorder.reasons == ["DriftRepaired"]


def test_times_of_images_are_asked_for_only_where_that_is_switched_on() -> None:
    """It needs a permission that nothing else needs."""
    made, _, _ = composed(settings(aws={"imageTimes": True}))
    (leads,) = made.all
    assert isinstance(leads, ImageLeads)


@pytest.mark.parametrize(
    ("interval", "expected"), [("1m", 45), ("10m", 4.5), ("2h", 1)], ids=["minute", "ten", "hours"]
)
def test_nobody_is_forgotten_because_events_flow(interval: str, expected: float) -> None:
    """After an hour without a look an alert says that nobody looks: no factor reaches that far."""
    chosen = settings(driftInterval=interval, awsEvents={"queueUrl": QUEUE, "driftFactor": 60})
    made, _, _ = composed(chosen)
    arn = "arn:aws:ecs:eu-west-1:111122223333:service/prod/web-a1"
    metadata = {"namespace": WEB.namespace, "name": WEB.name, "uid": "u", "resourceVersion": "1"}
    made._around.store.put(WEB, {"metadata": metadata, "status": {"slots": [{"serviceArn": arn}]}})
    flow = made._flow
    assert flow is not None
    flow.readable(yes=True)
    flow.heard(Place("111122223333", "eu-west-1"))
    assert made.stretch(WEB) == expected


def test_sinks_in_aws_are_reached_where_they_are() -> None:
    """Account by name, Region by the ARN, else the operator's own."""
    made, _, _ = composed(settings(notifications={"sinks": SINKS}))
    (told,) = made.all
    assert isinstance(told, Notifier)
    bindings = {
        courier._sink.name: getattr(courier._sink, "_binding", None) for courier in told._with.couriers
    }
    topic, bus, far = (bindings[name] for name in ("topic", "bus", "far-bus"))
    assert topic is not None
    assert bus is not None
    assert far is not None
    assert (topic.account, topic.region) == ("444455556666", "us-west-2")
    assert (bus.account, bus.region) == ("", "eu-west-1")
    assert far.region == "us-east-1"


def test_secrets_stay_references() -> None:
    """What a sink holds are names of Secrets, in the operator's own namespace."""
    made, _, _ = composed(settings(notifications={"sinks": SINKS}))
    (told,) = made.all
    assert isinstance(told, Notifier)
    post = cast("Any", told._with.couriers[1]._sink)._post
    assert post._namespace == "sluice"
    assert post._target.headers == [
        {"name": "A", "value": "b"},
        {"name": "C", "secretKeyRef": {"name": "s", "key": "k"}},
    ]
    assert post._target.tls == {"caSecretKeyRef": {"name": "ca", "key": "pem"}, "insecureSkipVerify": True}


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (QUEUE, "eu-central-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/a", "cn-north-1"),
        ("https://queue.amazonaws.com/111122223333/a", ""),
        ("http://127.0.0.1:4566/111122223333/a", ""),
    ],
)
def test_a_queue_is_read_in_its_region(url: str, region: str) -> None:
    """The URL says which, where it is AWS's."""
    assert duties._region_of(url) == region


@pytest.mark.parametrize(
    ("place", "accounts"),
    [
        pytest.param(Place("444455556666", "eu-west-1"), ["", "444455556666"], id="another-account"),
        pytest.param(Place("111122223333", "us-east-1"), ["111122223333"], id="another-region"),
        pytest.param(Place("777788889999", "eu-west-1"), [""], id="perhaps-our-own"),
        pytest.param(Place("444455556666", "us-east-1"), [], id="nobody-looks-there"),
    ],
)
def test_what_is_cached_is_dropped_under_every_role_that_looks_there(
    place: Place, accounts: list[str]
) -> None:
    """The operator's own account is not known by number, so it may be any."""
    found = [binding.account for binding in duties._bindings(settings(), place)]
    assert found == accounts


class Desk:
    """A store with a Deployment, a route by rules and one by names."""

    def __init__(self, status: Mapping[str, Any] | None = None) -> None:
        """Fill the store."""
        self.clock = Clock()
        self.store, self.queue = ObjectStore(self.clock), WorkQueue(self.clock)
        found = {"slots": [{"name": "a", "serviceArn": SERVICE}], **(status or {})}
        self._put(WEB, {"status": found})
        self._put(
            Key(SERVICE_ROUTE, "shop", "rules"), {"spec": {"rules": [{"backendRefs": [{"name": "web"}]}]}}
        )
        named = {"discovery": {"mode": "Tasks", "backendRef": {"name": "web"}}}
        self._put(Key(SERVICE_ROUTE, "shop", "names"), {"spec": named})

    def _put(self, key: Key, members: Mapping[str, Any]) -> None:
        metadata = {"namespace": key.namespace, "name": key.name, "uid": key.name, "resourceVersion": "1"}
        self.store.put(key, {"kind": key.kind, "metadata": metadata, **members})

    def taken(self) -> dict[str, Lane]:
        """Take everything that is due."""
        found = {}
        while work := self.queue.get(block=False):
            found[work.key.name] = work.lane
            self.queue.done(work.key)
        return found


@pytest.mark.parametrize(
    ("status", "lane"),
    [
        pytest.param({}, Lane.RESYNC, id="at-rest"),
        pytest.param({"rollout": {"id": "r1"}}, Lane.USER, id="in-motion"),
    ],
)
def test_who_is_woken(status: Mapping[str, Any], lane: Lane) -> None:
    """The Deployment, in the lane of its state, and the route that keeps its tasks in Cloud Map."""
    desk = Desk(status)
    duties._wake(desk.store, desk.queue, WEB, 0.0)
    assert desk.taken() == {"web": lane, "names": Lane.RESYNC}


def test_a_deployment_that_is_gone_wakes_nobody() -> None:
    """An event may be later than the object."""
    desk = Desk()
    desk.store.delete(WEB, "web")
    duties._wake(desk.store, desk.queue, WEB, 0.0)
    assert "web" not in desk.taken()


def test_when_events_stop_waits_are_brought_forward() -> None:
    """Everything where they came from is looked at within one drift interval; elsewhere nothing changes."""
    desk = Desk()
    desk.queue.add_after(WEB, 300.0)
    resume = duties._resume(desk.store, desk.queue, drift_interval=60.0)
    resume(Place("111122223333", "us-east-1"))
    assert (desk.queue.next_due() or 0) - desk.clock.monotonic() == 300
    resume(Place("111122223333", "eu-west-1"))
    assert (desk.queue.next_due() or 999) - desk.clock.monotonic() <= 60
