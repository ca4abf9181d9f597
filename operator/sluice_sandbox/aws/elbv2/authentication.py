"""Actions that come before the one that answers: OIDC, Cognito and JWT, checked and completed.

Source: botocore's AuthenticateOidcActionConfig, AuthenticateCognitoActionConfig and
JwtValidationActionConfig (full HTTPS URLs, defaults, ten extra parameters, ten claims, 256
characters). A client secret is needed once and never shown again, as in AWS; it is not even kept. The
data plane has no identity provider to ask: it answers such a rule with 500. Wordings from memory.
"""

from __future__ import annotations

import re
from typing import Any

from sluice_sandbox.aws.elbv2.desk import validation_error

KINDS = ("authenticate-oidc", "authenticate-cognito", "jwt-validation")
MAX_EXTRA = 10
MAX_CLAIMS = 10
MAX_TEXT = 256
MAX_SESSION = 604_800
_URL = re.compile(r"https://[^/\s]+(/\S*)?")
_OIDC_URLS = ("Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint")
_USER_POOL = re.compile(r"arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:\d{12}:userpool/[\w-]+")
_DEFAULTS: dict[str, Any] = {
    "SessionCookieName": "AWSELBAuthSessionCookie",
    "Scope": "openid",
    "SessionTimeout": MAX_SESSION,
    "OnUnauthenticatedRequest": "authenticate",
}

Config = dict[str, Any]


def complete(kind: str, config: Config, *, before: Config | None) -> Config:
    """Return the config as it is shown, or refuse it; `before` is the rule's present one, if any."""
    if kind == "jwt-validation":
        return _jwt(config)
    if kind == "authenticate-oidc":
        for member in _OIDC_URLS:
            _check_url(member, config[member])
        reuse = bool(config.get("UseExistingClientSecret"))
        if reuse and before is None:
            raise validation_error(
                "There is no existing client secret to use: 'ClientSecret' must be specified"
            )
        if reuse and config.get("ClientSecret"):
            raise validation_error("You cannot specify both 'ClientSecret' and 'UseExistingClientSecret'")
        if not reuse and not config.get("ClientSecret"):
            raise validation_error("'ClientSecret' must be specified")
    elif not _USER_POOL.fullmatch(config["UserPoolArn"]):
        raise validation_error(f"'{config['UserPoolArn']}' is not a valid user pool ARN")
    completed = _DEFAULTS | {
        key: value
        for key, value in config.items()
        if value is not None and key not in ("ClientSecret", "UseExistingClientSecret")
    }
    timeout = completed["SessionTimeout"]
    if not 1 <= timeout <= MAX_SESSION:
        raise validation_error(f"Session timeout '{timeout}' must be between 1 and {MAX_SESSION} seconds")
    if len(completed.get("AuthenticationRequestExtraParams") or {}) > MAX_EXTRA:
        raise validation_error(f"At most '{MAX_EXTRA}' extra parameters can be specified")
    return completed


def _jwt(config: Config) -> Config:
    _check_url("JwksEndpoint", config["JwksEndpoint"])
    for member in ("JwksEndpoint", "Issuer"):
        if len(config[member]) > MAX_TEXT:
            raise validation_error(f"'{member}' cannot be longer than '{MAX_TEXT}' characters")
    if len(config.get("AdditionalClaims") or []) > MAX_CLAIMS:
        raise validation_error(f"At most '{MAX_CLAIMS}' additional claims can be specified")
    return config


def _check_url(member: str, url: str) -> None:
    if not _URL.fullmatch(url):
        raise validation_error(f"'{member}' must be a full URL with the HTTPS protocol: '{url}'")
