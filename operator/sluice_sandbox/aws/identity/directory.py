"""What moto's IAM and STS know of principals: read from its backends, under its lock.

A lookup in a dict instead of calls that would cost milliseconds on every request of a caller with policies.
Nothing is remembered but the keys of sessions, which never change hands: a policy that is put or detached
counts from the next call on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sluice_sandbox.aws.identity.policy import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A principal with the policies that bound it."""

    arn: str
    documents: tuple[Document, ...] = ()
    boundary: tuple[Document, ...] | None = None
    """The permissions boundary; None when there is none."""
    session: tuple[Document, ...] | None = None
    """The policies given to AssumeRole; None when none were."""
    name: str = ""
    """`aws:username` of a user."""
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleView:
    """What STS checks of a role."""

    arn: str
    name: str
    trust: Document
    max_session_seconds: int


class Directory:
    """moto's principals."""

    def __init__(self, lock: AbstractContextManager[bool], *, in_use: Callable[[], bool]) -> None:
        """Share moto's lock; while IAM is not `in_use` nobody has policies, and moto stays unimported."""
        self._lock = lock
        self._in_use = in_use

    def identity(self, arn: str) -> Identity | None:
        """Return a user, group, role or role session by its ARN, None when IAM has none of that ARN."""
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[2] not in {"iam", "sts"} or not self._in_use():
            return None
        kind, _, path = parts[5].partition("/")
        with self._lock:
            iam = _iam(parts[4])
            if kind == "user":
                user = iam.users.get(path.rsplit("/", 1)[-1])
                return self._user(iam, user) if user is not None and user.arn == arn else None
            if kind == "group":
                group = iam.groups.get(path.rsplit("/", 1)[-1])
                return Identity(arn=arn, documents=tuple(_documents(group, "group"))) if group else None
            if kind == "assumed-role":
                name, _, session = path.partition("/")
                role = _role(iam, name)
                return self._role(iam, role, arn, session=session) if role is not None else None
            if kind == "role":
                role = _role(iam, path.rsplit("/", 1)[-1])
                return self._role(iam, role, arn) if role is not None and role.arn == arn else None
        return None

    def _user(self, iam: Any, user: Any) -> Identity:  # noqa: ANN401 - moto's
        documents = [*_documents(user, "user")]
        for group in iam.groups.values():
            if any(member.name == user.name for member in group.users):
                documents += _documents(group, "group")
        tags = iam.tagger.get_tag_dict_for_resource(user.arn)
        return Identity(
            arn=user.arn, documents=tuple(documents), name=user.name, tags=tuple(sorted(tags.items()))
        )

    def _role(self, iam: Any, role: Any, arn: str, *, session: str = "") -> Identity:  # noqa: ANN401 - moto's
        boundary = None
        if role.permissions_boundary_arn:
            found = iam.managed_policies.get(role.permissions_boundary_arn)
            boundary = (Document(found.name, _default(found), "permissions-boundary"),) if found else ()
        given = None
        if session:
            policy = _session_policy(arn)
            given = (Document("session", policy, "session"),) if policy else None
        tags = tuple(sorted((str(key), str(_tag_value(tag))) for key, tag in (role.tags or {}).items()))
        return Identity(
            arn=arn,
            documents=tuple(_documents(role, "role")),
            boundary=boundary,
            session=given,
            tags=tags,
        )

    def role(self, arn: str) -> RoleView | None:
        """Return a role by its ARN."""
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
            return None
        with self._lock:
            role = _role(_iam(parts[4]), arn.rsplit("/", 1)[-1])
        if role is None or role.arn != arn:
            return None
        return RoleView(
            arn=arn,
            name=role.name,
            trust=Document("trust", role.assume_role_policy_document or "{}", "trust"),
            max_session_seconds=int(role.max_session_duration or 3600),
        )

    def has_principals(self, account: str) -> bool:
        """Tell whether anybody made a user or role in the account."""
        with self._lock:
            iam = _iam(account)
            return bool(iam.users or iam.roles)

    def secret(self, account: str, access_key: str) -> str | None:
        """Return the secret of an access key that IAM or STS gave out, None for any other key."""
        from moto.sts.models import sts_backends  # noqa: PLC0415 - moto is imported on first use

        with self._lock:
            session = sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)
            if session is not None:
                return str(session.secret_access_key)
            for user in _iam(account).users.values():
                for key in user.access_keys:
                    if key.access_key_id == access_key:
                        return str(key.secret_access_key)
        return None


def _iam(account: str) -> Any:  # noqa: ANN401 - moto's backend
    from moto.iam.models import iam_backends  # noqa: PLC0415 - moto is imported on first use

    return iam_backends[account]["aws"]


def _role(iam: Any, name: str) -> Any:  # noqa: ANN401 - moto's role
    return next((role for role in iam.roles.values() if role.name == name), None)


def _session_policy(arn: str) -> str:
    from moto.sts.models import sts_backends  # noqa: PLC0415 - moto is imported on first use

    account = arn.split(":")[4]
    sessions = [session for session in sts_backends[account]["aws"].assumed_roles if session.arn == arn]
    return str(sessions[-1].policy or "") if sessions else ""


def _documents(owner: Any, kind: str) -> Iterator[Document]:  # noqa: ANN401 - moto's user, group or role
    for name, text in owner.policies.items():
        yield Document(name, str(text), kind)
    for policy in owner.managed_policies.values():
        yield Document(policy.name, _default(policy), "IAM policy")


def _default(policy: Any) -> str:  # noqa: ANN401 - moto's managed policy
    return next((str(version.document) for version in policy.versions if version.is_default), "{}")


def _tag_value(tag: Any) -> Any:  # noqa: ANN401 - moto keeps {"Key": .., "Value": ..} or the value
    return tag.get("Value", "") if isinstance(tag, dict) else tag
