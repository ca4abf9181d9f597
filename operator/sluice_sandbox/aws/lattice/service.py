"""The `vpc-lattice` service of the stand-in: its parts, composed.

Not modelled, and refused by name: resource configurations and gateways, access logs, policies, domain
verification. No request passes through a Lattice service here; ECS does not register tasks in it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.lattice.associations import AssociationCalls
from sluice_sandbox.aws.lattice.desk import Desk, Record, State, checked_tags, not_found
from sluice_sandbox.aws.lattice.listeners import ListenerCalls
from sluice_sandbox.aws.lattice.services import ServiceCalls
from sluice_sandbox.aws.lattice.target_groups import TargetGroupCalls
from sluice_sandbox.aws.ports import Estate, Network, TaggedResource
from sluice_sandbox.aws.service import Caller, Handler, Params, Response


class LatticeService:
    """Amazon VPC Lattice as a `Service` of the world."""

    name = "vpc-lattice"

    def __init__(self, clock: Clock, *, estate: Estate, network: Network, rng: random.Random) -> None:
        """Start with nothing."""
        self._desk = Desk(clock, estate=estate, network=network, rng=rng)
        self._operations: dict[str, Handler] = {
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTagsForResource": self.list_tags,
        }
        for part in (
            ServiceCalls(self._desk),
            AssociationCalls(self._desk),
            ListenerCalls(self._desk),
            TargetGroupCalls(self._desk),
        ):
            self._operations.update(part.operations())

    @property
    def state(self) -> State:
        """All that it remembers."""
        return self._desk.state

    @state.setter
    def state(self, state: State) -> None:
        self._desk.state = state

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return self._operations

    def tag(self, caller: Caller, params: Params) -> Response:
        """Put tags over a resource's."""
        record = self._by_arn(caller, params["resourceArn"])
        record.tags = checked_tags(record.tags, params["tags"])
        return {}

    def untag(self, caller: Caller, params: Params) -> Response:
        """Remove tags; absent ones are no error."""
        record = self._by_arn(caller, params["resourceArn"])
        record.tags = {key: value for key, value in record.tags.items() if key not in params["tagKeys"]}
        return {}

    def list_tags(self, caller: Caller, params: Params) -> Response:
        """List a resource's tags."""
        return {"tags": self._by_arn(caller, params["resourceArn"]).tags}

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return what has tags; see `ports.Tagged`."""
        return [
            TaggedResource(
                arn=record.arn,
                resource_type=f"vpc-lattice:{record.arn.split(':', 5)[5].split('/')[0]}",
                tags=dict(record.tags),
            )
            for record in self._desk.books(caller).records.values()
            if record.tags
        ]

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change a resource's tags; see `ports.Tagged`."""
        record = self._desk.books(caller).records.get(arn.rsplit("/", 1)[-1])
        if record is None or record.arn != arn:
            return False
        tags = checked_tags(record.tags, dict(put))
        record.tags = {key: value for key, value in tags.items() if key not in remove}
        return True

    def _by_arn(self, caller: Caller, arn: str) -> Record:
        record = self._desk.books(caller).records.get(arn.rsplit("/", 1)[-1])
        if record is None or record.arn != arn:
            raise not_found("RESOURCE", arn)
        return record
