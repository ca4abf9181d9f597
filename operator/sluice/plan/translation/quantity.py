"""Kubernetes quantities (`500m`, `1Gi`, `0.5`) as exact numbers and in ECS's units.

Source: k8s.io/apimachinery/pkg/api/resource, Quantity.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

from sluice.api.v1alpha1.schema import QUANTITY

_SUFFIXES: Final = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}
_VALID: Final = re.compile(QUANTITY)
_PARTS: Final = re.compile(r"([+-]?[0-9.]+)(.*)")
MEBIBYTE: Final = 1024**2
GIBIBYTE: Final = 1024**3
UNITS_PER_CPU: Final = 1024
_FURTHEST: Final = 30
"""The exponent that is still worked out. Kubernetes holds nothing above 2^63 - 1 and nothing finer than
10^-9; 1e999999999 would keep this process busy for ever."""


def quantity(value: int | str) -> Fraction:
    """Return the exact number; raises ValueError on what is no quantity."""
    text = str(value)
    parts = _PARTS.fullmatch(text) if _VALID.match(text) else None
    if parts is None:
        raise ValueError(f"{text} is not a quantity")
    number, suffix = parts.groups()
    if suffix in _SUFFIXES:
        return Fraction(number) * _SUFFIXES[suffix]
    exponent = int(suffix[1:])
    if abs(exponent) > _FURTHEST:
        raise ValueError(f"{text} is not a quantity: no size has that many digits")
    return Fraction(number) * Fraction(10) ** exponent


def cpu_units(value: int | str) -> int:
    """Return CPU units (1024 a core), rounded up."""
    return math.ceil(_amount(value) * UNITS_PER_CPU)


def mebibytes(value: int | str) -> int:
    """Return MiB, rounded up."""
    return math.ceil(_amount(value) / MEBIBYTE)


def gibibytes(value: int | str) -> Fraction:
    """Return GiB, exact."""
    return _amount(value) / GIBIBYTE


def _amount(value: int | str) -> Fraction:
    """Return what something may be as large as; raises ValueError below nothing."""
    number = quantity(value)
    if number < 0:
        raise ValueError(f"{value} is less than nothing")
    return number
