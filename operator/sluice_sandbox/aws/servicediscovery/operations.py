"""Asynchronous operations: SUBMITTED, PENDING, then SUCCESS or FAIL, one at a time on each target.

A handler checks a request, submits a work item and answers with its id; this engine carries it out
when its time has come, by the function registered for its type. What is to be done is kept as plain
data in the item, so that a world put back to an older state has no half-done work: a timer whose item
is gone does nothing.

A fault named `Operation.<TYPE>` (service servicediscovery) lets the operation itself FAIL, as AWS does
when Route 53 throttles Cloud Map. https://docs.aws.amazon.com/cloud-map/latest/api/API_Operation.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sluice_sandbox.aws.errors import AwsError, ConnectionLost
from sluice_sandbox.aws.service import Caller, Handler, Params, Response
from sluice_sandbox.aws.servicediscovery import refusals
from sluice_sandbox.aws.servicediscovery.desk import Desk
from sluice_sandbox.aws.servicediscovery.filters import Rule, matching, page
from sluice_sandbox.aws.servicediscovery.state import FAIL, PENDING, SUBMITTED, SUCCESS, WorkItem

KEPT = 20_000
"""Finished operations remembered in a region; the oldest are forgotten first."""

Execute = Callable[[Caller, WorkItem], None]
"""Carries an operation out; raising `OperationFailed` lets it FAIL and must leave nothing changed."""

Refusal = AwsError | ConnectionLost | None

_CODES = {
    "THROTTLED_REQUEST": ("Throttling", "RequestLimitExceeded", "ThrottlingException"),
    "ACCESS_DENIED": ("AccessDenied", "AccessDeniedException"),
    "EXPIRED_TOKEN": ("ExpiredToken", "ExpiredTokenException"),
}
"""botocore's values of Operation.ErrorCode, with the refusals of a fault that mean them."""
_AS_THEY_ARE = {
    "ACCESS_DENIED",
    "CANNOT_CREATE_HOSTED_ZONE",
    "EXPIRED_TOKEN",
    "HOSTED_ZONE_NOT_FOUND",
    "INTERNAL_FAILURE",
    "INVALID_CHANGE_BATCH",
    "THROTTLED_REQUEST",
}


