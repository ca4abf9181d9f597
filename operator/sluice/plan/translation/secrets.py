"""From a Kubernetes Secret to the ARN that ECS reads; the Secret's own values are never looked at.

`sluice.dev/value-from` holds an ARN of Secrets Manager (whole, or with `:<json key>:<stage>:<version>`)
or of an SSM parameter. Source: ECS developer guide, "Pass Secrets Manager secrets through environment
variables" (`arn:...:secret:name-AbCdEf:json-key:version-stage:version-id`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from sluice.plan.translation.model import VALUE_FROM, Findings, Sources

SECRETS_MANAGER: Final = re.compile(r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:]+$")
_WITH_KEY: Final = re.compile(
    r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:]+:[^:]*:[^:]*:[^:]*$"
)
_PARAMETER: Final = re.compile(r"^arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter/.+$")


def annotated_arn(
    name: str, sources: Sources, findings: Findings, path: str, *, optional: bool
) -> str | None:
    """Return the ARN that a Secret is annotated with; None when there is none (told unless optional)."""
    secret = sources.secrets.get(name)
    if secret is None:
        if not optional:
            findings.refuse(path, f"Secret {name} does not exist; create it or set optional: true")
        return None
    arn = (secret.get("metadata", {}).get("annotations") or {}).get(VALUE_FROM, "")
    if any(pattern.match(arn) for pattern in (SECRETS_MANAGER, _WITH_KEY, _PARAMETER)):
        return str(arn)
    what = "is not the ARN of a Secrets Manager secret or SSM parameter" if arn else "is missing"
    findings.refuse(
        path,
        f"annotation {VALUE_FROM} of Secret {name} {what}; set it to the ARN that ECS shall read "
        "(copying Secrets to AWS comes with a later version)",
    )
    return None


class SecretReader:
    """Turns references to keys of Secrets into `valueFrom`, and notices what one ARN cannot give."""

    def __init__(self, sources: Sources, findings: Findings) -> None:
        """Read from `sources`, tell problems to `findings`."""
        self._sources = sources
        self._findings = findings
        self._keys: dict[str, set[str]] = defaultdict(set)

    def value_from(self, name: str, key: str, path: str, *, optional: bool) -> str | None:
        """Return what ECS shall read for one key, None when the variable is left out or refused."""
        arn = annotated_arn(name, self._sources, self._findings, path, optional=optional)
        if arn is None:
            return None
        if SECRETS_MANAGER.match(arn):
            return f"{arn}:{key}::"
        self._keys[name].add(key)
        if len(self._keys[name]) > 1:
            self._findings.refuse(
                path,
                f"the ARN of Secret {name} gives one value, but several keys refer to it; annotate it with "
                "a whole "
                "Secrets Manager ARN",
            )
            return None
        return arn

    def keys(self, name: str, path: str, *, optional: bool) -> list[str]:
        """Return the keys of a Secret, for envFrom; sorted."""
        secret = self._sources.secrets.get(name)
        if secret is None:
            if not optional:
                self._findings.refuse(path, f"Secret {name} does not exist; create it or set optional: true")
            return []
        keys = sorted(secret.get("data") or {})
        if not keys:
            self._findings.refuse(
                path, f"Secret {name} has no keys to name variables after; use env with secretKeyRef"
            )
        return keys
