"""`$(NAME)` in commands and values, expanded as the kubelet does.

Source: k8s.io/kubernetes third_party/forked/golang/expansion: `$$` is a dollar sign, an unknown name
stays as it is. ECS expands nothing, so what refers to a secret cannot be expressed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

_REFERENCE: Final = re.compile(r"\$(\$|\(([^)]*)\))")


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with every known `$(NAME)` replaced."""

    def replacement(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return values.get(match[2], match[0])

    return _REFERENCE.sub(replacement, text)


def refers_to(text: str, names: Collection[str]) -> str:
    """Return the first of `names` that `text` would expand, '' when there is none."""
    found = (match[2] for match in _REFERENCE.finditer(text))  # None for `$$`
    return next((name for name in found if name in names), "")