class OperationFailed(Exception):  # noqa: N818 - it is the operation's state
    """Ends an operation with FAIL."""

    def __init__(self, code: str, message: str) -> None:
        """Fail with botocore's ErrorCode and a text."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class OperationEngine:
    """Submits, carries out and tells of operations."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk
        self._execute: dict[str, Execute] = {}
        self._on_failure: dict[str, Execute] = {}

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"GetOperation": self.get, "ListOperations": self.list}

    def on(self, kind: str, execute: Execute, *, on_failure: Execute | None = None) -> None:
        """Let `execute` carry out the operations of a type, and `on_failure` tidy up after one that FAILs."""
        self._execute[kind] = execute
        if on_failure is not None:
            self._on_failure[kind] = on_failure

    # -------------------------------------------------------------------- engine

    def submit(
        self,
        caller: Caller,
        kind: str,
        *,
        key: str,
        targets: Mapping[str, str],
        change: dict[str, Any],
        seconds: float,
        request_id: str = "",
    ) -> Response:
        """Accept an operation that takes `seconds`, and return the handler's answer.

        `key` names what only one operation may work on at a time. The same request once more
        (`request_id` not '') is the same operation; another one is refused with DuplicateRequest.
        """
        region = self._desk.region(caller)
        running = self.running(caller, key)
        if running is not None:
            if request_id and (running.request_id, running.kind) == (request_id, kind):
                return {"OperationId": running.id}
            raise refusals.duplicate_request(running.id)
        now = self._desk.clock.now()
        item = WorkItem(
            id=self._desk.operation_id(),
            kind=kind,
            targets=dict(targets),
            change=change,
            request_id=request_id,
            submitted=now,
            updated=now,
        )
        region.operations[item.id] = item
        region.busy[key] = item.id
        self._forget_old(caller)
        pick_up = min(self._desk.settings.pace.pick_up, seconds / 2)
        self._desk.clock.call_later(pick_up, lambda: self._pick_up(caller, item.id))
        self._desk.clock.call_later(seconds, lambda: self._finish(caller, item.id, key))
        return {"OperationId": item.id}

    def running(self, caller: Caller, key: str) -> WorkItem | None:
        """Return the operation that works on `key` at the moment."""
        region = self._desk.region(caller)
        item = region.operations.get(region.busy.get(key, ""))
        return item if item is not None and item.running else None

    def _pick_up(self, caller: Caller, operation_id: str) -> None:
        item = self._desk.region(caller).operations.get(operation_id)
        if item is not None and item.status == SUBMITTED:
            item.status, item.updated = PENDING, self._desk.clock.now()

    def _finish(self, caller: Caller, operation_id: str, key: str) -> None:
        """Carry an operation out, as soon and as well as the faults let it."""
        if not self._is_running(caller, operation_id):
            return
        item = self._desk.region(caller).operations[operation_id]
        mishap = self._desk.outlook.mishap(caller, item.kind)
        if mishap is None:
            self._end(caller, operation_id, key, None)
        elif mishap.latency:
            refusal = mishap.refusal
            self._desk.clock.call_later(mishap.latency, lambda: self._end(caller, operation_id, key, refusal))
        else:
            self._end(caller, operation_id, key, mishap.refusal)

    def _end(self, caller: Caller, operation_id: str, key: str, refusal: Refusal) -> None:
        if not self._is_running(caller, operation_id):
            return
        region = self._desk.region(caller)
        item = region.operations[operation_id]
        if region.busy.get(key) == operation_id:
            del region.busy[key]
        item.status = SUCCESS
        try:
            _refuse(refusal)
            self._execute[item.kind](caller, item)
        except OperationFailed as failure:
            item.status, item.error_code, item.error_message = FAIL, failure.code, failure.message
            if item.kind in self._on_failure:
                self._on_failure[item.kind](caller, item)
        item.updated = self._desk.clock.now()

    def _is_running(self, caller: Caller, operation_id: str) -> bool:
        """Tell whether an operation is there and has not ended: a world put back has forgotten some."""
        item = self._desk.region(caller).operations.get(operation_id)
        return item is not None and item.running

    def _forget_old(self, caller: Caller) -> None:
        operations = self._desk.region(caller).operations
        if len(operations) > KEPT:
            oldest = next(iter(operations))
            if not operations[oldest].running:
                del operations[oldest]

    # --------------------------------------------------------------------- calls

    def get(self, caller: Caller, params: Params) -> Response:
        """Tell of one operation, for as long as it is remembered, however often it was listed."""
        item = self._desk.region(caller).operations.get(params["OperationId"])
        if item is None or params.get("OwnerAccount", caller.account) != caller.account:
            raise refusals.operation_not_found(params["OperationId"])
        shown: Response = {
            "Id": item.id,
            "OwnerAccount": caller.account,
            "Type": item.kind,
            "Status": item.status,
            "CreateDate": item.submitted,
            "UpdateDate": item.updated,
            "Targets": dict(item.targets),
        }
        if item.status == FAIL:
            shown |= {"ErrorCode": item.error_code, "ErrorMessage": item.error_message}
        return {"Operation": shown}

    def list(self, caller: Caller, params: Params) -> Response:
        """List operations, the newest first; a page is taken first and filtered then (botocore)."""
        keep = matching(params.get("Filters") or [], _RULES)
        items = list(reversed(self._desk.region(caller).operations.values()))
        return page(
            params,
            items,
            member="Operations",
            key=lambda item: item.id,
            show=lambda item: {"Id": item.id, "Status": item.status},
            keep=keep,
        )


def _refuse(refusal: Refusal) -> None:
    """Let the operation fail if a fault refused it, with the ErrorCode that means the refusal."""
    if refusal is None:
        return
    if not isinstance(refusal, AwsError):
        raise OperationFailed("INTERNAL_FAILURE", str(refusal))
    code = next((code for code, names in _CODES.items() if refusal.code in names), "INTERNAL_FAILURE")
    if refusal.code in _AS_THEY_ARE:
        code = refusal.code
    raise OperationFailed(code, refusal.message or "The operation failed.")


def _status(value: str) -> str:
    """Return a filter's status as operations have it: the API's page calls SUCCESS also SUCCEED."""
    return SUCCESS if value == "SUCCEED" else value


_RULES: dict[str, Rule[WorkItem]] = {
    "NAMESPACE_ID": Rule(
        read=lambda item: item.targets.get("NAMESPACE") or item.change.get("namespace_id", ""),
        conditions=("EQ",),
    ),
    "SERVICE_ID": Rule(
        read=lambda item: item.targets.get("SERVICE") or item.change.get("service_id", ""),
        conditions=("EQ",),
    ),
    "STATUS": Rule(
        read=lambda item: item.status,
        conditions=("EQ", "IN"),
        values=frozenset({SUBMITTED, PENDING, SUCCESS, FAIL}),
        spell=_status,
    ),
    "TYPE": Rule(
        read=lambda item: item.kind,
        conditions=("EQ", "IN"),
        values=frozenset(
            {
                "CREATE_NAMESPACE",
                "DELETE_NAMESPACE",
                "UPDATE_NAMESPACE",
                "UPDATE_SERVICE",
                "REGISTER_INSTANCE",
                "DEREGISTER_INSTANCE",
            }
        ),
    ),
    "UPDATE_DATE": Rule(read=lambda item: str(item.updated), conditions=("BETWEEN",)),
}
