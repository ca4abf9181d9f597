"""What a gate sends that may be secret: headers by value or from a Kubernetes Secret, and trust."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from sluice.api.v1alpha1.choice import Choice
from sluice.api.v1alpha1.meta import ShortText
from sluice.api.v1alpha1.schema import Typed
from sluice.api.v1alpha1.steps import HEADER_NAME

Url = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\s]+$")]


class SecretKey(Typed):
    """A key of a Secret in the Deployment's namespace."""

    name: ShortText
    """Secret."""
    key: ShortText
    """Key in it."""


class HttpHeader(Choice):
    """A header to send."""

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=HEADER_NAME)]
    """Name."""
    value: Annotated[str, Field(max_length=4096)] | None = None
    """Value that anybody may read."""
    secret_key_ref: SecretKey | None = None
    """Where the value is, when it is secret."""
    choices: ClassVar[tuple[str, ...]] = ("value", "secret_key_ref")
    choice_text: ClassVar[str] = "exactly one of value and secretKeyRef is needed; keep one"


class Tls(Typed):
    """Whom to trust on https."""

    ca_secret_key_ref: SecretKey | None = None
    """Where PEM certificates of own authorities are; absent: the system's."""
    insecure_skip_verify: bool | None = None
    """Trust anybody; absent: false. For tests only."""
