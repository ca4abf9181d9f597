"""What the controllers need of the outside world, as narrow as the controllers' use of it.

Each port has one production implementation (named in its docstring) and one for simulation, where
time is virtual and every call can fail. All of them may be called from many worker threads at once
and none blocks longer than its own timeout; a missing AWS budget token raises `Deferred`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sluice.model.actions import Action, Applied
from sluice.model.binding import Binding, CallContext
from sluice.model.keys import Key
from sluice.model.rollout import HookRequest, MetricRequest
from sluice.model.situation import GateFacts
from sluice.model.strategy import Hook
from sluice.model.traffic import SlotTarget

Object = Mapping[str, Any]
"""A Kubernetes object or an AWS structure as its API returns it; never mutated by who reads it."""


class Clock(Protocol):
    """Time. `runtime.clock.SystemClock`; virtual in simulation."""

    def now(self) -> float:
        """Return wall time, epoch seconds."""

    def monotonic(self) -> float:
        """Return seconds that never jump; comparable within one process only."""


class Store(Protocol):
    """The last seen state of every custom resource. `runtime.store.ObjectStore`."""

    def get(self, key: Key) -> Object | None:
        """Return the object, None when it does not exist."""

    def keys(self, kind: str) -> Sequence[Key]:
        """Return the keys of one kind."""

    def routes_to(self, key: Key) -> Sequence[Object]:
        """Return the ServiceRoutes that refer to the Deployment `key`, ordered by name."""

    def newest(self, key: Key, resource_version: str) -> None:
        """Remember that this process wrote `resource_version`: older events of `key` are echoes."""


class Kubernetes(Protocol):
    """Writes and the few direct reads. `runtime.kube.KubernetesApi`.

    Errors: WriteConflict on 409 and on 404 of the object; anything else as Retryable.
    """

    def patch_status(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Replace `status` under the object's resourceVersion; return the object as written."""

    def set_finalizers(self, obj: Object, finalizers: Sequence[str]) -> Object:
        """Replace `metadata.finalizers` under the object's resourceVersion; return the object."""

    def config_map(self, namespace: str, name: str) -> Object | None:
        """Return a ConfigMap, None when it does not exist."""

    def secret(self, namespace: str, name: str) -> Object | None:
        """Return a Secret, None when it does not exist."""

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Return the labels of a namespace, from a short-lived cache (tenancy selectors)."""

    def revisions(self, key: Key) -> Sequence[Object]:
        """Return the ControllerRevisions of a Deployment, oldest first."""

    def create_revision(self, owner: Object, name: str, *, number: int, data: Mapping[str, Any]) -> None:
        """Create a ControllerRevision owned by `owner`; one that exists already is left as it is."""

    def delete_revision(self, namespace: str, name: str) -> None:
        """Delete a ControllerRevision; one that is gone is fine."""


class Recorder(Protocol):
    """Kubernetes Events, de-duplicated and rate limited. `runtime.recorder.EventRecorder`."""

    def event(self, obj: Object, *, type_: str, reason: str, message: str) -> None:
        """Record an Event about `obj`; never raises and never blocks."""


class Ledger(Protocol):
    """Counts what is decided. `telemetry.ledger.Ledger`. Never raises and never blocks."""

    def planned(self, key: Key, reason: str, message: str) -> None:
        """Take a decision that is about to be carried out, whatever becomes of it."""

    def told(self, key: Key, reason: str, message: str) -> None:
        """Take a decision that is told as an Event."""


class NoLedger:
    """A ledger of a world in which nobody counts."""

    def planned(self, key: Key, reason: str, message: str) -> None:
        """Count nothing."""

    def told(self, key: Key, reason: str, message: str) -> None:
        """Count nothing."""


class Aws(Protocol):
    """The one gateway to AWS: budget, deadline, lease guard, metrics, audit, dry run. `aws.gateway`."""

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, context: CallContext
    ) -> Mapping[str, Any]:
        """Make one call; raises Deferred, AwsFailure or LeadershipLost.

        Reads are retried inside, writes are sent once: a resend after a lost answer would happen
        below the look-up that makes it safe.
        """


class Executor(Protocol):
    """Applies plans. `apply.executor.PlanExecutor`."""

    def run(
        self,
        actions: Sequence[Action],
        *,
        key: Key,
        binding: Binding,
        still_current: Callable[[], bool],
    ) -> Applied:
        """Send the actions in order and stop at the first that fails; independent ones are all tried.

        For each: take the budget token first, then ask `still_current()`, then send (rollout.md §7
        point 2). Raises what the gateway raises, with the outputs so far in `ApplyFailed`.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """What clients of Cloud Map's API get for one service, whatever the health (DiscoverInstances, ALL)."""

    instances: Mapping[str, Object]
    """Instance id → HttpInstanceSummary."""
    revision: int | None
    """InstancesRevision; None where AWS knows no such service yet."""
    complete: bool = True
    """False when there may be more instances than one answer holds."""


