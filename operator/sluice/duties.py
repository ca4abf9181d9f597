"""Composes what a leader does beside its passes: notifications, AWS's events, times of images.

Part of the composition root (`app`), in a module of its own because nothing else needs to know these
parts. Without sinks, queue and `aws.imageTimes` there is no thread, no request and no ConfigMap.
"""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry

from sluice.analysis.http import HttpClient
from sluice.aws.boto_transport import Boto3Transport
from sluice.aws.clients import Clients, ClientSettings
from sluice.aws.gateway import AwsGateway
from sluice.aws.metrics import AwsMetrics
from sluice.aws_events.flow import Flow
from sluice.aws_events.happening import Place
from sluice.aws_events.metrics import AwsEventMetrics
from sluice.aws_events.receiver import Reaction, Receiver
from sluice.aws_events.services import KnownServices, places_of
from sluice.aws_events.sqs import READ_TIMEOUT, SqsQueue
from sluice.config import Settings
from sluice.config_notifications import SinkSettings, SlackSettings, WebhookSettings
from sluice.config_section import SecretKey
from sluice.model.binding import Binding
from sluice.model.keys import DEPLOYMENT, Key
from sluice.notify.audience import Audience, Membership
from sluice.notify.aws_sinks import EventBridgeSink, SnsSink
from sluice.notify.courier import Courier
from sluice.notify.metrics import NotificationMetrics
from sluice.notify.moment import Moment
from sluice.notify.notifier import Notifier, Surroundings, TellingRecorder
from sluice.notify.outbox import Lost, Outbox
from sluice.notify.shelf import Shelf
from sluice.notify.sink import Sink
from sluice.notify.web_sinks import Post, SlackSink, Target, WebhookSink
from sluice.observe.facts import AwsFacts
from sluice.observe.image_times import ImageTimes
from sluice.ports import Clock, Kubernetes, Object, Recorder
from sluice.runtime.process import Duty
from sluice.runtime.queue import Lane, WorkQueue
from sluice.runtime.store import ObjectStore
from sluice.telemetry.delivery import DeliveryMetrics
from sluice.telemetry.image_leads import ImageLeads
from sluice.telemetry.log import logger

OUTBOX_SUFFIX: Final = "-notifications"
"""Of the ConfigMap's name, after the Lease's."""
SELDOMEST: Final = 2_700.0
"""Seconds: no object at rest is looked at more seldom because events flow, whatever driftFactor says. After
an hour without a look an alert says that nobody looks (SluiceObjectNotSynced)."""
_SQS_PARTS: Final = 4  # sqs.<region>.amazonaws.com

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounding:
    """What both duties are made of."""

    settings: Settings
    store: ObjectStore
    clock: Clock
    registry: CollectorRegistry
    home: str
    """The operator's own namespace: of its Lease, its outbox and the Secrets of its sinks."""


class Duties:
    """What the rest of the process hears of both: nothing, where neither is configured."""

    def __init__(self, around: Surrounding, queue: WorkQueue) -> None:
        """Make what others refer to; `compose` makes the rest."""
        self._around = around
        self._queue = queue
        self._flow = flow(around)
        self._notifier: Notifier | None = None
        self.all: tuple[Duty, ...] = ()
        """To be started and stopped."""

    def compose(
        self,
        *,
        gateway: AwsGateway,
        aws_metrics: AwsMetrics,
        facts: AwsFacts,
        kubernetes: Kubernetes,
        recorder: Recorder,
        shelf: Shelf,
        version: str,
        delivery: DeliveryMetrics,
    ) -> Recorder:
        """Make the duties; return the recorder that lets them hear of Events, too."""
        made: list[Duty] = []
        if self._around.settings.notifications.sinks:
            self._notifier = notifier(
                self._around, gateway=gateway, kubernetes=kubernetes, shelf=shelf, recorder=recorder
            )
            made.append(self._notifier)
        if self._flow:
            made.append(
                receiver(
                    self._around,
                    flow=self._flow,
                    facts=facts,
                    queue=self._queue,
                    aws_metrics=aws_metrics,
                    version=version,
                )
            )
        if self._around.settings.aws.image_times:
            times = ImageTimes(gateway, self._around.settings.tenancy)
            leads = ImageLeads(times.pushed_at, now=self._around.clock.now, repository=times.repository)
            delivery.ask_images(leads.ask)
            made.append(leads)
        self.all = tuple(made)
        return TellingRecorder(recorder, self._notifier.event) if self._notifier else recorder

    def changed(self, before: Object | None, after: Object) -> None:
        """Take a change of an object; never waits or raises."""
        if self._notifier:
            self._notifier.changed(before, after)

    def stretch(self, key: Key) -> float:
        """Return by how much longer an object at rest may wait."""
        most = max(1.0, SELDOMEST / self._around.settings.drift_interval)
        return min(self._flow.stretch(key), most) if self._flow else 1.0


