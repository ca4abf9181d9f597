"""What is being asked, and what was answered: `ports.Gates`.

Every question has an id that the machine made (`<rollout>/<metric>/<number>`); it is asked once, however
often a pass names it, and its answer is kept until the machine no longer asks. A pass never waits: the
answer wakes the key. After a restart nothing is remembered and the machine asks again under the same
ids; for hooks these are the idempotency keys.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from sluice.analysis import alarms
from sluice.analysis.scheduler import Scheduler
from sluice.model.binding import Priority
from sluice.model.errors import PASSING, AwsFailure, Deferred, SluiceError
from sluice.model.keys import Key
from sluice.model.rollout import HookRequest, MetricRequest
from sluice.model.situation import GateFacts, HookAnswer, Sample
from sluice.model.strategy import MetricKind
from sluice.ports import Aws, Clock, GateScene
from sluice.rollout.work import SETTLING
from sluice.telemetry import tracing

_log = structlog.get_logger(__name__)
ALARM_INTERVAL: Final = 10.0
HOOK_INTERVAL: Final = 5.0
RETRY: Final = 2.0
"""Seconds until a question that found no AWS budget is asked again."""


class Source(Protocol):
    """Somebody who can be asked for a metric. Bounded in time; raises for whoever is not there."""

    def measure(self, scene: GateScene, request: MetricRequest, *, now: float) -> Sample:
        """Return one sample."""


class HookRunner(Protocol):
    """Somebody who runs hooks of one kind; a no is an answer, never an error. `Running` is asked again."""

    def attempt(self, scene: GateScene, request: HookRequest) -> HookAnswer:
        """See that the attempt runs, and tell how it stands."""

    def end(self, scene: GateScene, request: HookRequest) -> bool:
        """End what the attempt started: it runs, and nobody waits for its answer any more.

        False: what it started is not known, and may still come.
        """

    def collect(self, scene: GateScene, *, waited_for: Callable[[str], bool]) -> None:
        """End every attempt of the object that runs and is not waited for, whoever began it."""


@dataclass(slots=True)
class _Desk:
    """The questions of one Deployment."""

    scene: GateScene
    wanted: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    samples: dict[str, Sample] = field(default_factory=dict)
    hooks: dict[str, HookAnswer] = field(default_factory=dict)
    running: dict[str, HookRequest] = field(default_factory=dict)
    """Attempts that run, until they end or nobody waits for them."""
    alarms: Mapping[str, str | None] | None = None
    alarms_at: float = 0.0
    alarms_error: str = ""
    watching: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who answers what."""

    aws: Aws
    sources: Mapping[MetricKind, Source]
    hooks: Mapping[str, HookRunner]
    """`webhook` and `runTask`."""


