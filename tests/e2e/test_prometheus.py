"""Dashboards and rules against a real Prometheus that scrapes a real operator."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final

import pytest

from e2e import panels
from e2e.desk import DEPLOYMENT, Desk
from e2e.progressive import (
    ALL,
    BAD,
    GOOD,
    NEXT,
    PERSON,
    progressive,
    verb,
    wait_rolled_back,
    wait_step,
    weight,
)
from e2e.scrape import Scrape
from e2e.test_aws_events import Queue
from e2e.test_discovery import named, rolling
from e2e.waiting import until
from e2e.web_server import WebServer

pytestmark = pytest.mark.e2e
WORSE: Final = "4.0.0"
STEPS: Final = (weight(50), {"pause": {"duration": "2s"}}, PERSON, ALL)
SETTINGS: Final[dict[str, Any]] = {
    "aws": {"budgets": True, "budgetShare": 1},
    "cost": {"currency": "USD", "fargate": {"vcpuHour": 0.04, "gbHour": 0.0044}},
}
EMPTY: Final = {
    "sluice-aws / Put off / A": "everybody found tokens",
    "sluice-aws / Wait for tokens, p99 / A": "everybody found tokens",
    "sluice-aws / Writes that a dry run withheld / A": "no dry run",
    "sluice-deployment / Cloud Map / A": "no route has a name",
    "sluice-deployment / Cloud Map / B": "no route has a name",
    "sluice-deployment / Proof / B": "the load balancer's counts come after whole minutes under load",
    "sluice-fleet / AWS events / A": "no queue of AWS events is configured",
    "sluice-fleet / Notifications / A": "no sink is configured",
    "sluice-fleet / Store compared / A": "the first comparison is due after ten minutes",
    "sluice-fleet / Tasks missing / A": "nothing was missing for as long as a second",
    "sluice-fleet / What the watch tells / B": "the watch never broke",
    "sluice-fleet / annotation Leader changed": "one replica led all the time",
}
"""Panels that may have no data in this world, and why; other tests below fill what can be filled."""
ABSENT: Final = {
    'sluice_aws_calls_total{service="servicediscovery", outcome!~"ok|throttled|not-found"}': "no refusal",
    "sluice_object_drifted_fields": "the hand edit was repaired in the pass that found it",
    'sluice_object_stalled{reason!="RolledBack"}': "nothing else was stalled",
    'sluice_rollout_held{reason="BothSlotsUnhealthy"}': "one slot was well all the time",
    'sluice_rollout_gate_info{gate=~"freeze .*"}': "no freeze window",
    "sluice_route_observed_as_configured": "the load balancer's counts come after whole minutes under load",
    'sluice_discovery_instances{state="healthy"}': "no route has a name",
    'sluice_discovery_instances{state="registered"}': "no route has a name",
    "sluice_discovery_pending_operations": "no route has a name",
    "sluice_sweep_timestamp_seconds": "the first comparison is due after ten minutes",
    "sluice_notifications_oldest_seconds": "no sink is configured",
    'sluice_notifications_total{outcome=~"rejected|expired|dropped"}': "no sink is configured",
}
"""Selectors of rules that may choose nothing in this world, and why; promtool's tests have them all."""


class Story:
    """A Deployment `web` with a route, brought out and taken back by a person, seen by Prometheus."""

    def __init__(self, desk: Desk, scrape: Scrape) -> None:
        """Play at a desk; nothing goes on before Prometheus has seen it."""
        self._desk = desk
        self._scrape = scrape
        self._route = desk.route()
        self._mine = f'namespace="{desk.namespace}"'

    def play(self) -> None:
        """Two successes, a hand edit, two rollbacks: rates need a second event of a kind."""
        desk = self._desk
        desk.apply_and_wait(self._web(GOOD), self._route)
        self._bring_out(NEXT)
        verb(desk, "promote")
        desk.wait_ready(self._web(NEXT), self._route)
        self._hand_edit()
        for tag in (BAD, WORSE):
            self._bring_out(tag)
            verb(desk, "abort")
            wait_rolled_back(desk)
            self._seen(f'sluice_object_stalled{{{self._mine}, reason="RolledBack"}}')

    def _web(self, tag: str) -> dict[str, Any]:
        made = progressive(self._desk, *STEPS, image=tag)
        commit = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
        made["metadata"]["annotations"] = {"sluice.dev/commit-time": commit.strftime("%Y-%m-%dT%H:%M:%SZ")}
        made["metadata"]["labels"]["team"] = "shop"
        return made

    def _bring_out(self, tag: str) -> None:
        """Apply an image and wait for the step at which a person is asked."""
        self._desk.apply(self._web(tag))
        wait_step(self._desk, 3)
        self._seen(f"sluice_rollout_held{{{self._mine}}}")

    def _hand_edit(self) -> None:
        """Edit the listener rule at the console, and wait for the repair."""
        rules = self._desk.aws.rules(80)
        mine = (r for r in rules if any(self._desk.host in c.get("Values", ()) for c in r["Conditions"]))
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
        self._desk.aws.elb.modify_rule(RuleArn=next(mine)["RuleArn"], Actions=[fixed])
        until(lambda: self._desk.events("DriftRepaired"), "the hand edit is repaired")

    def _seen(self, expr: str) -> None:
        until(lambda: self._scrape.ever(expr), f"Prometheus has seen {expr}")