class CloudMap(Protocol):
    """What is true in AWS Cloud Map. `observe.cloud_map.CloudMapFacts`; rules as for `Facts`.

    Namespaces and services have `Tags` as a mapping.
    """

    def namespaces(self, context: CallContext, name: str, *, max_age: float) -> Sequence[Object]:
        """Return every namespace of that name: one of each type, and a private one per VPC."""

    def namespace(self, context: CallContext, namespace_id: str, *, max_age: float) -> Object | None:
        """Return a namespace by its id."""

    def service(
        self, context: CallContext, *, namespace_id: str, name: str, service_id: str, max_age: float
    ) -> Object | None:
        """Return a service of a namespace by its name; `service_id` is what the status knows, or ''."""

    def instances(
        self, context: CallContext, service_id: str, *, revision: int | None, max_age: float
    ) -> Mapping[str, Object]:
        """Return instance id → InstanceSummary; listed again when `revision` is not the list's."""

    def discovered(self, context: CallContext, *, namespace: str, service: str, max_age: float) -> Discovered:
        """Return what clients get; `namespace` is its HTTP name, `service` the service's name."""

    def operations(
        self, context: CallContext, ids: Sequence[str], *, service_id: str
    ) -> Mapping[str, Object]:
        """Return operation id → Operation of those that AWS still knows; failed ones with their error."""


class Facts(Protocol):
    """What is true in AWS: batched, cached reads. `observe.facts.AwsFacts`.

    `max_age` is in seconds: an answer at most that old may come from the cache; 0 reads now.
    Structures are AWS's own with `Tags`/`tags` included where the API has them. None or absence means
    that AWS said it does not exist; a failure to ask raises (Deferred, AwsFailure).
    """

    def service(self, context: CallContext, *, cluster: str, name: str, max_age: float) -> Object | None:
        """Return a service with tags (DescribeServices, ten at a time). INACTIVE counts as None."""

    def service_deployments(self, context: CallContext, *, cluster: str, service: str) -> Sequence[Object]:
        """Return the newest service deployments, newest first.

        Each has `targetServiceRevision` replaced by the described service revision (its task
        definition and container images).
        """

    def task_definition(self, context: CallContext, arn: str) -> Object | None:
        """Return a task definition with `tags` and `status`; cached for ever except its status."""

    def find_task_definitions(self, context: CallContext, family: str, *, limit: int) -> Sequence[Object]:
        """Return the newest ACTIVE revisions of a family with their tags, newest first."""

    def tasks(
        self, context: CallContext, *, cluster: str, service: str, status: str, max_age: float
    ) -> Sequence[Object]:
        """Return the tasks of a service; `status` is desired status RUNNING or STOPPED."""

    def protected(
        self, context: CallContext, *, cluster: str, tasks: Sequence[str], max_age: float
    ) -> Mapping[str, float]:
        """Return task ARN → epoch seconds until which ECS does not end it by itself, 0 for not protected."""

    @property
    def cloud_map(self) -> CloudMap:
        """Return what is true in Cloud Map."""

    def load_balancer(self, context: CallContext, name_or_arn: str) -> Object | None:
        """Return a load balancer."""

    def listener(self, context: CallContext, arn: str) -> Object | None:
        """Return a listener."""

    def listeners(self, context: CallContext, load_balancer_arn: str) -> Sequence[Object]:
        """Return the listeners of a load balancer."""

    def rules(self, context: CallContext, listener_arn: str, *, max_age: float) -> Sequence[Object]:
        """Return the listener's rules with `Tags` (a mapping), by priority, default rule last.

        Raises AwsFailure kind not-found when the listener is gone.
        """

    def rules_by_arn(self, context: CallContext, arns: Sequence[str]) -> Mapping[str, Object]:
        """Read rules now; absent ones do not exist."""

    def target_groups(
        self, context: CallContext, names: Sequence[str], *, max_age: float
    ) -> Mapping[str, Object]:
        """Return target groups by name, with `Tags` (a mapping) and `Attributes` (a mapping)."""

    def target_health(self, context: CallContext, arn: str, *, max_age: float) -> Sequence[Object]:
        """Return TargetHealthDescriptions."""

    def log_lines(self, context: CallContext, *, group: str, stream: str, limit: int) -> Sequence[str]:
        """Return the newest messages of a CloudWatch Logs stream, oldest first."""

    def forget(self, binding: Binding, *subjects: str) -> None:
        """Drop what is cached about these ARNs or names: the next look reads AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateScene:
    """What a gate's question is about: enough to ask AWS, Prometheus or a webhook without a controller."""

    context: CallContext
    uid: str
    rollout_id: str
    revisions: Mapping[str, str] = field(default_factory=dict)
    """`candidate`, `source` → revision name, for receivers."""
    groups: Mapping[str, Sequence[SlotTarget]] = field(default_factory=dict)
    """Slot → its target groups with their load balancers: dimensions of load-balancer metrics."""
    alarms: Sequence[str] = ()
    """CloudWatch alarms to watch."""
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    """Name → the strategy's hook."""
    task: Mapping[str, Any] = field(default_factory=dict)
    """RunTask's parameters for the candidate, without overrides: cluster, startedBy, taskDefinition,
    networkConfiguration, launchType or capacityProviderStrategy, tags."""
    attempts: frozenset[str] = frozenset()
    """Ids of the hooks' attempts whose answer is waited for, asked for in this pass or not."""


