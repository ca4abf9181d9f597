"""The cookies by which a load balancer keeps a client at a group and at a target.

Source: "Sticky sessions for your Application Load Balancer" (AWSALBTG for the group, AWSALB for the
target by duration, AWSALBAPP for the target by the application's own cookie, CORS twins). Their contents
are this stand-in's own, a time and a name: AWS encrypts them. An application's cookie that is gone from
the request ends its stickiness. The attributes Expires and Path are as clients quote them
(kubernetes-sigs/aws-load-balancer-controller#884); the date is the world's, as everything here.
"""

from __future__ import annotations

import base64
import binascii
import math
from email.utils import formatdate

from sluice_sandbox.aws.elbv2.state import Target, TargetGroup

GROUP = "AWSALBTG"
TARGET = "AWSALB"
APPLICATION = "AWSALBAPP-0"


def parsed(header: str) -> dict[str, str]:
    """Return the cookies of a request, none when the load balancer made none of them."""
    if TARGET not in header:
        return {}
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {name: value for name, _, value in pairs}


def made(name: str, value: str, *, seconds: float, now: float) -> list[str]:
    """Return the Set-Cookie values of a cookie and its CORS twin."""
    until = f"Expires={formatdate(math.ceil(now + seconds), usegmt=True)}; Path=/"
    sealed = base64.urlsafe_b64encode(f"{now + seconds:.3f}|{value}".encode()).decode().rstrip("=")
    plain = f"{name}={sealed}; {until}"
    if name == APPLICATION:
        return [plain]
    return [plain, f"{name}CORS={sealed}; {until}; SameSite=None; Secure"]


def opened(sealed: str | None, *, now: float) -> str | None:
    """Return what a cookie names, None when it is stale or not ours."""
    if not sealed:
        return None
    try:
        text = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)).decode()
        expires, _, value = text.partition("|")
        return value if float(expires) > now else None
    except (binascii.Error, ValueError):
        return None


def stickiness(group: TargetGroup) -> str:
    """Return `lb_cookie` or `app_cookie` when a web group's targets are sticky, '' otherwise."""
    if group.attributes.get("stickiness.enabled") != "true":
        return ""
    kind = group.attributes["stickiness.type"]
    return kind if kind in ("lb_cookie", "app_cookie") else ""


def wanted_target(group: TargetGroup, cookies: dict[str, str], *, now: float) -> str | None:
    """Return the `id:port` that the client's cookies name for a group."""
    kind = stickiness(group)
    if kind == "lb_cookie":
        return opened(cookies.get(TARGET), now=now)
    if kind == "app_cookie" and group.attributes["stickiness.app_cookie.cookie_name"] in cookies:
        return opened(cookies.get(APPLICATION), now=now)
    return None


def application_cookie(group: TargetGroup, target: Target, *, now: float) -> tuple[str, str]:
    """Return the application's cookie name and the Set-Cookie that follows it; '' twice for other groups."""
    if stickiness(group) != "app_cookie":
        return "", ""
    seconds = float(group.attributes["stickiness.app_cookie.duration_seconds"])
    [cookie] = made(APPLICATION, f"{target.id}:{target.port}", seconds=seconds, now=now)
    return group.attributes["stickiness.app_cookie.cookie_name"], cookie