# Notifications


def notifier(
    around: Surrounding,
    *,
    gateway: AwsGateway,
    kubernetes: Kubernetes,
    shelf: Shelf,
    recorder: Recorder,
) -> Notifier:
    """Return who tells."""
    settings, clock = around.settings, around.clock
    chosen = settings.notifications
    metrics = NotificationMetrics(around.registry)
    outbox = Outbox(
        [sink.name for sink in chosen.sinks],
        expire_after=chosen.expire_after,
        lost=functools.partial(_given_up, metrics),
    )
    metrics.watch(outbox.states, now=clock.now)
    http = HttpClient(kubernetes)
    couriers = [
        Courier(
            _sink(entry, settings, gateway=gateway, http=http, clock=clock, home=around.home),
            outbox,
            clock=clock,
            metrics=metrics,
        )
        for entry in chosen.sinks
    ]
    return Notifier(
        Surroundings(
            audience=Audience(
                [_membership(entry) for entry in chosen.sinks], labels=kubernetes.namespace_labels
            ),
            outbox=outbox,
            shelf=shelf,
            couriers=couriers,
            snapshot=around.store.snapshot,
            recorder=recorder,
            clock=clock,
            metrics=metrics,
        )
    )


def _given_up(metrics: NotificationMetrics, sink: str, moment: Moment, why: Lost) -> None:
    metrics.told.labels(sink, moment.event, why).inc()
    _log.warning("notification_given_up", sink=sink, id=moment.id, why=why)


def _membership(entry: SinkSettings) -> Membership:
    return Membership(
        sink=entry.name,
        namespaces=entry.namespaces,
        namespace_labels=entry.namespace_labels,
        events=frozenset(entry.events),
        opt_in=entry.opt_in,
    )


def _sink(
    entry: SinkSettings,
    settings: Settings,
    *,
    gateway: AwsGateway,
    http: HttpClient,
    clock: Clock,
    home: str,
) -> Sink:
    installation = settings.installation_id
    if entry.slack:
        post = Post(http, _target(entry.slack), namespace=home)
        return SlackSink(entry.name, post, installation=installation, text=entry.slack.text)
    if entry.webhook:
        post = Post(http, _target(entry.webhook), namespace=home)
        return WebhookSink(entry.name, post, installation=installation, body=entry.webhook.body)
    if entry.sns:
        topic = entry.sns.topic_arn
        region = topic.split(":")[3]
        return SnsSink(
            entry.name,
            gateway,
            clock=clock,
            binding=_binding(settings, entry.account, region),
            topic=topic,
            installation=installation,
            message=entry.sns.message,
        )
    bus = entry.event_bridge.event_bus_name if entry.event_bridge else "default"
    region = bus.split(":")[3] if bus.startswith("arn:") else ""
    return EventBridgeSink(
        entry.name,
        gateway,
        clock=clock,
        binding=_binding(settings, entry.account, region),
        bus=bus,
        installation=installation,
    )


