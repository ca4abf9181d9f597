"""Alerts about one custom resource, its rollout and its error budget."""

from __future__ import annotations

from typing import Final

from integration.rules.promtool import Case

_WEB: Final = {"namespace": "shop", "name": "web"}
_W: Final = 'namespace="shop", name="web"'
_INFO: Final = f"sluice_deployment_info{{{_W}, revision='web-1'}}"
_FIRST: Final = f"sluice_deployment_info{{{_W}, revision=''}}"
_LOST: Final = f"kind='ServiceRoute', {_W}, reason='BackendNotFound'"


def _tasks(state: str, slot: str = "a") -> str:
    return f"sluice_deployment_tasks{{{_W}, slot='{slot}', state='{state}'}}"


CASES: Final = {
    "stalled": Case(
        alert="SluiceStalled",
        at="6m",
        labels={"kind": "Deployment", **_WEB, "reason": "AccessDenied"},
        fires={f"sluice_object_stalled{{kind='Deployment', {_W}, reason='AccessDenied'}}": "1x10"},
        # A rollback has an alert of its own.
        quiet={f"sluice_object_stalled{{kind='Deployment', {_W}, reason='RolledBack'}}": "1x10"},
    ),
    "stalled, healed in time": Case(
        alert="SluiceStalled",
        at="6m",
        labels={"kind": "ServiceRoute", **_WEB, "reason": "BackendNotFound"},
        # Another replica leads meanwhile: the same trouble goes on.
        fires={
            f"sluice_object_stalled{{{_LOST}, instance='1'}}": "1x3",
            f"sluice_object_stalled{{{_LOST}, instance='2'}}": "_x2 1x8",
        },
        quiet={f"sluice_object_stalled{{{_LOST}}}": "1x3 stale"},
    ),
    "rolled back": Case(
        alert="SluiceRolledBack",
        at="1m",
        labels=_WEB,
        fires={f"sluice_object_stalled{{kind='Deployment', {_W}, reason='RolledBack'}}": "1x5"},
        quiet={f"sluice_object_stalled{{kind='Deployment', {_W}, reason='InvalidSpec'}}": "1x5"},
    ),
    "a step too old": Case(
        alert="SluiceRolloutStuck",
        at="6h15m",
        interval="5m",
        labels=_WEB,
        fires={
            f"sluice_rollout_step_started_timestamp_seconds{{{_W}}}": "0x80",
            f"sluice_rollout_started_timestamp_seconds{{{_W}}}": "0x80",
        },
        quiet={
            f"sluice_rollout_step_started_timestamp_seconds{{{_W}}}": "0x80",
            f"sluice_rollout_held{{{_W}, reason='Paused'}}": "1x80",
        },
    ),
    "a rollout too old": Case(
        alert="SluiceRolloutStuck",
        at="24h30m",
        interval="10m",
        labels=_WEB,
        fires={f"sluice_rollout_started_timestamp_seconds{{{_W}}}": "0x160"},
        quiet={
            f"sluice_rollout_started_timestamp_seconds{{{_W}}}": "0x160",
            f"sluice_rollout_gate_info{{{_W}, gate='freeze weekend', state='Waiting'}}": "1x160",
        },
    ),
    "a person is asked": Case(
        alert="SluiceRolloutWaitsForPerson",
        at="62m",
        labels={**_WEB, "reason": "AnalysisInconclusive"},
        fires={f"sluice_rollout_held{{{_W}, reason='AnalysisInconclusive'}}": "1x70"},
        quiet={f"sluice_rollout_held{{{_W}, reason='AnalysisInconclusive'}}": "1x40 stale"},
    ),
    "both slots unhealthy": Case(
        alert="SluiceBothSlotsUnhealthy",
        at="3m",
        labels=_WEB,
        fires={
            _INFO: "1x5",
            _tasks("desired"): "2x5",
            _tasks("healthy"): "0x5",
            _tasks("desired", "b"): "2x5",
            _tasks("healthy", "b"): "0x5",
        },
        quiet={
            _INFO: "1x5",
            _tasks("desired"): "2x5",
            _tasks("healthy"): "0x5",
            _tasks("desired", "b"): "2x5",
            _tasks("healthy", "b"): "1x5",
        },
    ),
    "the other slot's health is not read": Case(
        alert="SluiceBothSlotsUnhealthy",
        at="3m",
        labels=_WEB,
        fires={
            _INFO: "1x5",
            _tasks("desired"): "2x5",
            _tasks("running"): "0x5",
            _tasks("running", "b"): "2x5",
            _tasks("healthy", "b"): "0x5",
        },
        quiet={
            _INFO: "1x5",
            _tasks("desired"): "2x5",
            _tasks("running"): "2x5",
            _tasks("running", "b"): "2x5",
            _tasks("healthy", "b"): "0x5",
        },
    ),
    "unhealthy, but not the first rollout": Case(
        alert="SluiceBothSlotsUnhealthy",
        at="3m",
        labels=_WEB,
        fires={_INFO: "1x5", _tasks("desired"): "2x5", _tasks("healthy"): "0x5"},
        quiet={_FIRST: "1x5", _tasks("desired"): "2x5", _tasks("healthy"): "0x5"},
    ),
    "a rollback finds no slot to go to": Case(
        alert="SluiceBothSlotsUnhealthy",
        at="3m",
        labels=_WEB,
        fires={f"sluice_rollout_held{{{_W}, reason='BothSlotsUnhealthy'}}": "1x5"},
        quiet={f"sluice_rollout_held{{{_W}, reason='Paused'}}": "1x5"},
    ),
    "nothing runs": Case(
        alert="SluiceNothingRuns",
        at="7m",
        labels=_WEB,
        fires={_INFO: "1x9", _tasks("desired"): "2x9", _tasks("running"): "0x9"},
        # Scaled to nothing on purpose.
        quiet={_INFO: "1x9", _tasks("desired"): "0x9", _tasks("running"): "0x9"},
    ),
    "not looked at": Case(
        alert="SluiceObjectNotSynced",
        at="75m",
        labels={"kind": "Deployment", **_WEB},
        fires={f"sluice_object_synced_timestamp_seconds{{kind='Deployment', {_W}}}": "0x80"},
        quiet={
            f"sluice_object_synced_timestamp_seconds{{kind='Deployment', {_W}}}": "0x80",
            f"sluice_object_stalled{{kind='Deployment', {_W}, reason='AccessDenied'}}": "1x80",
        },
    ),
    "looked at a while ago": Case(
        alert="SluiceObjectNotSynced",
        at="75m",
        labels={"kind": "ServiceRoute", **_WEB},
        fires={f"sluice_object_synced_timestamp_seconds{{kind='ServiceRoute', {_W}}}": "0x80"},
        quiet={f"sluice_object_synced_timestamp_seconds{{kind='ServiceRoute', {_W}}}": "0x30 1800x50"},
    ),
    "a fifth of the tasks gone for half an hour": Case(
        alert="SluiceErrorBudgetBurnFast",
        at="40m",
        labels=_WEB,
        # Twenty percent over five minutes and over the hour so far: 200 times the budget.
        value="20%",
        fires={_INFO: "1x60", _tasks("desired"): "5x60", _tasks("healthy"): "4x60"},
        # One in a thousand: the budget, used as planned.
        quiet={_INFO: "1x60", _tasks("desired"): "1000x60", _tasks("healthy"): "999x60"},
    ),
    "gone, and there again": Case(
        alert="SluiceErrorBudgetBurnFast",
        at="50m",
        labels=_WEB,
        value="20%",
        fires={_INFO: "1x60", _tasks("desired"): "5x60", _tasks("running"): "4x60"},
        # Both windows have to burn: it is over for a quarter of an hour.
        quiet={_INFO: "1x60", _tasks("desired"): "5x60", _tasks("running"): "4x10 5x50"},
    ),
    "tasks of the other slot serve, too": Case(
        alert="SluiceErrorBudgetBurnFast",
        at="40m",
        labels=_WEB,
        value="20%",
        fires={
            _INFO: "1x60",
            _tasks("desired"): "5x60",
            _tasks("healthy"): "4x60",
            _tasks("desired", "b"): "5x60",
            _tasks("healthy", "b"): "0x60",
        },
        # A candidate that never gets well takes nothing from the live slot.
        quiet={
            _INFO: "1x60",
            _tasks("desired"): "5x60",
            _tasks("healthy"): "5x60",
            _tasks("desired", "b"): "5x60",
            _tasks("healthy", "b"): "0x60",
        },
    ),
    "only the candidate's health is read": Case(
        alert="SluiceErrorBudgetBurnFast",
        at="40m",
        labels=_WEB,
        value="20%",
        fires={
            _INFO: "1x60",
            _tasks("desired"): "5x60",
            _tasks("running"): "4x60",
            _tasks("running", "b"): "1x60",
            _tasks("healthy", "b"): "0x60",
        },
        quiet={
            _INFO: "1x60",
            _tasks("desired"): "5x60",
            _tasks("running"): "5x60",
            _tasks("running", "b"): "1x60",
            _tasks("healthy", "b"): "0x60",
        },
    ),
    "a little missing all the time": Case(
        alert="SluiceErrorBudgetBurnSlow",
        at="8h",
        interval="5m",
        labels=_WEB,
        value="0.2%",
        fires={_INFO: "1x100", _tasks("desired"): "1000x100", _tasks("running"): "998x100"},
        quiet={_INFO: "1x100", _tasks("desired"): "10000x100", _tasks("running"): "9999x100"},
    ),
}
