"""ECS service deployments with the service revision each one aims at.

A service says by itself only which task definition is primary; whether *our* revision was deployed,
failed or was rolled back is in ListServiceDeployments, DescribeServiceDeployments (20 a call) and
DescribeServiceRevisions (20 a call).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.observe.cache import AgedCache, tick
from sluice.observe.source import Source
from sluice.ports import Object

_NEWEST: Final = 5
_LISTED: Final = 20


class DeploymentFacts:
    """Always reads deployments; remembers service revisions, which do not change. Thread-safe."""

    def __init__(self, source: Source) -> None:
        """Start empty."""
        self._source = source
        self._revisions: AgedCache[tuple[Binding, str], Object] = AgedCache(source.settings.limit)

    def service_deployments(self, context: CallContext, *, cluster: str, service: str) -> Sequence[Object]:
        """Return the newest five; nothing when the service does not exist."""
        source = self._source
        params = {"cluster": cluster, "service": service, "maxResults": _LISTED}
        try:
            listed = source.read("ecs", "ListServiceDeployments", params, context)
        except AwsFailure as error:
            if error.kind == "not-found" or error.code == "ClusterNotFoundException":
                return ()
            raise
        briefs = sorted(listed.get("serviceDeployments", []), key=_created, reverse=True)[:_NEWEST]
        if not briefs:
            return ()
        arns = [brief["serviceDeploymentArn"] for brief in briefs]
        response = source.read("ecs", "DescribeServiceDeployments", {"serviceDeploymentArns": arns}, context)
        described = sorted(response.get("serviceDeployments", []), key=_created, reverse=True)
        wanted = [
            item["targetServiceRevision"]["arn"] for item in described if item.get("targetServiceRevision")
        ]
        revisions = self._described(context, wanted)
        return tuple(
            {**item, "targetServiceRevision": {**target, **revisions.get(target.get("arn", ""), {})}}
            for item in described
            for target in [item.get("targetServiceRevision") or {}]
        )

    def _described(self, context: CallContext, arns: Sequence[str]) -> dict[str, Object]:
        """Return service revisions by ARN; those with digests still open are read again."""
        known = {
            arn: held for arn in arns if (held := self._revisions.peek((context.binding, arn))) is not None
        }
        missing = sorted(set(arns) - set(known))
        if missing:
            order, started = tick(), self._source.clock.monotonic()
            response = self._source.read(
                "ecs", "DescribeServiceRevisions", {"serviceRevisionArns": missing}, context
            )
            for revision in response.get("serviceRevisions", []):
                arn = revision["serviceRevisionArn"]
                known[arn] = revision
                images = revision.get("containerImages", [])
                if images and all(image.get("imageDigest") for image in images):
                    self._revisions.put((context.binding, arn), revision, order=order, read_at=started)
        return known


def _created(item: Object) -> Any:  # noqa: ANN401 - a datetime, or an epoch number in simulation
    return item.get("createdAt")
