"""What can go wrong between a person and a running control plane, drawn once.

ControlPlaneError
├── MissingProgram      no way led to a program; says what to install
│   └── BuildFailed     Go was there and did not build it; carries the end of its output
├── NotStarted          a process ended or was not ready in time; carries the end of its log
│   └── PortTaken       another process has the port
├── RequestRefused      the API server answered, with a status that is no success
└── CommandFailed       kubectl or helm ended with another status than 0
"""

from __future__ import annotations


class ControlPlaneError(Exception):
    """The root: its text says what, where and what to do."""


class MissingProgram(ControlPlaneError):  # noqa: N818 - reads as what it says, like FileNotFound
    """A program is neither on this machine nor could it be fetched or built."""


class BuildFailed(MissingProgram):
    """`go build` ended with an error."""


class NotStarted(ControlPlaneError):  # noqa: N818 - the state that the caller meets
    """A process of the control plane ended, or was not ready before the deadline."""


class PortTaken(NotStarted):
    """A process could not listen: its port belongs to another process."""


class RequestRefused(ControlPlaneError):  # noqa: N818 - the API server's act
    """The API server refused a request of ours."""

    def __init__(self, method: str, path: str, *, status: int, body: str) -> None:
        """Keep the HTTP status and the body (Kubernetes' `Status` object as JSON, mostly)."""
        super().__init__(f"{method} {path}: HTTP {status}: {body[:2000]}")
        self.status = status
        self.body = body


class CommandFailed(ControlPlaneError):  # noqa: N818 - the state that the caller meets
    """A command-line program ended with a status other than 0."""

    def __init__(self, command: list[str], *, status: int, stdout: str, stderr: str) -> None:
        """Keep both outputs: tests compare what a person reads."""
        super().__init__(f"`{' '.join(command)}` ended with status {status}:\n{stderr or stdout}".rstrip())
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
