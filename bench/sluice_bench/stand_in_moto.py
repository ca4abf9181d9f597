"""`python -m sluice_bench.stand_in_moto`: moto behind a port, as lean as it can be had.

moto's own command needs Flask, which this project does not; so moto's dispatcher (the one that its botocore
stub uses) stands behind werkzeug's threaded server here. What Flask costs is left out, and one lock makes it
safe for several connections, so the figures are moto's at its best. Ends with its standard input.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable

import botocore.awsrequest
import botocore.compat
from moto.core.botocore_stubber import BotocoreStubber
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

_HOSTS = {"ecs": "ecs.eu-west-1.amazonaws.com", "ec2": "ec2.eu-west-1.amazonaws.com"}
_LOCK = threading.Lock()


class _Handler(WSGIRequestHandler):
    """Keeps connections, answers at once, and says nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep quiet: a line for each call would be measured too."""


def _application(
    environ: dict[str, object], start_response: Callable[..., Callable[[bytes], object]]
) -> Iterable[bytes]:
    request = Request(environ)
    scope = request.headers.get("Authorization", "").partition("Credential=")[2].split("/")
    service = scope[3] if len(scope) > 3 else "sts"
    host = _HOSTS.get(service, f"{service}.eu-west-1.amazonaws.com")
    prepared = botocore.awsrequest.AWSPreparedRequest(
        request.method,
        f"https://{host}{request.full_path.rstrip('?')}",
        botocore.compat.HTTPHeaders.from_dict(
            {name: value for name, value in request.headers.items() if name.lower() != "host"}
        ),
        request.get_data(),
        stream_output=False,
    )
    with _LOCK:
        found = BotocoreStubber().process_request(prepared)
    status, headers, body = found if found is not None else (501, {}, b"moto has no such service")
    return Response(body, status=status, headers=dict(headers))(environ, start_response)


def main() -> None:
    """Print the endpoint on the first line and serve until standard input is closed."""
    warnings.simplefilter("ignore")
    server = make_server("127.0.0.1", 0, _application, threaded=True, request_handler=_Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    os.read(sys.stdin.fileno(), 1)
    server.shutdown()


if __name__ == "__main__":
    main()
