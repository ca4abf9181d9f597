"""The composition root: the only module that knows everything. It makes the parts and holds no logic.

settings ─► API server ─► store ◄─ intake ◄─ kopf (watch)
                │           │        │
                │           ▼        ▼
                └─► controllers ◄─ queue ◄─ workers
                        │
                        └─► facts, executor ─► gateway ─► boto3
"""

from __future__ import annotations

import importlib
import os
import platform
import socket
import threading
import time
import uuid
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

import botocore.session
from prometheus_client import CollectorRegistry, disable_created_metrics

from sluice.analysis.cloud_watch import CloudWatchSource
from sluice.analysis.gates import Asked, GateKeeper
from sluice.analysis.http import HttpClient
from sluice.analysis.load_balancer import LoadBalancerSource
from sluice.analysis.observed import RequestCounter
from sluice.analysis.prometheus import PrometheusSource
from sluice.analysis.scheduler import ThreadScheduler
from sluice.analysis.web import WebSource
from sluice.apply.executor import PlanExecutor
from sluice.aws.boto_transport import Boto3Transport
from sluice.aws.budget import Budgets
from sluice.aws.clients import Clients, ClientSettings
from sluice.aws.gateway import AwsGateway
from sluice.aws.metrics import AwsMetrics
from sluice.config import ConfigError, Settings
from sluice.controllers.deployment import DeploymentController
from sluice.controllers.route import RouteController
from sluice.controllers.settings import ControllerSettings
from sluice.duties import OUTBOX_SUFFIX, Duties, Surrounding
from sluice.hooks.run_task import RunTaskRunner
from sluice.hooks.webhook import WebhookRunner
from sluice.model.keys import DEPLOYMENT, FINALIZER, SERVICE_ROUTE, Key
from sluice.notify.shelf import Shelf
from sluice.observe.expected import ExpectedServices, service_arns
from sluice.observe.facts import AwsFacts
from sluice.observe.source import FactsSettings
from sluice.ports import Object, World
from sluice.runtime.apiserver import ApiServer, KubernetesFailure, configuration
from sluice.runtime.clock import SystemClock
from sluice.runtime.health import HealthServer, within
from sluice.runtime.intake import Intake, Sweep
from sluice.runtime.kopf_glue import Informer
from sluice.runtime.kube import KubernetesApi
from sluice.runtime.kube_config_map import ConfigMapShelf
from sluice.runtime.kube_lease import FINALIZERS_NOTE, LeaseApi
from sluice.runtime.lease import Elector, LeaseTimes, SoleReplica
from sluice.runtime.process import Life, OperatorProcess, Parts, serving
from sluice.runtime.queue import Lane, WorkQueue
from sluice.runtime.recorder import EventRecorder
from sluice.runtime.store import ObjectStore
from sluice.runtime.worker import Cadence, Reconciler, Sources, WorkerPool
from sluice.telemetry import rollout_spans
from sluice.telemetry.cost import CostMeter
from sluice.telemetry.ledger import Ledger, Surroundings, key_of
from sluice.telemetry.log import logger
from sluice.telemetry.metrics import RuntimeMetrics, new_registry
from sluice.telemetry.objects import Beside, object_metrics, team_of

LOOP_SILENCE: Final = 30.0
PASS_LIMIT: Final = 180.0
WAIT_LIMIT: Final = 300.0
_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

_log = logger(__name__)


class NotInstalled(Exception):  # noqa: N818 - reads as the outcome it is
    """The API server does not serve the custom resources."""


def version() -> str:
    """Return the version of the installed distribution."""
    return metadata.version("sluice-operator")


def with_region(settings: Settings) -> Settings:
    """Return the settings with AWS's own idea of the region where they have none; raises ConfigError."""
    if settings.region:
        return settings
    region = botocore.session.Session().get_config_variable("region")
    region = region or os.environ.get("AWS_REGION") or ""
    if not region:
        raise ConfigError(
            "no AWS region: set region in the configuration, SLUICE_REGION, --region or AWS_REGION"
        )
    return settings.model_copy(update={"region": region})