class GateKeeper:
    """See the module. Thread-safe."""

    def __init__(
        self,
        asked: Asked,
        *,
        clock: Clock,
        scheduler: Scheduler,
        wake: Callable[[Key], None],
        hurry: Callable[[Key], None] | None = None,
    ) -> None:
        """Ask through `asked` on `scheduler`; call `wake` with each answer, `hurry` with a bad one."""
        self._asked = asked
        self._clock = clock
        self._scheduler = scheduler
        self._wake = wake
        self._hurry = hurry or wake
        self._lock = threading.Lock()
        self._desks: dict[Key, _Desk] = {}

    def answers(self, key: Key) -> GateFacts:
        """Return what has been answered so far."""
        with self._lock:
            desk = self._desks.get(key)
            if desk is None:
                return GateFacts()
            return GateFacts(
                samples=dict(desk.samples),
                hooks=dict(desk.hooks),
                alarms=desk.alarms,
                alarms_at=desk.alarms_at,
                alarms_error=desk.alarms_error,
            )

    def ask(
        self, scene: GateScene, *, metrics: Sequence[MetricRequest], hooks: Sequence[HookRequest]
    ) -> None:
        """See that these are being answered, and forget what is no longer asked for."""
        key = scene.context.key
        jobs: list[Callable[[], None]] = []
        with self._lock:
            desk = self._desks.get(key)
            if desk:
                jobs += self._ends(desk, scene.attempts)
            if desk is None or desk.scene.rollout_id != scene.rollout_id:
                desk = self._desks[key] = _Desk(scene=scene)
            desk.scene = dataclasses.replace(
                scene, context=dataclasses.replace(scene.context, priority=Priority.VERIFY)
            )
            desk.wanted = {metric.id for metric in metrics} | {hook.id for hook in hooks}
            desk.asked &= desk.wanted
            desk.samples = {name: desk.samples[name] for name in desk.samples if name in desk.wanted}
            desk.hooks = {name: desk.hooks[name] for name in desk.hooks if name in desk.wanted}
            for metric in metrics:
                if metric.id not in desk.asked:
                    desk.asked.add(metric.id)
                    jobs.append(self._metric_job(key, metric))
            for hook in hooks:
                if hook.id not in desk.asked:
                    desk.asked.add(hook.id)
                    jobs.append(self._hook_job(key, hook))
            if scene.alarms and not desk.watching:
                desk.watching = True
                jobs.append(lambda: self._watch_alarms(key, scene.rollout_id))
        for job in jobs:
            self._scheduler.soon(job)

    def forget(self, key: Key) -> None:
        """End everything about an object; answers that still come are dropped."""
        with self._lock:
            desk = self._desks.pop(key, None)
            jobs = self._ends(desk, frozenset()) if desk else []
        for job in jobs:
            self._scheduler.soon(job)

    def collect(self, scene: GateScene, *, then: Callable[[], None] = lambda: None) -> None:
        """Look for what processes before this one left running: now, and when no call of theirs can land."""
        self._scheduler.soon(lambda: self._collect(scene, then, again=True))

    # Jobs. Each looks its desk up again: the rollout may be over by then.

    def _metric_job(self, key: Key, request: MetricRequest) -> Callable[[], None]:
        return lambda: self._measure(key, request)

    def _hook_job(self, key: Key, request: HookRequest) -> Callable[[], None]:
        return lambda: self._attempt(key, request)

    def _runs(self, scene: GateScene, request: HookRequest, *, running: bool) -> bool:
        """Keep in mind whether the attempt runs; False: it was given up while it was being started."""
        with self._lock:
            desk = self._desks.get(scene.context.key)
            waited_for = desk is not None and request.id in desk.wanted | desk.scene.attempts
            if desk and not running:
                desk.running.pop(request.id, None)
            elif desk and waited_for:
                desk.running[request.id] = request
        if running and not waited_for:
            self._scheduler.soon(self._end_job(scene, request))
        return waited_for or not running

    def _ends(self, desk: _Desk, waited_for: frozenset[str]) -> list[Callable[[], None]]:
        """Return the jobs that end the attempts which run and are not waited for."""
        given_up = [desk.running.pop(name) for name in sorted(set(desk.running) - waited_for)]
        return [self._end_job(desk.scene, request) for request in given_up]

    def _end_job(self, scene: GateScene, request: HookRequest) -> Callable[[], None]:
        return lambda: self._end(scene, request)

    def _end(self, scene: GateScene, request: HookRequest) -> None:
        with _asking(scene, request.id):
            try:
                if not self._runner(scene, request).end(scene, request):
                    mine = dataclasses.replace(scene, attempts=scene.attempts - {request.id})
                    self._scheduler.later(SETTLING, lambda: self._collect(mine, lambda: None))
            except Deferred:
                self._scheduler.later(RETRY, self._end_job(scene, request))
            except Exception as error:  # noqa: BLE001 - told, and nobody waits for it
                if isinstance(error, AwsFailure) and error.kind in PASSING:
                    self._scheduler.later(HOOK_INTERVAL, self._end_job(scene, request))
                _log.warning("hook_not_ended", attempt=request.id, error=str(error)[:500])

    def _collect(self, scene: GateScene, then: Callable[[], None], *, again: bool = False) -> None:
        low = dataclasses.replace(scene, context=dataclasses.replace(scene.context, priority=Priority.DRIFT))
        try:
            with _asking(low, "what hooks left behind"):
                self._asked.hooks["runTask"].collect(low, waited_for=functools.partial(self._awaited, scene))
        except Exception as error:  # noqa: BLE001 - told, and nobody waits for it
            if isinstance(error, Deferred) or (isinstance(error, AwsFailure) and error.kind in PASSING):
                self._scheduler.later(HOOK_INTERVAL, lambda: self._collect(scene, then, again=again))
                return
            _log.warning("hooks_not_collected", object=str(scene.context.key), error=str(error)[:500])
        then()
        if again:
            self._scheduler.later(SETTLING, lambda: self._collect(scene, lambda: None))

    def _awaited(self, scene: GateScene, attempt: str) -> bool:
        with self._lock:
            desk = self._desks.get(scene.context.key)
            return attempt in scene.attempts or (
                desk is not None and attempt in desk.wanted | desk.scene.attempts
            )

    def _runner(self, scene: GateScene, request: HookRequest) -> HookRunner:
        hook = scene.hooks.get(request.hook)
        return self._asked.hooks["webhook" if hook and hook.webhook is not None else "runTask"]

    def _scene(self, key: Key, name: str) -> GateScene | None:
        with self._lock:
            desk = self._desks.get(key)
            return desk.scene if desk and name in desk.wanted else None

    def _measure(self, key: Key, request: MetricRequest) -> None:
        scene = self._scene(key, request.id)
        if scene is None:
            return
        now = self._clock.now()
        try:
            with _asking(scene, request.id):
                sample = self._asked.sources[request.metric.kind].measure(scene, request, now=now)
        except Deferred:
            self._scheduler.later(RETRY, self._metric_job(key, request))
            return
        except SluiceError as error:
            sample = Sample(at=now, error=str(error))
        except Exception as error:  # noqa: BLE001 - whatever a provider answers must end as an error sample
            sample = Sample(at=now, error=f"{type(error).__name__}: {error}"[:500])
        with self._lock:
            desk = self._desks.get(key)
            if desk is None or request.id not in desk.wanted:
                return
            desk.samples[request.id] = sample
        metric = request.metric
        bad = not metric.dry_run and sample.value is not None and metric.means(sample.value) is False
        (self._hurry if bad else self._wake)(key)

    def _attempt(self, key: Key, request: HookRequest) -> None:
        scene = self._scene(key, request.id)
        if scene is None:
            return
        failed = True
        try:
            with _asking(scene, request.id):
                answer = self._runner(scene, request).attempt(scene, request)
            failed = False
        except Deferred:
            self._scheduler.later(RETRY, self._hook_job(key, request))
            return
        except SluiceError as error:
            answer = HookAnswer(state="Error", message=str(error))
        except Exception as error:  # noqa: BLE001 - see _measure
            answer = HookAnswer(state="Error", message=f"{type(error).__name__}: {error}"[:500])
        # Who could not be asked how it stands may have a task that runs: it is ended before the next attempt.
        if not self._runs(scene, request, running=failed or answer.state == "Running"):
            return
        with self._lock:
            desk = self._desks.get(key)
            if desk is None or request.id not in desk.wanted:
                return
            news = desk.hooks.get(request.id) != answer
            desk.hooks[request.id] = answer
        if answer.state == "Running":
            self._scheduler.later(HOOK_INTERVAL, self._hook_job(key, request))
        if news:
            (self._hurry if answer.state == "Failed" else self._wake)(key)

    def _watch_alarms(self, key: Key, rollout_id: str) -> None:
        with self._lock:
            desk = self._desks.get(key)
            if desk is None or desk.scene.rollout_id != rollout_id:
                return
            scene = desk.scene
        now, found, error = self._clock.now(), None, ""
        try:
            with _asking(scene, "alarms"):
                found = alarms.states(self._asked.aws, scene.context, scene.alarms)
        except SluiceError as failure:
            error = str(failure)
        except Exception as failure:  # noqa: BLE001 - the watch must go on
            error = f"{type(failure).__name__}: {failure}"[:500]
        with self._lock:
            desk = self._desks.get(key)
            if desk is None or desk.scene.rollout_id != rollout_id:
                return
            news = (desk.alarms, desk.alarms_error) != (found, error)
            desk.alarms, desk.alarms_error = found, error
            desk.alarms_at = now if found is not None else desk.alarms_at
        self._scheduler.later(ALARM_INTERVAL, lambda: self._watch_alarms(key, rollout_id))
        if news:
            (self._hurry if "ALARM" in (found or {}).values() else self._wake)(key)


@contextlib.contextmanager
def _asking(scene: GateScene, question: str) -> Iterator[None]:
    """Name the object and its rollout in the lines and the span of a question: no pass stands around it."""
    key = scene.context.key
    about = {"kind": key.kind, "namespace": key.namespace, "name": key.name, "uid": scene.uid}
    with (
        structlog.contextvars.bound_contextvars(**about, rollout_id=scene.rollout_id),
        tracing.span(
            "gate",
            begin=lambda: {
                tracing.NAMESPACE: key.namespace,
                tracing.OBJECT_KIND: key.kind,
                tracing.OBJECT_NAME: key.name,
                tracing.OBJECT_UID: scene.uid,
                tracing.SUBJECT: question,
            },
        ),
    ):
        tracing.link(scene.uid, scene.rollout_id)
        yield
