"""The production transport: boto3's clients, and their exceptions turned into three outcomes.

What matters is whether the request may have reached AWS. botocore raises EndpointConnectionError,
ConnectTimeoutError and credential errors before anything was sent; ReadTimeoutError,
ConnectionClosedError and unreadable responses after it (botocore/exceptions.py, httpsession.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import botocore
import botocore.exceptions as raised
from botocore.parsers import ResponseParserError

from sluice.aws.clients import Clients
from sluice.aws.transport import Answered, NoAnswer, NotSent
from sluice.model.binding import Binding

_BEFORE: Final = (
    raised.EndpointConnectionError,
    raised.ConnectTimeoutError,
    raised.ProxyConnectionError,
    raised.SSLError,
)
_CREDENTIALS: Final = (
    raised.NoCredentialsError,
    raised.PartialCredentialsError,
    raised.CredentialRetrievalError,
    raised.MetadataRetrievalError,
    raised.TokenRetrievalError,
)
_PARAMETERS: Final = (raised.ParamValidationError, raised.ValidationError, raised.NoRegionError)


class Boto3Transport:
    """Sends through the shared clients. Thread-safe."""

    def __init__(self, clients: Clients) -> None:
        """Use `clients`."""
        self._clients = clients

    def send(
        self, service: str, operation: str, params: Mapping[str, Any], binding: Binding, *, write: bool
    ) -> Mapping[str, Any]:
        """Return the response with ResponseMetadata; see `transport.Transport`."""
        del write  # one client for both: it never repeats
        try:
            client = self._clients.get(binding, service)
            response = getattr(client, botocore.xform_name(operation))(**params)
        except raised.ClientError as error:
            raise _answered(error, operation) from error
        except _CREDENTIALS as error:
            raise Answered("NoCredentials", str(error), status=403) from error
        except _PARAMETERS as error:
            raise Answered("ParamValidation", str(error)) from error
        except _BEFORE as error:
            raise NotSent(str(error)) from error
        except ResponseParserError as error:  # its text quotes the whole body
            raise NoAnswer("the response could not be read as AWS's") from error
        except (raised.HTTPClientError, raised.BotoCoreError) as error:
            raise NoAnswer(str(error)) from error
        return dict(response)


def _answered(error: raised.ClientError, operation: str) -> Answered:
    told = error.response.get("Error", {})
    answer = error.response.get("ResponseMetadata", {})
    status = answer.get("HTTPStatusCode", 400)
    message = told.get("Message") or told.get("message") or ""
    # Assuming the binding's role fails inside another call: say which call it was.
    made = error.operation_name
    where = f"{made}: " if made and made != operation else ""
    return Answered(
        told.get("Code", "Unknown"),
        f"{where}{message}",
        status=int(status),
        request_id=str(answer.get("RequestId", "")),
    )
