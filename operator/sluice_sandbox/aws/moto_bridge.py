"""moto behind the stand-in's port, for the services that are not ours.

moto answers EC2, IAM, STS and the like well enough, but it is not safe for threads and slow, so it
gets one worker thread and one lock, and never `ecs` or `elbv2`. It is used as a library, through the
object that its botocore stub dispatches with; its server and that server's dependencies are not needed.
moto's backends are global to a process: two worlds in one process must use different accounts.
moto has its own clock, the wall's. Imports happen on a service's first call and take up to a second.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import botocore.awsrequest
import botocore.compat
import botocore.parsers
import botocore.serialize

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.moto_estate import MotoEstate
from sluice_sandbox.aws.refusals import unsupported
from sluice_sandbox.aws.service import Caller, Params, Response
from sluice_sandbox.aws.wire import models
from sluice_sandbox.aws.wire.exchange import RawRequest
from sluice_sandbox.aws.wire.models import Value

_log = logging.getLogger(__name__)

SERVICES = frozenset(
    {
        "ec2",
        "events",
        "iam",
        "kms",
        "lambda",
        "logs",
        "resourcegroupstaggingapi",
        "route53",
        "s3",
        "secretsmanager",
        "sns",
        "sqs",
        "ssm",
        "sts",
    }
)
"""What moto may answer; of tagging only its own services' part. Anything else is refused by name."""

_GLOBAL_HOSTS = {"iam": "iam.amazonaws.com", "route53": "route53.amazonaws.com"}
_PROTOCOLS = ("ec2", "rest-xml", "rest-json", "query", "json")
"""What moto reads and writes, in the order it does best; it knows no CBOR."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RawResponse:
    """moto's HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class MotoBridge:
    """The one way to moto. Close it to end its thread."""

    def __init__(self) -> None:
        """Import nothing of moto yet."""
        # AWS's managed policies exist in every account: 0.1 s and 20 MB for what people attach to roles.
        os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        # No task runs on an AMI: 0.2 s for each account and Region that nobody looks at.
        os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        models.share_files()
        self.lock = threading.RLock()
        self.estate = MotoEstate(self.lock)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moto")
        self._used: set[str] = set()
        self._callers: dict[tuple[str, str], Caller] = {}

    def close(self) -> None:
        """Let the worker finish what it has and end."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def used(self, service: str) -> bool:
        """Tell whether any call has gone to this service of moto's."""
        return service in self._used

    def in_use(self) -> bool:
        """Tell whether any call has gone to any of moto's services."""
        return bool(self._used)

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Run `work` in moto's thread, under the lock."""

        def locked() -> _T:
            with self.lock:
                return work()

        return self._thread.submit(locked)

    # ------------------------------------------------------------------ calls

    def call(self, caller: Caller, service: str, operation: str, params: Params) -> Response:
        """Make a call in process, through botocore's own serialiser and parser.

        Raises AwsError; returns what boto3 would, without ResponseMetadata.
        """
        model = models.service_model(service)
        if operation not in model.operation_names:
            raise unsupported(service, operation)
        operation_model = model.operation_model(operation)
        protocol = _protocol(service)
        parts = botocore.serialize.create_serializer(protocol).serialize_to_request(params, operation_model)
        body = parts["body"]
        request = botocore.awsrequest.AWSRequest(
            method=parts["method"],
            url=f"https://{_host(service, caller.region)}{parts['url_path']}",
            headers={**parts["headers"], **_identity(caller, service)},
            data=body,
            params=parts["query_string"],
        ).prepare()
        answer = self._dispatch(service, request)
        parsed = botocore.parsers.create_parser(protocol).parse(
            {"headers": _headers(answer.headers), "status_code": answer.status, "body": answer.body},
            operation_model.output_shape,
        )
        parsed.pop("ResponseMetadata", None)
        if answer.status >= 300:
            error = parsed.get("Error", {})
            raise AwsError(
                str(error.get("Code", answer.status)), str(error.get("Message", "")), status=answer.status
            )
        return dict(parsed)

    def forward(self, caller: Caller, service: str, request: RawRequest) -> RawResponse:
        """Answer an HTTP request as moto's server would; called in moto's thread by the wire."""
        if service not in SERVICES:
            raise unsupported(service, request.method)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        headers["x-moto-account-id"] = caller.account
        prepared = botocore.awsrequest.AWSPreparedRequest(
            request.method,
            f"https://{_host(service, caller.region)}{request.target}",
            _headers(headers),
            request.body,
            stream_output=False,
        )
        return self._dispatch(service, prepared)

    def operation_name(self, caller: Caller, service: str, request: RawRequest) -> str:
        """Name the operation of a REST request; `GET /path` when the model has no such route."""
        from moto.core.request import Request  # noqa: PLC0415 - moto is imported on first use
        from moto.core.routing import get_service_router  # noqa: PLC0415 - likewise
        from werkzeug.exceptions import HTTPException  # noqa: PLC0415 - likewise

        try:
            normal = Request.from_primitives(
                request.method,
                f"https://{_host(service, caller.region)}{request.target}",
                dict(request.headers),
                request.body,
            )
            return str(get_service_router(service).match(normal)[0].name)
        except HTTPException:  # no operation is like that; the call itself is judged by moto
            return f"{request.method} {request.path}"
        except Exception:  # noqa: BLE001 - a defect of moto's routing must not be one of the call
            _log.exception("%s %s has no name", request.method, request.path)
            return f"{request.method} {request.path}"

    def _dispatch(self, service: str, request: Value) -> RawResponse:
        if service not in SERVICES:
            raise unsupported(service, str(request.method))
        from moto.core.botocore_stubber import BotocoreStubber  # noqa: PLC0415 - imported on first use

        with self.lock:
            self._used.add(service)
            answer = BotocoreStubber().process_request(request)
        if answer is None:
            raise unsupported(service, f"{request.method} {request.url}")
        status, headers, body = answer
        return RawResponse(
            int(status), dict(headers), body if isinstance(body, bytes) else str(body).encode()
        )

    # --------------------------------------------------------------- identity

    def caller(self, access_key: str, region: str) -> Caller | None:
        """Return who owns a key that moto's STS or IAM has given out, None for any other key."""
        if not self._used & {"sts", "iam"}:
            return None
        found = self._callers.get((access_key, region))
        if found is None:
            with self.lock:
                found = _owner(access_key, region)
            if found is not None and access_key.startswith("ASIA"):
                self._callers[access_key, region] = found
        return found


