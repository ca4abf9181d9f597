"""One operation of one service, compiled from its model: what goes in, what comes out.

Compiling takes a few milliseconds and happens on an operation's first call; calls afterwards cost a
walk over the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property

import botocore.validate
from botocore.exceptions import ParamValidationError

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Params, Response
from sluice_sandbox.aws.wire import models, validation
from sluice_sandbox.aws.wire.models import Value
from sluice_sandbox.aws.wire.query import QueryReader, XmlWriter, form
from sluice_sandbox.aws.wire.rendering import CBOR, JSON, PYTHON, Render, Renderer
from sluice_sandbox.aws.wire.rest import RestReader
from sluice_sandbox.aws.wire.validation import NATIVE, TEXT, Check, Problem, Validator

VALIDATION_CODES = {
    "ecs": "InvalidParameterException",
    "ecr": "InvalidParameterException",
    "resourcegroupstaggingapi": "InvalidParameterException",
    "elbv2": "ValidationError",
    "cloudwatch": "ValidationError",
    "servicediscovery": "InvalidInput",
    "application-autoscaling": "ValidationException",
}
"""The code of a request that breaks the model: each service's own error shape where it has one, the
framework's ValidationException (json) or ValidationError (query) otherwise. Partly from memory."""

_NAMES_FIELDS = frozenset({"vpc-lattice"})
"""Services whose ValidationException carries `reason` and `fieldList` (their shapes require the reason)."""


class Operation:
    """An operation's compiled input and output."""

    def __init__(self, service: str, name: str) -> None:
        """Look `name` up in the model; raises AwsError for an operation that AWS does not have."""
        self.service = service
        self.name = name
        model = models.service_model(service)
        if name not in model.operation_names:
            raise unknown_operation(service, name)
        self._model = model.operation_model(name)
        self._toolbox = _toolbox(service)

    # ------------------------------------------------------------------ input

    def accept(self, params: Params) -> Params:
        """Check parameters given in process, as boto3 and then the service would.

        Raises botocore's ParamValidationError for what boto3 refuses to send, AwsError for what
        the service refuses. Returns a copy; timestamps are epoch seconds.
        """
        problems: list[Problem] = []
        checked = self._native(params, None, problems)
        if problems:
            if any(problem.by_client for problem in problems):
                report = botocore.validate.ParamValidator().validate(params, self._model.input_shape)
                raise ParamValidationError(report=report.generate_report())
            raise self._refusal(problems)
        return checked  # type: ignore[no-any-return]

    def accept_wire(self, params: Value, *, native: bool = False) -> Params:
        """Check decoded parameters of a request; `native` when blobs are bytes (CBOR).

        Raises AwsError with the service's code. Unknown members and nulls are ignored, as the
        protocols say.
        """
        problems: list[Problem] = []
        checked = (self._native if native else self._text)(params, None, problems)
        if problems:
            problems = [problem for problem in problems if problem.kind not in {"unknown", "null"}]
            if problems:
                raise self._refusal(problems)
        return checked  # type: ignore[no-any-return]

    def read_form(self, body: str) -> Params:
        """Return the plain parameters of a query-protocol form."""
        return self._query_reader(form(body))  # type: ignore[no-any-return]

    def read_rest(
        self, labels: Mapping[str, str], *, query: str, headers: Mapping[str, str], body: Value
    ) -> Params:
        """Return the plain parameters of a REST request."""
        return self._rest_reader.read(labels, query=query, headers=headers, body=body)

    def _refusal(self, problems: list[Problem]) -> AwsError:
        mistyped = [problem for problem in problems if problem.kind == "type"]
        if mistyped and self._toolbox.is_json:
            # Coral's answer when a JSON value has the wrong type (wording from memory).
            first = mistyped[0]
            return AwsError(
                "SerializationException", f"Unexpected value at '{first.where()}': {first.constraint}"
            )
        code = VALIDATION_CODES.get(
            self.service, "ValidationException" if self._toolbox.is_json else "ValidationError"
        )
        members = _field_list(problems) if self.service in _NAMES_FIELDS else {}
        return AwsError(code, validation.message(problems), members=members)

    @cached_property
    def _native(self) -> Check:
        return self._check(self._toolbox.native)

    @cached_property
    def _text(self) -> Check:
        return self._check(self._toolbox.text)

    def _check(self, validator: Validator) -> Check:
        shape = self._model.input_shape
        return validator.of(shape) if shape is not None else _no_members

    @cached_property
    def _query_reader(self) -> Render:
        shape = self._model.input_shape
        return self._toolbox.query.of(shape) if shape is not None else _nothing

    @cached_property
    def _rest_reader(self) -> RestReader:
        return RestReader(self._model.input_shape)

    # ----------------------------------------------------------------- output

    @cached_property
    def status(self) -> int:
        """The HTTP status of a success (REST protocols)."""
        return int(self._model.http.get("responseCode", 200))

    @cached_property
    def to_python(self) -> Render:
        """Return the answer as boto3 gives it (without ResponseMetadata)."""
        return self._output(self._toolbox.python)

    @cached_property
    def to_json(self) -> Render:
        """Return the answer as the json protocols carry it."""
        return self._output(self._toolbox.json)

    @cached_property
    def to_cbor(self) -> Render:
        """Return the answer ready for `cbor.encode`."""
        return self._output(self._toolbox.cbor)

    def _output(self, renderer: Renderer) -> Render:
        shape = self._model.output_shape
        return renderer.compile(shape) if shape is not None else _nothing

    def to_xml(self, response: Response) -> str:
        """Return the answer's wrapped XML, '' for an operation without output."""
        shape = self._model.output_shape
        if shape is None:
            return ""
        out: list[str] = []
        self._emit(response, self.wrapper, out)
        return "".join(out)

    @cached_property
    def _emit(self) -> Value:
        return self._toolbox.xml.of(self._model.output_shape)

    @cached_property
    def wrapper(self) -> str:
        """The query protocol's result element, '' for an operation without output."""
        shape = self._model.output_shape
        return (
            str(shape.serialization.get("resultWrapper", f"{self.name}Result")) if shape is not None else ""
        )


