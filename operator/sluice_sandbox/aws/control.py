"""The control API beside AWS's: what happened, what shall go wrong, what time it is.

Plain JSON under /_sandbox/, for tests, for `sluice sandbox` and for curl:

| request | does |
|---|---|
| GET /_sandbox/health | tells that the world is up, and which services are own |
| GET /_sandbox/calls?service=&operation=&outcome=&since=&limit= | the recorded calls, oldest first |
| DELETE /_sandbox/calls | forgets them |
| GET /_sandbox/counts | calls by service, operation and outcome |
| GET, POST, DELETE /_sandbox/faults[/id] | lists, adds, ends faults (`faults.Fault`, `calamities.Calamity`) |
| POST /_sandbox/edits | makes a call by hand, as a person in the console: service, operation, params |
| GET, POST /_sandbox/access | whom IAM binds (`identity.gate`) and whether signatures are verified |
| GET /_sandbox/clock, POST {"advance": seconds} | the world's time; only a virtual clock can be advanced |
| GET /_sandbox/state[/service] | a dump of what the services remember |
| GET /_sandbox/events | the newest state-change events |
| GET /_sandbox/listeners | the loopback URL of each listener by ARN |
| GET, POST /_sandbox/tasks | running tasks; changes or crashes a container (`control_tasks`) |
| GET, POST /_sandbox/images | rules from image patterns to behaviour |
| GET, POST /_sandbox/hooks | hookStatus of Lambda lifecycle hooks: `{"function": pattern, "status": ...}` |
| GET /_sandbox/traffic | request counts and target states by target group |
| GET, POST /_sandbox/load | the CPU and memory that ECS services show (`control_load`) |
| POST /_sandbox/reset | back to the baseline: calls, faults and own services' state |
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web
from botocore.exceptions import ParamValidationError, UnknownServiceError

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.emitter import RememberingEmitter
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.faults import Fault
from sluice_sandbox.aws.wire.models import Value
from sluice_sandbox.aws.world import World

if TYPE_CHECKING:
    from sluice_sandbox.aws.calamities import Calamity

DEFAULT_LIMIT = 1_000
_NUMBERS = frozenset({"probability", "count", "for", "seconds", "since", "status"})
"""Members of faults that are counted with."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """One request: what follows the noun in the path, the query string, the JSON body."""

    detail: str
    query: Mapping[str, str]
    fields: dict[str, Any]


Answer = Callable[[Ask], Value]


class ControlApi:
    """Answers /_sandbox/ for one world; `urls` tells the loopback URL of each listener by ARN."""

    def __init__(self, world: World, *, urls: Callable[[], Mapping[str, str]] = dict) -> None:
        """Control `world`."""
        self._world = world
        self._urls = urls
        from sluice_sandbox.aws.calamities import Calamities  # noqa: PLC0415 - needs ECS

        self._calamities = Calamities(world)
        self._answers: dict[tuple[str, str], Answer] = {
            ("GET", "health"): lambda _: self._health(),
            ("GET", "calls"): self._calls,
            ("DELETE", "calls"): lambda _: self._forget_calls(),
            ("GET", "counts"): lambda _: self._counts(),
            ("GET", "faults"): lambda _: self._faults(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._remove_fault,
            ("POST", "edits"): self._edit,
            ("GET", "access"): lambda _: self._access(),
            ("POST", "access"): self._set_access,
            ("GET", "clock"): lambda _: self._clock(),
            ("POST", "clock"): self._advance,
            ("GET", "state"): self._state,
            ("GET", "events"): lambda _: self._events(),
            ("GET", "listeners"): lambda _: {"listeners": dict(self._urls())},
            ("GET", "traffic"): lambda _: self._traffic(),
            ("GET", "hooks"): lambda _: self._hooks(),
            ("POST", "hooks"): self._answer_hooks,
            ("POST", "reset"): lambda _: self._reset(),
        }
        utilization = world.outside.utilization
        if utilization is not None:
            from sluice_sandbox.aws.control_load import LoadControl  # noqa: PLC0415 - needs ECS

            load = LoadControl(utilization)
            self._answers |= {
                ("GET", "load"): lambda _: load.shown(),
                ("POST", "load"): lambda ask: load.change(ask.fields),
            }
        runtime = world.outside.runtime
        if runtime is not None:
            from sluice_sandbox.aws.control_tasks import TaskControl  # noqa: PLC0415 - needs the data plane

            tasks = TaskControl(runtime)
            self._answers |= {
                ("GET", "tasks"): lambda _: tasks.running(),
                ("POST", "tasks"): lambda ask: tasks.change(ask.fields),
                ("GET", "images"): lambda _: tasks.images(),
                ("POST", "images"): lambda ask: tasks.set_images(ask.fields),
            }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: 200 with JSON, 404 for no such thing, 400 with `error` otherwise."""
        _, _, rest = request.path.strip("/").partition("/")
        noun, _, detail = rest.partition("/")
        answer = self._answers.get((request.method, noun))
        if answer is None:
            return _json({"error": f"no {request.method} {request.path} here; see aws/control.py"}, 404)
        try:
            fields = _object(await request.text()) if request.method == "POST" else {}
            return _json(answer(Ask(detail, request.query, fields)))
        except LookupError as error:
            return _json({"error": str(error.args[0] if error.args else error)}, 404)
        except (ValueError, TypeError) as error:
            return _json({"error": str(error)}, 400)

    def _health(self) -> Value:
        return {"status": "ok", "services": sorted(self._world.services), "calls": self._world.calls.total}

    def _calls(self, ask: Ask) -> Value:
        query = ask.query
        limit = int(query.get("limit", DEFAULT_LIMIT))
        found = self._world.calls.find(
            service=query.get("service", "*"),
            operation=query.get("operation", "*"),
            outcome=query.get("outcome", "*"),
            since=int(query.get("since", 0)),
        )
        calls = [dataclasses.asdict(call) for _, call in zip(range(limit), found, strict=False)]
        return {"calls": calls, "total": self._world.calls.total}

    def _forget_calls(self) -> Value:
        self._world.calls.clear()
        return {}

    def _counts(self) -> Value:
        counts = sorted(self._world.calls.counts().items())
        return {
            "counts": [
                {"service": service, "operation": operation, "outcome": outcome, "count": count}
                for (service, operation, outcome), count in counts
            ],
            "total": self._world.calls.total,
        }

    def _faults(self) -> Value:
        active: tuple[Any, ...] = (*self._world.faults.active(), *self._calamities.active())
        return {"faults": [dataclasses.asdict(fault) for fault in active]}

    def _add_fault(self, ask: Ask) -> Value:
        fields = ask.fields
        for name in _NUMBERS & fields.keys():
            if not isinstance(fields[name], int | float):
                raise TypeError(f"{name} is a number, not {fields[name]!r}")
        if "for" in fields:
            fields["until"] = self._world.clock.now() + float(fields.pop("for"))
        if "count" in fields:  # the command's word for what then counts down
            fields["remaining"] = int(fields.pop("count"))
        from sluice_sandbox.aws.calamities import CALAMITIES, Calamity  # noqa: PLC0415 - needs ECS

        if fields.get("kind") in CALAMITIES:
            _known(fields, Calamity)
            return dataclasses.asdict(self._calamities.begin(Calamity(**fields)))
        _known(fields, Fault)
        fault = self._world.faults.add(Fault(**fields))
        return dataclasses.asdict(fault)

    def _edit(self, ask: Ask) -> Value:
        fields = ask.fields
        try:
            answer = self._calamities.edit(
                str(fields["service"]), str(fields["operation"]), _mapping(fields.get("params", {}))
            )
        except KeyError as error:
            raise ValueError(f"an edit needs {error.args[0]}: {{service, operation, params}}") from error
        except (AwsError, ParamValidationError, UnknownServiceError) as error:
            raise ValueError(str(error)) from error
        return {"response": _plain(answer)}

    def _remove_fault(self, ask: Ask) -> Value:
        if not ask.detail:
            self._world.faults.clear()
            self._calamities.clear()
        elif not self._world.faults.remove(ask.detail) and not self._calamities.end(ask.detail):
            raise LookupError(f"no fault {ask.detail}")
        return {}

    def _access(self) -> Value:
        gate = self._world.outside.gate
        if gate is None:
            raise LookupError("this world has no IAM: its calls are not checked")
        return {"policies": gate.switches.policies, "signatures": gate.switches.signatures}

    def _set_access(self, ask: Ask) -> Value:
        gate = self._world.outside.gate
        if gate is not None:
            gate.switches.turn(**ask.fields)
        return self._access()

    def _clock(self) -> Value:
        return {"now": self._world.clock.now(), "virtual": isinstance(self._world.clock, VirtualClock)}

    def _advance(self, ask: Ask) -> Value:
        clock = self._world.clock
        if not isinstance(clock, VirtualClock):
            raise TypeError("this world runs on real time; only a virtual clock can be advanced")
        clock.advance(float(ask.fields["advance"]))
        return {"now": clock.now(), "virtual": True}

    def _state(self, ask: Ask) -> Value:
        services = self._world.services
        if ask.detail:
            if ask.detail not in services:
                raise LookupError(f"no own service {ask.detail}; there are {', '.join(sorted(services))}")
            return _plain(services[ask.detail].state)
        return {name: _plain(service.state) for name, service in services.items()}

    def _events(self) -> Value:
        emitter = self._world.outside.emitter
        recent = emitter.recent if isinstance(emitter, RememberingEmitter) else ()
        return {"events": [_plain(event) for event in recent]}

    def _traffic(self) -> Value:
        counters = getattr(self._world.services.get("elbv2"), "counters", {})
        return {"counters": _plain(counters() if callable(counters) else counters)}

    def _hooks(self) -> Value:
        ecs = self._world.services.get("ecs")
        return {"answers": _plain(getattr(getattr(ecs, "state", None), "hook_answers", {}))}

    def _answer_hooks(self, ask: Ask) -> Value:
        answer = getattr(self._world.services.get("ecs"), "answer_hooks", None)
        if answer is None:
            raise LookupError("this world has no ECS")
        answer(str(ask.fields.get("function", "*")), str(ask.fields.get("status", "")))
        return self._hooks()

    def _reset(self) -> Value:
        self._calamities.clear()
        self._world.reset()
        return {}


def _mapping(value: Value) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("params is not a JSON object")
    return value


def _known(fields: Mapping[str, Any], rule: type[Fault | Calamity]) -> None:
    """Refuse members that a fault or calamity has not; the error names those that it has."""
    names = {field.name for field in dataclasses.fields(rule)}
    unknown = ", ".join(sorted(set(fields) - names))
    if unknown:
        offered = ", ".join(sorted(names | {"for"}))
        raise ValueError(f"a {fields.get('kind', 'fault')} has no {unknown}; there are {offered}")
    if "kind" not in fields:
        raise ValueError("a fault needs a kind")


def _object(text: str) -> dict[str, Any]:
    fields = json.loads(text or "{}")
    if not isinstance(fields, dict):
        raise TypeError("the body is not a JSON object")
    return fields


def _plain(value: Value) -> Value:
    """Return state as JSON can say it: dataclasses as objects, other keys and values as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {
            key
            if isinstance(key, str)
            else "/".join(map(str, key))
            if isinstance(key, tuple)
            else str(key): _plain(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _json(content: Value, status: int = 200) -> web.Response:
    return web.Response(
        status=status, text=json.dumps(content, default=str) + "\n", content_type="application/json"
    )