def run(settings: Settings) -> int:
    """Run the operator until it ends; return the exit code.

    Raises ConfigError, NoCluster, NotInstalled or KubernetesFailure before anything is started.
    """
    settings = with_region(settings)
    _log.info("starting", version=version(), python=platform.python_version(), settings=settings.shown())
    stop_tracing = _trace(settings)
    try:
        return assemble(settings).run()
    finally:
        stop_tracing()


def _trace(settings: Settings) -> Callable[[], None]:
    """Begin to trace where the settings say so; return what ends it. Off, OpenTelemetry is not imported."""
    chosen = settings.tracing
    if not chosen.enabled:
        return lambda: None
    try:
        otlp = importlib.import_module("sluice.telemetry.otlp")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"tracing.enabled: {error.name} is not installed; install sluice-operator[tracing]"
        ) from error
    in_cluster = _NAMESPACE_FILE.exists()
    options = otlp.TracingOptions(
        endpoint=chosen.endpoint,
        ratio=chosen.sample_ratio,
        rest_ratio=chosen.rest_sample_ratio,
        resource={
            "service.name": "sluice",
            "service.version": version(),
            "service.instance.id": str(uuid.uuid4()),
            "host.name": socket.gethostname(),
            "k8s.pod.name": socket.gethostname() if in_cluster else "",
            "k8s.namespace.name": _NAMESPACE_FILE.read_text(encoding="utf-8").strip() if in_cluster else "",
            "cloud.provider": "aws",
            "cloud.region": settings.region,
            "sluice.installation": settings.installation_id,
        },
    )
    stop: Callable[[], None] = otlp.start(options).stop
    return stop


def assemble(settings: Settings) -> OperatorProcess:
    """Make a process of its parts; the port for probes is bound, nothing else has started."""
    clock, life = SystemClock(), Life()
    # A _created series beside each counter would be a third of all series, and nobody reads them.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client has no types here
    registry = new_registry(version())
    metrics = RuntimeMetrics(registry)
    connections = settings.workers + 4 + len(settings.notifications.sinks)
    server = ApiServer(configuration(settings.kubeconfig), pool=connections, metrics=metrics)
    store, queue = ObjectStore(clock), WorkQueue(clock)
    home = _home(settings)
    around = Surrounding(settings=settings, store=store, clock=clock, registry=registry, home=home)
    duties = Duties(around, queue)
    ledger = _ledger(settings, registry, store, clock)
    intake = Intake(
        store,
        queue,
        heard=lambda kind, what: metrics.heard.labels(kind, what).inc(),
        written=_both(ledger.written, rollout_spans.written),
        changed=duties.changed,
    )
    kubernetes = KubernetesApi(server, clock=clock, journal=intake)
    _check_installed(kubernetes)
    namespaces = settings.watch_namespaces
    sweep = Sweep(store, intake, list_keys=lambda: kubernetes.list_keys(namespaces), read=kubernetes.read)
    identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:12]}"
    elector = _elector(settings, store, identity=identity, metrics=metrics, clock=clock)
    recorder = EventRecorder(server, clock=clock, metrics=metrics, reporter=identity)
    world = _world(
        settings,
        kubernetes=kubernetes,
        store=store,
        queue=queue,
        recorder=recorder,
        lease=elector or SoleReplica(),
        registry=registry,
        ledger=ledger,
        duties=duties,
        shelf=ConfigMapShelf(server, namespace=home, name=settings.lease.name + OUTBOX_SUFFIX),
    )
    pool = WorkerPool(
        _reconciler(settings, world, queue, store, sweep, metrics, ledger, stretch=duties.stretch),
        queue,
        size=settings.workers,
    )
    informer = Informer(
        intake,
        login=lambda: configuration(settings.kubeconfig),
        clock=clock,
        on_end=lambda reason: life.end(reason, code=1),
        namespaces=namespaces,
        relisted=lambda kind: metrics.relisted.labels(kind).inc(),
    )
    metrics.watch_watch(informer.silence)
    health = HealthServer(
        address=settings.http.address,
        port=settings.http.port,
        registry=registry,
        checks={
            "/healthz": {
                "watch": within(informer.silence, LOOP_SILENCE, "the event loop has been silent"),
                "workers": serving(
                    lambda: not life.working or life.ending() or pool.alive() == settings.workers,
                    "a worker thread died",
                ),
                "passes": within(queue.longest_run, PASS_LIMIT, "a pass has been running"),
                "queue": within(
                    lambda: queue.oldest_wait() if life.working else 0.0,
                    WAIT_LIMIT,
                    "a key has been due",
                ),
            },
            "/readyz": {
                "store": serving(lambda: life.synced, "the store is not complete yet"),
                "watch": serving(informer.alive, "the watch has ended"),
                "ending": serving(lambda: not life.ending(), "the process is ending"),
            },
        },
    )
    _log.info("http_bound", address=settings.http.address, port=health.port)
    _export(settings, registry, metrics, queue, store, life, ledger)
    return OperatorProcess(
        Parts(
            store=store,
            queue=queue,
            sweep=sweep,
            pool=pool,
            elector=elector,
            recorder=recorder,
            health=health,
            metrics=metrics,
            duties=duties.all,
        ),
        informer,
        life,
    )


