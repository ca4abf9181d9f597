"""Whatever happens to names, in whatever order: nobody else's entry is touched, and healed all ends whole.

A schedule is a seed, as in test_random.py: people, AWS and the operator's own process do their worst, here to
routes with names, too, and to their entries by hand.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.chaos import Chaos, Manifest
from sim.discovery_stories import discovery, litter
from sim.names import Name
from sim.universe import LEDGER, ROUTE, WEB
from sim.verdict import final_specs
from sim.verdict import litter as other_litter
from sluice.model.keys import Key
from sluice_sandbox.aws.errors import AwsError
from soaking import Soak, say

SCHEDULES = 4
"""In `make test`."""
STEPS = 15
_FOREIGN = {"AWS_INSTANCE_IPV4": "10.99.0.1"}


class NamedChaos(Chaos):
    """`Chaos` with names: most routes have one, with rules or alone, and people edit entries by hand."""

    def route(self, key: Key) -> Manifest:
        """Return a route with random contents, most with a name."""
        made = super().route(key)
        if self.rng.random() < 0.8:
            backend = self.rng.choice((WEB, WEB, LEDGER)).name
            made["spec"]["discovery"] = self._discovery(key, backend)
            if self.rng.random() < 0.5:
                for member in ("parentRefs", "rules", "hostnames"):
                    made["spec"].pop(member, None)
        return made

    def _discovery(self, key: Key, backend: str) -> dict[str, Any]:
        mode = self.rng.choice(("Tasks", "Tasks", "Tasks", "ECS"))
        port = {"name": backend, "port": "http"}
        return discovery(mode, backendRef=port, serviceName=f"{key.name}-name")

    def by_hand(self) -> None:
        """Change something at the console, names as often as the rest."""
        if self.rng.random() < 0.5:
            super().by_hand()
            return
        region = self.universe.world.services["servicediscovery"].state.region(self.universe.world.caller)
        entries = [
            (s.id, i) for s in region.services.values() for i in s.instances if i.startswith("sluice-")
        ]
        services = [service.id for service in region.services.values()]
        try:
            self._edit_names(entries, services)
        except AwsError as error:
            self.note(f"... refused: {error.code}")

    def _edit_names(self, entries: list[tuple[str, str]], services: list[str]) -> None:
        act = self.rng.choice(("remove", "sicken", "readdress", "delete", "add"))
        if act in ("remove", "sicken", "readdress") and entries:
            service, instance = self.rng.choice(entries)
            self.note(f"by hand: {act} {instance}")
            named = {"ServiceId": service, "InstanceId": instance}
            if act == "remove":
                self.universe.aws("servicediscovery", "DeregisterInstance", **named)
            elif act == "sicken":
                call = "UpdateInstanceCustomHealthStatus"
                self.universe.aws("servicediscovery", call, Status="UNHEALTHY", **named)
            else:
                found = self.universe.aws("servicediscovery", "GetInstance", **named)["Instance"][
                    "Attributes"
                ]
                self.universe.aws(
                    "servicediscovery", "RegisterInstance", Attributes=found | {"by": "hand"}, **named
                )
        elif act == "delete" and services:
            self.note("by hand: DeleteService")
            self.universe.aws("servicediscovery", "DeleteService", Id=self.rng.choice(services))
        elif act == "add" and services:
            self.note("by hand: somebody else's entry")
            service = self.rng.choice(services)
            self.universe.aws(
                "servicediscovery",
                "RegisterInstance",
                ServiceId=service,
                InstanceId="theirs",
                Attributes=_FOREIGN,
            )

    def bid_farewell(self) -> None:
        """Take somebody else's entries away again, so that names can be deleted for good."""
        region = self.universe.world.services["servicediscovery"].state.region(self.universe.world.caller)
        for service in region.services.values():
            if "theirs" in service.instances:
                assert service.instances["theirs"].attributes == _FOREIGN
                self.universe.aws(
                    "servicediscovery", "DeregisterInstance", ServiceId=service.id, InstanceId="theirs"
                )
        self.universe.run(10)


def one(seed: int, *, steps: int = STEPS) -> int:
    """Play one schedule and check all laws; return how many writes there were."""
    chaos = NamedChaos(seed)
    universe = chaos.universe
    specs = [*final_specs(chaos.rng)]
    for manifest in specs:
        if manifest["kind"] == "ServiceRoute":
            manifest["spec"]["discovery"] = discovery()
    try:
        chaos.play(steps=steps)
        universe.heal()
        chaos.bid_farewell()
        chaos.heal(specs)
        name = Name(universe)
        wanted = {task.address for task in name.eligible().values()}
        assert {entry.address for entry in name.entries() if entry.healthy} == wanted != set()
        assert len(name.entries()) == len(wanted)
        assert universe.ready(WEB, LEDGER, ROUTE)
        assert litter(universe) + other_litter(universe) == []
        written = len(universe.writes())
        universe.run(200)
        assert universe.writes()[written:] == [], "rest is not at rest"
    except BaseException as error:
        story = "\n".join(chaos.log)
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}\n{story}") from error
    return written


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_random_schedules(seed: int) -> None:
    """Fifteen random acts; then both Deployments, their routes and a name of each come to rest."""
    written = one(seed)
    say(f"explored seed {seed}: 1 schedules, {STEPS} events, {written} AWS writes")


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak() -> None:
    """Schedules with new seeds, or those of SEEDS; it goes on where the last soak stopped."""
    soak = Soak(kind="names", test="tests/sim/test_discovery_random.py::test_soak")
    assert soak.play(lambda seed: one(seed, steps=STEPS * (1 + seed % 4)))
