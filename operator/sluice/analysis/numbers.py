"""Numbers that a status can keep: JSON has neither NaN nor infinity (RFC 8259, section 6)."""

from __future__ import annotations

import math
import sys


def finite(value: float) -> float | None:
    """Return None for NaN (no data), and the largest number there is for infinity.

    A ratio with nothing below the line is +Inf in Prometheus: it still meets `> 0.05`, and a status that
    held it as it is would be refused by the API server, with the rollback that it asks for.
    """
    if math.isnan(value):
        return None
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else value
