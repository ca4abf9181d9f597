"""What a load balancer answers by itself: error pages, redirects, fixed responses, requests to sign in.

Sources: botocore's RedirectActionConfig (its reserved keywords), FixedResponseActionConfig and
OnUnauthenticatedRequest (deny is 401, allow forwards, authenticate redirects to the authorization
endpoint), "Verify JWTs using an Application Load Balancer" (401 without a valid token, from memory). No
identity provider is ever asked: nobody can come back signed in, so the callback is answered with 561 and
a bearer token with 500.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from sluice_sandbox.aws.elbv2.state import Listener, Rule
from sluice_sandbox.aws.ports import HttpRequest

CALLBACK = "/oauth2/idpresponse"
_ERROR_PAGE = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    "</body>\r\n</html>\r\n"
)
_PHRASES = {
    401: "Authorization Required",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
    561: "Authentication Error",
}
"""Where a load balancer words a status in its own way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The load balancer answers by itself."""

    listener_arn: str
    rule_arn: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    group_arn: str = ""


def phrase(status: int) -> str:
    """Return the words of a status line, '' for a status that has none (460, 463, a fixed 599)."""
    words = _PHRASES.get(status)
    if words is not None:
        return words
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def error_reply(status: int, *, listener_arn: str = "", rule_arn: str = "", group_arn: str = "") -> Reply:
    """Return the page that the load balancer answers with when it fails by itself."""
    title = f"{status} {phrase(status)}".rstrip()
    return Reply(
        listener_arn=listener_arn,
        rule_arn=rule_arn,
        status=status,
        headers=(("Server", "awselb/2.0"), ("Content-Type", "text/html")),
        body=_ERROR_PAGE.format(title=title).encode(),
        group_arn=group_arn,
    )


def redirect(listener: Listener, rule: Rule, request: HttpRequest) -> Reply:
    """Return the answer of a redirect action, its keywords filled from the request."""
    config = rule.actions[-1]["RedirectConfig"]
    host, _, _ = request.host.partition(":")
    words = {
        "protocol": listener.protocol,
        "port": str(listener.port),
        "host": host,
        "path": request.path.lstrip("/"),
        "query": "&".join(f"{key}={value}" for key, value in request.query),
    }

    def filled(text: str) -> str:
        for word, value in words.items():
            text = text.replace("#{" + word + "}", value)
        return text

    protocol = filled(config["Protocol"]).lower()
    query = filled(config["Query"])
    location = f"{protocol}://{filled(config['Host'])}:{filled(config['Port'])}{filled(config['Path'])}"
    if query:
        location += f"?{query}"
    return _moved(listener, rule, int(config["StatusCode"].removeprefix("HTTP_")), location)


def _moved(listener: Listener, rule: Rule, status: int, location: str) -> Reply:
    page = error_reply(status)
    return Reply(
        listener_arn=listener.arn,
        rule_arn=rule.arn,
        status=status,
        headers=(*page.headers, ("Location", location)),
        body=page.body,
    )


def fixed(listener: Listener, rule: Rule) -> Reply:
    """Return the answer of a fixed-response action."""
    config = rule.actions[-1]["FixedResponseConfig"]
    body = (config.get("MessageBody") or "").encode()
    content_type = config.get("ContentType") or "text/plain"
    return Reply(
        listener_arn=listener.arn,
        rule_arn=rule.arn,
        status=int(config["StatusCode"]),
        headers=(("Server", "awselb/2.0"), ("Content-Type", f"{content_type}; charset=utf-8")),
        body=body,
    )


def unauthenticated(listener: Listener, rule: Rule, request: HttpRequest) -> Reply | None:
    """Return the answer to a client that is not signed in, None when the rule lets it pass."""
    action = rule.actions[0]
    if action["Type"] == "jwt-validation":
        bearer = request.headers.get("authorization", "").lower().startswith("bearer ")
        return error_reply(500 if bearer else 401, listener_arn=listener.arn, rule_arn=rule.arn)
    config = action.get("AuthenticateOidcConfig") or action["AuthenticateCognitoConfig"]
    if request.path == CALLBACK:
        return error_reply(561, listener_arn=listener.arn, rule_arn=rule.arn)
    if config["OnUnauthenticatedRequest"] == "allow":
        return None
    if config["OnUnauthenticatedRequest"] == "deny":
        return error_reply(401, listener_arn=listener.arn, rule_arn=rule.arn)
    query: dict[str, Any] = {
        "client_id": config.get("ClientId") or config["UserPoolClientId"],
        "redirect_uri": f"https://{request.host}{CALLBACK}",
        "response_type": "code",
        "scope": config["Scope"],
        "state": "sandbox",
        **(config.get("AuthenticationRequestExtraParams") or {}),
    }
    return _moved(listener, rule, 302, f"{_endpoint(listener, config)}?{urlencode(query)}")


def _endpoint(listener: Listener, config: dict[str, Any]) -> str:
    if "AuthorizationEndpoint" in config:
        return str(config["AuthorizationEndpoint"])
    domain = config["UserPoolDomain"]
    if "." not in domain:
        domain = f"{domain}.auth.{listener.arn.split(':')[3]}.amazoncognito.com"
    return f"https://{domain}/oauth2/authorize"