def test_every_panel_and_every_rule_has_data(desk: Desk, tmp_path: Path) -> None:
    """Rollouts and rollbacks fill every panel, variable and selector but those listed with their reason."""
    chosen = {"namespace": desk.namespace, "deployment": "web"}
    asked = panels.panels(**chosen)
    assert {panel.where for panel in asked} >= EMPTY.keys()
    assert panels.selectors() >= ABSENT.keys()
    with desk.world.configured(**SETTINGS):
        desk.world.operator()
        with Scrape(desk.world, tmp_path) as scrape:
            Story(desk, scrape).play()
            until(scrape.settled, "all rules were evaluated")
            assert scrape.unhealthy_rules() == []
            wanted = {panel.where: panel.expr for panel in asked if panel.where not in EMPTY}
            wanted |= {selector: selector for selector in panels.selectors() - ABSENT.keys()}
            assert scrape.silent(wanted) == []
            for where, matcher, label in panels.choices(**chosen):
                # A Prometheus of one cluster has no such label: the choice is empty and "All" fits.
                assert any(scrape.values(matcher, label)) != (label == "cluster"), where
            summary = f"{desk.namespace}/web was rolled back"
            until(lambda: summary in scrape.told("SluiceRolledBack"), "the alert says what it is about")


def test_a_spent_budget_and_a_dry_run_are_seen(desk: Desk, tmp_path: Path) -> None:
    """Calls that find no token and writes that are withheld fill the panels that were empty without.

    Looking at what runs spends a tenth of the budget and more; what was never made is not looked at.
    """
    names = [f"web-{number}" for number in range(4)]
    desk.apply_and_wait(*map(desk.deployment, names))
    wanted = ("Put off /", "Wait for tokens", "Writes that a dry run")
    with desk.world.configured(dryRun=True, aws={"budgets": True, "budgetShare": 0.1}):
        desk.world.operator()
        with Scrape(desk.world, tmp_path) as scrape:
            desk.apply(*(desk.deployment(name, replicas=3) for name in names))
            found = ((panel.where, panel.expr) for panel in panels.panels())
            asked = {where: expr for where, expr in found if any(f"/ {word}" in where for word in wanted)}
            assert len(asked) == len(wanted)
            assert scrape.silent(asked, seconds=45) == []


def test_a_name_and_a_shortage_are_seen(desk: Desk, tmp_path: Path) -> None:
    """Instances of Cloud Map, and tasks that find no place, fill the panels that were empty without."""
    asked = {panel.where: panel.expr for panel in panels.panels(namespace=desk.namespace, deployment="web")}
    desk.world.operator()
    with Scrape(desk.world, tmp_path) as scrape:
        desk.apply_and_wait(rolling(desk), named(desk), seconds=90)
        until(lambda: scrape.ever('sluice_discovery_instances{state="healthy"} > 0'), "instances are healthy")
        shortage = desk.aws.control("faults", {"kind": "capacity-shortage", "where": "FARGATE"})
        try:
            desk.kubectl("scale", f"{DEPLOYMENT}/web", "--replicas=5")
            until(lambda: scrape.ever(asked["sluice-fleet / Tasks missing / A"]), "missing tasks are drawn")
        finally:
            desk.aws.control(f"faults/{shortage['id']}", method="DELETE")
        wanted = {name: expr for name, expr in asked.items() if "/ Cloud Map /" in name}
        assert len(wanted) == 2
        assert scrape.silent(wanted) == []
        desk.wait_ready(rolling(desk, replicas=5), named(desk))


def test_what_is_told_and_heard_is_seen(desk: Desk, web_server: WebServer, tmp_path: Path) -> None:
    """Notifications that arrive and that do not, and ECS's own events, fill panels that were empty."""
    web_server.answers["/in"] = (200, b"ok")
    sinks = [
        {"name": "hook", "webhook": {"url": web_server.url("/in")}},
        {"name": "dead", "webhook": {"url": "http://127.0.0.1:1/"}},
    ]
    queue = Queue(desk)
    queue.make()
    asked = {panel.where: panel.expr for panel in panels.panels(namespace=desk.namespace)}
    wanted = {
        name: asked[name] for name in ("sluice-fleet / Notifications / A", "sluice-fleet / AWS events / A")
    }
    wanted["waits"] = 'sluice_notifications_oldest_seconds{sink="dead"} > 0'
    with desk.world.configured(notifications={"sinks": sinks}, awsEvents={"queueUrl": queue.url}):
        desk.world.operator()
        with Scrape(desk.world, tmp_path) as scrape:
            for tag in (GOOD, NEXT):
                desk.apply_and_wait(desk.deployment(image=tag))
            assert scrape.silent(wanted, seconds=30) == []
    queue.remove()


def test_who_leads_is_seen(desk: Desk, tmp_path: Path) -> None:
    """With a replica that stands by, the leader's end is a gap of seconds, and the next one is drawn."""
    desk.world.operator()
    standby = desk.world.start_operator()
    standby.wait_until_ready()
    leader = desk.world.leader()
    with Scrape(desk.world, tmp_path) as scrape:
        both = "count(sluice_leader) == 2 and sum(sluice_leader) == 1"
        until(lambda: scrape.now(both), "one of the two leads")
        for operator in desk.world.operators:
            if operator.runs and operator is not standby:
                assert operator.end() == 0
        until(lambda: desk.world.leader() not in {leader, ""}, "the other one leads")
        until(lambda: scrape.now("sum(sluice_leader) == 1"), "that is seen")
        (note,) = (asked for asked in panels.panels() if "annotation Leader" in asked.where)
        until(lambda: scrape.ever(note.expr), "the annotation marks it")
        assert scrape.ever("sum by (job, namespace) (sluice_leader) < 1 or absent(sluice_leader)")