def _owner(access_key: str, region: str) -> Caller | None:
    from moto.iam.models import iam_backends  # noqa: PLC0415 - imported on first use
    from moto.sts.models import sts_backends  # noqa: PLC0415 - likewise

    for account, partitions in list(sts_backends.items()):
        role = partitions["aws"].get_assumed_role_from_access_key(access_key)
        if role is not None:
            return Caller(account=account, region=region, access_key=access_key, principal=role.arn)
    for account, partitions in list(iam_backends.items()):
        user = partitions["aws"].get_user_from_access_key_id(access_key)
        if user is not None:
            return Caller(account=account, region=region, access_key=access_key, principal=user.arn)
    return None


def _headers(items: Mapping[str, str]) -> Value:
    headers = botocore.compat.HTTPHeaders()
    for name, value in items.items():
        headers[name] = str(value)
    return headers


@cache
def _protocol(service: str) -> str:
    offered = models.service_model(service).metadata.get("protocols", ())
    return next(protocol for protocol in _PROTOCOLS if protocol in offered)


@cache
def _host(service: str, region: str) -> str:
    if service in _GLOBAL_HOSTS:
        return _GLOBAL_HOSTS[service]
    prefix = models.service_model(service).metadata["endpointPrefix"]
    return f"{prefix}.{region}.amazonaws.com"


def _identity(caller: Caller, service: str) -> dict[str, str]:
    scope = f"{caller.access_key}/20260101/{caller.region}/{models.service_model(service).signing_name}"
    return {
        "x-moto-account-id": caller.account,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}/aws4_request, SignedHeaders=host, Signature=0",
    }
