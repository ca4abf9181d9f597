"""What RegisterTaskDefinition refuses of port mappings, per network mode.

Rules: botocore, PortMapping; texts from public issues where marked, otherwise from memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sluice_sandbox.aws.ecs.refusals import client_exception

MAX_RANGES = 100
"""botocore, PortMapping.containerPortRange: at most 100 ranges per container."""
MAX_PORT = 65535
_PORT_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")

Mapped = Mapping[str, Any]


def check_ports(containers: list[dict[str, Any]], mode: str) -> None:
    """Refuse impossible mappings of each container and clashes between containers."""
    names: set[str] = set()
    for container in containers:
        mappings = container.get("portMappings") or ()
        if mappings and mode == "none":
            raise client_exception("Port mappings are not supported when networkMode=none.")
        for mapping in mappings:
            _check_numbers(mapping, mode)
            _check_name(mapping, names)
        _check_ranges(mappings, mode)
    _check_clashes(containers, mode)


def _check_name(mapping: Mapped, seen: set[str]) -> None:
    name = mapping.get("name")
    if name is None:
        if mapping.get("appProtocol"):
            raise client_exception("appProtocol requires a name for the port mapping.")
        return
    # botocore, PortMapping.name: up to 64, lower-case letters, numbers, _ and -.
    if not _PORT_NAME.fullmatch(name):
        raise client_exception(f"Invalid port mapping name '{name}'.")
    if name in seen:
        raise client_exception(f"Port mapping name '{name}' is duplicated.")
    seen.add(name)


def _check_numbers(mapping: Mapped, mode: str) -> None:
    port, host = mapping.get("containerPort"), mapping.get("hostPort")
    if (port is None) == (mapping.get("containerPortRange") is None):
        raise client_exception(
            "Either containerPort or containerPortRange must be specified in a port mapping."
        )
    if port is None:
        if host is not None:
            raise client_exception("hostPort must be omitted beside containerPortRange.")
        return
    if not 1 <= port <= MAX_PORT:
        raise client_exception(f"Invalid container port '{port}'. Ports must be between 1 and 65535.")
    if host is not None and not 0 <= host <= MAX_PORT:
        raise client_exception(f"Invalid host port '{host}'. Ports must be between 0 and 65535.")
    same = {"awsvpc": {None, port}, "host": {None, 0, port}}
    if mode in same and host not in same[mode]:
        # Text: public terraform issues.
        raise client_exception(
            f"When networkMode={mode}, the host ports and container ports in port mappings must match."
        )


def _check_ranges(mappings: Iterable[Mapped], mode: str) -> None:
    ranges: list[tuple[int, int]] = []
    for text in filter(None, (mapping.get("containerPortRange") for mapping in mappings)):
        match = _RANGE.fullmatch(text)
        low, high = (int(match[1]), int(match[2])) if match else (0, 0)
        if mode not in {"bridge", "awsvpc"}:
            raise client_exception(f"containerPortRange is not supported when networkMode={mode}.")
        if not 1 <= low < high <= MAX_PORT:
            raise client_exception(f"Invalid containerPortRange '{text}'.")
        single = (mapping.get("containerPort") or 0 for mapping in mappings)
        if any(low <= last and first <= high for first, last in ranges) or any(
            low <= port <= high for port in single
        ):
            raise client_exception(f"The containerPortRange '{text}' overlaps another port mapping.")
        ranges.append((low, high))
    if len(ranges) > MAX_RANGES:
        raise client_exception(f"A container can have at most {MAX_RANGES} port ranges.")


def _check_clashes(containers: list[dict[str, Any]], mode: str) -> None:
    """Refuse two containers on one port: they share the task's interface or the host's."""
    member = "hostPort" if mode == "bridge" else "containerPort"
    seen: set[tuple[int, str]] = set()
    for container in containers:
        for mapping in container.get("portMappings") or ():
            if not mapping.get(member):
                continue
            key = (mapping[member], mapping.get("protocol") or "tcp")
            if key in seen:
                what = "host" if mode == "bridge" else "container"
                raise client_exception(
                    f"The {what} port {key[0]}/{key[1]} is used more than once in the task definition."
                )
            seen.add(key)