class _Toolbox:
    """A service's compilers; they share structures between its operations."""

    def __init__(self, service: str) -> None:
        protocols = models.service_model(service).metadata.get("protocols", ())
        self.is_json = "query" not in protocols or "json" in protocols
        self.native, self.text = Validator(NATIVE), Validator(TEXT)
        self.python, self.json, self.cbor = Renderer(PYTHON), Renderer(JSON), Renderer(CBOR)
        self.query, self.xml = QueryReader(), XmlWriter()


@cache
def _toolbox(service: str) -> _Toolbox:
    return _Toolbox(service)


@cache
def operation(service: str, name: str) -> Operation:
    """Return the compiled operation; raises AwsError for one that AWS does not have."""
    return Operation(service, name)


def unknown_operation(service: str, name: str) -> AwsError:
    """Return the refusal of an operation that the service does not have."""
    metadata = models.service_model(service).metadata
    if "query" in metadata.get("protocols", ()) and "json" not in metadata.get("protocols", ()):
        version = metadata.get("apiVersion", "")
        return AwsError("InvalidAction", f"Could not find operation {name} for version {version}")
    status = 404 if "rest-json" in metadata.get("protocols", ()) else 400
    return AwsError("UnknownOperationException", f"{service} has no operation {name}", status=status)


def _field_list(problems: list[Problem]) -> dict[str, Value]:
    fields = [{"name": problem.where(), "message": problem.text()} for problem in problems]
    return {"reason": "fieldValidationFailed", "fieldList": fields}


def _nothing(_: Value) -> Value:
    return {}


def _no_members(value: Value, path: validation.Path | None, problems: list[Problem]) -> Value:
    problems += [
        Problem((path, name), "Member is unknown", kind="unknown", by_client=True) for name in value or ()
    ]
    return {}
