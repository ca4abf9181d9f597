"""What VPC Lattice remembers, and what its handlers share: records, refusals, ids, idempotence, pages.

Every resource is a `Record`: its own members stay in botocore's spelling in `spec`. Creation takes a moment
(CREATE_IN_PROGRESS, then ACTIVE); deletion is answered as in progress and has taken place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.pages import page
from sluice_sandbox.aws.ports import Estate, Network
from sluice_sandbox.aws.service import Caller, Params, Response

CREATION_SECONDS = 0.2
"""World seconds in CREATE_IN_PROGRESS; AWS names no figure."""
DEFAULT_PAGE = 100
MAX_TAGS = 50

SERVICE, NETWORK, GROUP, LISTENER, RULE = "SERVICE", "SERVICE_NETWORK", "TARGET_GROUP", "LISTENER", "RULE"
SERVICE_ASSOCIATION = "SERVICE_NETWORK_SERVICE_ASSOCIATION"
VPC_ASSOCIATION = "SERVICE_NETWORK_VPC_ASSOCIATION"
PREFIXES = {
    SERVICE: ("svc", "service"),
    NETWORK: ("sn", "servicenetwork"),
    GROUP: ("tg", "targetgroup"),
    LISTENER: ("listener", "listener"),
    RULE: ("rule", "rule"),
    SERVICE_ASSOCIATION: ("snsa", "servicenetworkserviceassociation"),
    VPC_ASSOCIATION: ("snva", "servicenetworkvpcassociation"),
}
"""By kind: the id's prefix and the ARN's path segment."""


@dataclass(slots=True, kw_only=True)
class Target:
    """One registered target."""

    id: str
    port: int | None
    drain_until: float | None = None


@dataclass(slots=True, kw_only=True)
class Record:
    """One resource. `parent` is the id of the service of a listener, of the listener of a rule."""

    kind: str
    id: str
    arn: str
    created_at: float
    updated_at: float
    spec: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    parent: str = ""
    client_token: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    targets: dict[tuple[str, int | None], Target] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name, '' for what has none."""
        return str(self.spec.get("name", ""))


@dataclass(slots=True)
class Books:
    """One account's resources in one Region, by id, in order of creation."""

    records: dict[str, Record] = field(default_factory=dict)

    def of(self, kind: str, *, parent: str | None = None) -> Iterator[Record]:
        """Return the records of a kind, those of one parent if it is named."""
        return (
            record
            for record in self.records.values()
            if record.kind == kind and (parent is None or record.parent == parent)
        )


@dataclass(slots=True)
class State:
    """All books by (account, Region)."""

    books: dict[tuple[str, str], Books] = field(default_factory=dict)