class Gates(Protocol):
    """Measures metrics, watches alarms and runs hooks beside the passes. `analysis.gates.GateKeeper`.

    Nothing here blocks: questions are answered in threads of their own, each within its timeout, and
    `key` is woken when an answer is there. All of it is memory: after a restart the machine asks again
    under the same ids, which are idempotency keys.
    """

    def answers(self, key: Key) -> GateFacts:
        """Return what has been answered so far."""

    def ask(
        self, scene: GateScene, *, metrics: Sequence[MetricRequest], hooks: Sequence[HookRequest]
    ) -> None:
        """See that these are being answered, and end what is no longer asked for."""

    def forget(self, key: Key) -> None:
        """End everything about an object that is gone or has no rollout."""

    def collect(self, scene: GateScene, *, then: Callable[[], None] = lambda: None) -> None:
        """See that hooks' tasks which nobody waits for end, those of processes before this one, too.

        `scene` needs no more than context, uid, cluster, startedBy, and the attempts that are waited for.
        `then` is called once it was looked for them.
        """


class NoGates:
    """Gates of a world in which nobody can be asked: nothing is ever answered."""

    def answers(self, key: Key) -> GateFacts:
        """Return no answer."""
        del key
        return GateFacts()

    def ask(
        self, scene: GateScene, *, metrics: Sequence[MetricRequest], hooks: Sequence[HookRequest]
    ) -> None:
        """Ask nobody."""

    def forget(self, key: Key) -> None:
        """Remember nothing."""

    def collect(self, scene: GateScene, *, then: Callable[[], None] = lambda: None) -> None:
        """Nothing was ever started."""
        del scene
        then()


class RequestCounts(Protocol):
    """What the load balancer counted for routes in motion. `analysis.observed.RequestCounter`.

    Nothing here blocks or asks AWS; the numbers are a minute or two old, and memory.
    """

    def watch(self, context: CallContext, targets: Mapping[str, Sequence[SlotTarget]]) -> None:
        """Count for these backends (name → target groups) of the route `context.key`; {} ends it."""

    def counted(self, key: Key, backend: str, *, since: float) -> Mapping[str, int] | None:
        """Return slot → requests of the last whole minutes after `since`; None while there is none."""


class NoRequestCounts:
    """Request counts of a world in which nobody counts."""

    def watch(self, context: CallContext, targets: Mapping[str, Sequence[SlotTarget]]) -> None:
        """Watch nothing."""

    def counted(self, key: Key, backend: str, *, since: float) -> Mapping[str, int] | None:
        """Return no number."""
        del key, backend, since
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ports a controller works with."""

    store: Store
    kubernetes: Kubernetes
    facts: Facts
    executor: Executor
    recorder: Recorder
    clock: Clock
    gates: Gates = field(default_factory=NoGates)
    requests: RequestCounts = field(default_factory=NoRequestCounts)
    ledger: Ledger = field(default_factory=NoLedger)
    leader_epoch: Callable[[], int] = lambda: 0
    """The Lease's transitions, as this process took it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the queue does next with a key: look again at `wake_at` (epoch seconds) at the latest."""

    wake_at: float | None = None
    urgent: tuple[Key, ...] = ()
    """Keys to run at once: the other side of the traffic contract (rollout.md §7 point 9)."""
    rollback: bool = False
    """A rollback is in motion: the fastest lane."""


class Controller(Protocol):
    """Level-triggered reconcile of one key. Runs in a worker thread, one run per key at a time."""

    def reconcile(self, key: Key) -> Result:
        """Make AWS equal to the spec as far as one pass can; raises SluiceError."""