def _target(web: SlackSettings | WebhookSettings) -> Target:
    tls: dict[str, Any] = {}
    if web.tls.ca_secret_key_ref:
        tls["caSecretKeyRef"] = _reference(web.tls.ca_secret_key_ref)
    if web.tls.insecure_skip_verify:
        tls["insecureSkipVerify"] = True
    headers: list[Mapping[str, Any]] = []
    for header in web.headers if isinstance(web, WebhookSettings) else ():
        secret = header.secret_key_ref
        value = {"secretKeyRef": _reference(secret)} if secret else {"value": header.value}
        headers.append({"name": header.name, **value})
    url_secret = _reference(web.url_secret_key_ref) if web.url_secret_key_ref else None
    return Target(url=web.url, url_secret=url_secret, headers=headers, tls=tls)


def _reference(key: SecretKey) -> dict[str, str]:
    return {"name": key.name, "key": key.key}


def _binding(settings: Settings, account: str, region: str) -> Binding:
    """Return the binding of a named account, in the Region where the thing is."""
    tenancy = settings.tenancy
    found = tenancy.accounts[account] if account else tenancy.default_binding
    return dataclasses.replace(found, region=region) if region else found


# AWS's events


def flow(around: Surrounding) -> Flow | None:
    """Return what knows whether events flow, None without a queue."""
    chosen = around.settings.aws_events
    if not chosen.queue_url:
        return None
    return Flow(
        factor=chosen.drift_factor,
        quiet_after=chosen.quiet_after,
        clock=around.clock,
        peek=around.store.peek,
    )


def receiver(
    around: Surrounding,
    *,
    flow: Flow,
    facts: AwsFacts,
    queue: WorkQueue,
    aws_metrics: AwsMetrics,
    version: str,
) -> Receiver:
    """Return who listens."""
    settings, clock, store = around.settings, around.clock, around.store
    chosen = settings.aws_events
    metrics = AwsEventMetrics(around.registry)
    metrics.watch(flow.flowing)
    clients = Clients(
        ClientSettings(endpoint_url=settings.endpoint_url, version=version, read_timeout=READ_TIMEOUT, pool=1)
    )
    return Receiver(
        SqsQueue(
            Boto3Transport(clients),
            binding=_binding(settings, chosen.account, _region_of(chosen.queue_url)),
            url=chosen.queue_url,
            clock=clock,
            metrics=aws_metrics,
        ),
        services=KnownServices(store.snapshot, clock=clock),
        flow=flow,
        reaction=Reaction(
            forget=lambda binding, names: facts.forget(binding, *names),
            bindings=functools.partial(_bindings, settings),
            wake=functools.partial(_wake, store, queue),
            resume=_resume(store, queue, drift_interval=settings.drift_interval),
        ),
        clock=clock,
        metrics=metrics,
    )


def _region_of(url: str) -> str:
    """Return the Region in a queue's URL, '' where it has none (the sandbox's)."""
    parts = url.partition("://")[2].partition("/")[0].split(".")
    return parts[1] if len(parts) >= _SQS_PARTS and parts[0] == "sqs" else ""


def _bindings(settings: Settings, place: Place) -> Sequence[Binding]:
    """Return the bindings under which a place is looked at; an account that is not known may be any."""
    tenancy = settings.tenancy
    found = (tenancy.default_binding, *tenancy.accounts.values())
    return [
        binding
        for binding in dict.fromkeys(found)
        if binding.region == place.region and binding.account in ("", place.account)
    ]


def _wake(store: ObjectStore, queue: WorkQueue, key: Key, delay: float) -> None:
    """Look at a Deployment, and at the routes that keep its tasks in Cloud Map."""
    for one in (key, *store.routes_of(key)):
        obj = store.peek(one)
        if obj is None:
            continue
        if one != key and not (obj.get("spec") or {}).get("discovery"):
            continue
        moving = bool((obj.get("status") or {}).get("rollout"))
        queue.add_after(one, delay, Lane.USER if moving else Lane.RESYNC)


def _resume(store: ObjectStore, queue: WorkQueue, *, drift_interval: float) -> Callable[[Place], None]:
    rng = random.Random()  # noqa: S311 - spreads load, no secret

    def resume(place: Place) -> None:
        for key in store.keys(DEPLOYMENT):
            obj = store.peek(key)
            if obj is not None and place in places_of(obj):
                queue.add_after(key, rng.uniform(0, drift_interval), Lane.RESYNC)

    return resume