def _both(*hear: Callable[[Object | None, Object], None]) -> Callable[[Object | None, Object], None]:
    """Return who tells all of them of an own write."""

    def written(before: Object | None, after: Object) -> None:
        for one in hear:
            one(before, after)

    return written


def _ledger(
    settings: Settings, registry: CollectorRegistry, store: ObjectStore, clock: SystemClock
) -> Ledger:
    around = Surroundings(
        now=clock.now,
        peek=store.peek,
        routes_of=store.routes_of,
        team=lambda obj: team_of(obj, settings.team_label),
    )
    return Ledger(registry, around)


def _check_installed(kubernetes: KubernetesApi) -> None:
    if missing := kubernetes.missing_kinds():
        raise NotInstalled(
            f"the API server does not serve {', '.join(missing)}; install the custom resource definitions: "
            "kubectl apply -f crds/, or the chart"
        )


def _elector(
    settings: Settings, store: ObjectStore, *, identity: str, metrics: RuntimeMetrics, clock: SystemClock
) -> Elector | None:
    lease = settings.lease
    if not lease.enabled:
        return None
    own = ApiServer(configuration(settings.kubeconfig), pool=1, metrics=metrics)
    times = LeaseTimes(
        duration=lease.duration, renew_deadline=lease.renew_deadline, retry_period=lease.retry_period
    )
    return Elector(
        LeaseApi(own, timeout=times.retry_period, notes=lambda: {FINALIZERS_NOTE: str(_finalizers(store))}),
        namespace=_home(settings),
        name=lease.name,
        identity=identity,
        times=times,
        clock=clock,
    )


def _home(settings: Settings) -> str:
    """Return the operator's own namespace: of the Lease, the outbox and the Secrets of sinks."""
    if settings.lease.namespace:
        return settings.lease.namespace
    return _NAMESPACE_FILE.read_text(encoding="utf-8").strip() if _NAMESPACE_FILE.exists() else "default"


def _finalizers(store: ObjectStore) -> int:
    """Return how many custom resources could not be deleted without an operator."""
    return sum(FINALIZER in (obj["metadata"].get("finalizers") or ()) for obj in store.snapshot().values())


def _world(
    settings: Settings,
    *,
    kubernetes: KubernetesApi,
    store: ObjectStore,
    queue: WorkQueue,
    recorder: EventRecorder,
    lease: Elector | SoleReplica,
    registry: CollectorRegistry,
    ledger: Ledger,
    duties: Duties,
    shelf: Shelf,
) -> World:
    clock = SystemClock()
    clients = Clients(
        ClientSettings(
            endpoint_url=settings.endpoint_url, version=version(), pool=max(32, settings.workers * 2)
        )
    )
    binding = settings.tenancy.default_binding
    # Loading a service's model takes up to 100 ms: not in the first pass.
    threading.Thread(target=clients.warm, args=(binding, "ecs", "elbv2"), name="warm", daemon=True).start()
    aws_metrics = AwsMetrics(registry, hurried=ledger.hurried)
    aws_metrics.begin((binding, *settings.tenancy.accounts.values()), dry_run=settings.dry_run)
    gateway = AwsGateway(
        Boto3Transport(clients),
        budgets=Budgets(share=settings.aws.budget_share, enabled=settings.aws.budgets),
        clock=clock,
        lease=lease,
        metrics=aws_metrics,
        dry_run=settings.dry_run,
    )
    ages = FactsSettings(attributes=settings.drift_attributes_interval)
    expected = ExpectedServices(lambda: service_arns(store.snapshot()))
    facts = AwsFacts(gateway, clock=clock, settings=ages, expected=expected)
    scheduler = ThreadScheduler(clock)
    telling = duties.compose(
        gateway=gateway,
        aws_metrics=aws_metrics,
        facts=facts,
        kubernetes=kubernetes,
        recorder=recorder,
        shelf=shelf,
        version=version(),
        delivery=ledger.delivery,
    )
    return World(
        store=store,
        kubernetes=kubernetes,
        facts=facts,
        executor=PlanExecutor(gateway, observer=facts),
        recorder=telling,
        clock=clock,
        gates=_gates(gateway, kubernetes, queue, clock, scheduler),
        requests=RequestCounter(gateway, clock=clock, scheduler=scheduler),
        leader_epoch=lambda: lease.epoch,
        ledger=ledger,
    )


