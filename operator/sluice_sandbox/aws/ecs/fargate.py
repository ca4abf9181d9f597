"""Task sizes: how cpu and memory are written, and which pairs Fargate runs.

Table: ECS developer guide "Task CPU and memory" (also in botocore, RegisterTaskDefinitionRequest
`cpu` and `memory`); 16384 CPU units with 60-120 GB is the largest.
"""

from __future__ import annotations

import re

_GB = 1024


def _steps(first: int, last: int, step: int) -> frozenset[int]:
    return frozenset(gb * _GB for gb in range(first, last + 1, step))


MEMORY_BY_CPU: dict[int, frozenset[int]] = {
    256: frozenset({512, 1 * _GB, 2 * _GB}),
    512: _steps(1, 4, 1),
    1024: _steps(2, 8, 1),
    2048: _steps(4, 16, 1),
    4096: _steps(8, 30, 1),
    8192: _steps(16, 60, 4),
    16384: _steps(32, 120, 8),
}
"""Memory in MiB that each CPU size may have."""

_VCPU = re.compile(r"(\d+(?:\.\d+)?)\s*vcpu", re.IGNORECASE)
_GIGABYTES = re.compile(r"(\d+(?:\.\d+)?)\s*gb", re.IGNORECASE)


def cpu_units(text: str) -> int | None:
    """Return CPU units of `1024`, `1 vCPU` or `.5 vcpu`-like text; None when it is neither."""
    text = text.strip()
    if text.isdecimal():
        return int(text)
    match = _VCPU.fullmatch(f"0{text}" if text.startswith(".") else text)
    return round(float(match[1]) * 1024) if match else None


def memory_mib(text: str) -> int | None:
    """Return MiB of `2048`, `2GB` or `2 GB`; None when it is neither."""
    text = text.strip()
    if text.isdecimal():
        return int(text)
    match = _GIGABYTES.fullmatch(f"0{text}" if text.startswith(".") else text)
    return round(float(match[1]) * _GB) if match else None


def runs(cpu: int, memory: int) -> bool:
    """Tell whether Fargate has a size of `cpu` units with `memory` MiB."""
    return memory in MEMORY_BY_CPU.get(cpu, ())