class Desk:
    """The shared surroundings of all handlers."""

    def __init__(self, clock: Clock, *, estate: Estate, network: Network, rng: random.Random) -> None:
        """Start with empty books."""
        self.clock = clock
        self.estate = estate
        self.network = network
        self.state = State()
        self._rng = rng

    def books(self, caller: Caller) -> Books:
        """Return the caller's books."""
        return self.state.books.setdefault((caller.account, caller.region), Books())

    def find(self, caller: Caller, kind: str, identifier: str, *, parent: str | None = None) -> Record:
        """Return a resource by id or ARN, or refuse with ResourceNotFoundException."""
        found = self.books(caller).records.get(identifier.rsplit("/", 1)[-1])
        if (
            found is None
            or found.kind != kind
            or (parent is not None and found.parent != parent)
            or (identifier.startswith("arn:") and found.arn != identifier)
        ):
            raise not_found(kind, identifier)
        return found

    def repeated(self, caller: Caller, kind: str, params: Params) -> Record | None:
        """Return what an earlier call with the same clientToken made; refuse the token of another request."""
        token = params.get("clientToken")
        for record in self.books(caller).of(kind) if token else ():
            if record.client_token == token:
                if record.request != params:
                    raise conflict(record, "The clientToken was used for another request")
                return record
        return None

    def add(
        self, caller: Caller, kind: str, spec: dict[str, Any], *, params: Params, parent: Record | None = None
    ) -> Record:
        """Keep a new resource; its name must be free among its siblings (ConflictException)."""
        books = self.books(caller)
        for sibling in books.of(kind, parent=parent.id if parent is not None else None):
            if sibling.name and sibling.name == spec.get("name"):
                raise conflict(sibling, f"{kind} with name {sibling.name} already exists")
        prefix, segment = PREFIXES[kind]
        new_id = f"{prefix}-{self._rng.getrandbits(68):017x}"
        base = parent.arn if parent is not None else f"arn:aws:vpc-lattice:{caller.region}:{caller.account}:"
        now = self.clock.now()
        record = books.records[new_id] = Record(
            kind=kind,
            id=new_id,
            arn=f"{base}/{segment}/{new_id}" if parent is not None else f"{base}{segment}/{new_id}",
            created_at=now,
            updated_at=now,
            spec=spec,
            tags=checked_tags({}, params.get("tags", {})),
            parent=parent.id if parent is not None else "",
            client_token=params.get("clientToken", ""),
            request=dict(params),
        )
        return record

    def remove(self, caller: Caller, record: Record) -> None:
        """Forget a resource and what belongs to it."""
        books = self.books(caller)
        for child in [item for item in books.records.values() if item.parent == record.id]:
            self.remove(caller, child)
        del books.records[record.id]

    def touch(self, record: Record) -> None:
        """Note that a resource changed."""
        record.updated_at = self.clock.now()

    def status(self, record: Record) -> str:
        """Return CREATE_IN_PROGRESS or ACTIVE."""
        return "ACTIVE" if self.clock.now() >= record.created_at + CREATION_SECONDS else "CREATE_IN_PROGRESS"

    def listed(
        self, records: list[Record], params: Params, show: Callable[[Record], dict[str, Any]]
    ) -> Response:
        """Return a page of `records`."""
        chosen, token = page(
            records,
            params.get("nextToken"),
            size=params.get("maxResults", DEFAULT_PAGE),
            key=lambda record: record.id,
            refusal=invalid("nextToken is not one that this API gave out", field="nextToken"),
        )
        answer: Response = {"items": [show(record) for record in chosen]}
        return answer | ({"nextToken": token} if token else {})

    def summary(self, record: Record) -> Response:
        """Return what every answer says of a resource."""
        return {"id": record.id, "arn": record.arn} | ({"name": record.name} if record.name else {})

    def dated(self, record: Record) -> Response:
        """Return the summary with its times."""
        times = {"createdAt": record.created_at, "lastUpdatedAt": record.updated_at}
        return self.summary(record) | times


def not_found(kind: str, identifier: str) -> AwsError:
    """Return ResourceNotFoundException (404) with the members of its shape; text from memory."""
    noun = kind.replace("_", " ").capitalize()
    return AwsError(
        "ResourceNotFoundException",
        f"{noun} {identifier} not found",
        status=404,
        members={"resourceId": identifier, "resourceType": kind},
    )


def conflict(record: Record, text: str) -> AwsError:
    """Return ConflictException (409) with the members of its shape."""
    return AwsError(
        "ConflictException", text, status=409, members={"resourceId": record.id, "resourceType": record.kind}
    )


def invalid(text: str, *, field: str = "") -> AwsError:
    """Return ValidationException (400), naming the field."""
    members: dict[str, Any] = {"reason": "fieldValidationFailed" if field else "other"}
    if field:
        members["fieldList"] = [{"name": field, "message": text}]
    return AwsError("ValidationException", text, members=members)


def checked_tags(present: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """Return `present` with `given` over it, or refuse."""
    for key, value in given.items():
        if key.lower().startswith("aws:") or not 1 <= len(key) <= 128 or len(value) > 256:
            raise invalid(f"Tag key '{key}': 1 to 128 characters, values up to 256, not aws:", field="tags")
    result = present | given
    if len(result) > MAX_TAGS:
        raise invalid(f"A resource has at most {MAX_TAGS} tags", field="tags")
    return result