def _gates(
    gateway: AwsGateway,
    kubernetes: KubernetesApi,
    queue: WorkQueue,
    clock: SystemClock,
    scheduler: ThreadScheduler,
) -> GateKeeper:
    http = HttpClient(kubernetes)
    asked = Asked(
        aws=gateway,
        sources={
            "loadBalancer": LoadBalancerSource(gateway),
            "cloudWatch": CloudWatchSource(gateway),
            "prometheus": PrometheusSource(http),
            "web": WebSource(http),
        },
        hooks={"webhook": WebhookRunner(http), "runTask": RunTaskRunner(gateway)},
    )
    return GateKeeper(
        asked,
        clock=clock,
        scheduler=scheduler,
        wake=queue.add,
        hurry=lambda key: queue.add(key, Lane.ROLLBACK),
    )


def _reconciler(
    settings: Settings,
    world: World,
    queue: WorkQueue,
    store: ObjectStore,
    sweep: Sweep,
    metrics: RuntimeMetrics,
    ledger: Ledger,
    *,
    stretch: Callable[[Key], float],
) -> Reconciler:
    def report(obj: Object, reason: str, message: str) -> None:
        world.recorder.event(obj, type_="Warning", reason=reason, message=message)
        if key := key_of(obj):
            ledger.told(key, reason, message)

    chosen = ControllerSettings(
        installation_id=settings.installation_id,
        tenancy=settings.tenancy,
        drift_interval=settings.drift_interval,
        attributes_interval=settings.drift_attributes_interval,
        discovery_propagation=settings.discovery_propagation,
        suspended=settings.suspend,
        dry_run=settings.dry_run,
    )
    return Reconciler(
        queue,
        {
            DEPLOYMENT: DeploymentController(world, chosen),
            SERVICE_ROUTE: RouteController(world, chosen),
        },
        clock=world.clock,
        sources=Sources(
            peek=store.peek,
            refresh=sweep.refresh,
            report=report,
            passed=ledger.passed,
        ),
        metrics=metrics,
        cadence=Cadence(drift_interval=settings.drift_interval, stretch=stretch),
    )


def _export(
    settings: Settings,
    registry: CollectorRegistry,
    metrics: RuntimeMetrics,
    queue: WorkQueue,
    store: ObjectStore,
    life: Life,
    ledger: Ledger,
) -> None:
    metrics.watch_queue(
        depth=lambda: {lane.name.lower(): count for lane, count in queue.depth().items()},
        delayed=queue.delayed,
        failing=queue.failing,
        oldest=queue.oldest_wait,
        running=queue.running,
    )
    if settings.object_metrics:
        beside = Beside(
            synced=ledger.synced,
            drifted=ledger.drift.drifted,
            repaired=ledger.drift.repairs,
            team_label=settings.team_label,
        )
        registry.register(object_metrics(store.snapshot, shown=lambda: life.working, beside=beside))
        cost = CostMeter(
            store.snapshot, shown=lambda: life.working, now=time.monotonic, prices=settings.cost.prices
        )
        ledger.listen(cost.written)
        registry.register(cost.collector)


__all__ = ["KubernetesFailure", "NotInstalled", "assemble", "run", "version", "with_region"]
