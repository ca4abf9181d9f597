"""Alerts about where requests go: weights, rollbacks, drift, Cloud Map."""

from __future__ import annotations

from typing import Final

from integration.rules.promtool import Case

_BACKEND: Final = {"namespace": "shop", "route": "www", "backend": "web"}
_B: Final = 'namespace="shop", route="www", backend="web"'
_WEB: Final = {"kind": "Deployment", "namespace": "shop", "name": "web"}
_W: Final = 'kind="Deployment", namespace="shop", name="web"'
_R: Final = 'namespace="shop", route="www"'
_WAY: Final = 'plane="rules", reason="Alarm"'
_CALLS: Final = (
    'service="servicediscovery", operation="RegisterInstance", account="default", region="eu-west-1"'
)


def _repaired(name: str) -> str:
    labels = f"kind='Deployment', namespace='shop', name='{name}', field='desiredCount'"
    return f"sluice_object_drift_repaired_total{{{labels}}}"


CASES: Final = {
    "weights unproven": Case(
        alert="SluiceWeightsUnproven",
        at="6m",
        labels=_BACKEND,
        fires={f"sluice_route_weights_proven{{{_B}}}": "0x9"},
        # Each step takes a moment to be read back.
        quiet={f"sluice_route_weights_proven{{{_B}}}": "0 0 0 1 0 0 0 0 0 0"},
    ),
    "requests elsewhere": Case(
        alert="SluiceWeightsNotAsConfigured",
        at="17m",
        labels=_BACKEND,
        fires={f"sluice_route_observed_as_configured{{{_B}}}": "0x20"},
        quiet={f"sluice_route_observed_as_configured{{{_B}}}": "0x10 1x10"},
    ),
    "the first rollback ever is slow": Case(
        alert="SluiceRollbackSlow",
        at="12m",
        labels={"plane": "rules", "reason": "Alarm"},
        fires={
            f"sluice_rollback_seconds_count{{{_WAY}}}": "_x10 1x10",
            f'sluice_rollback_seconds_bucket{{{_WAY}, le="10.0"}}': "_x10 0x10",
        },
        quiet={
            f"sluice_rollback_seconds_count{{{_WAY}}}": "_x10 1x10",
            f'sluice_rollback_seconds_bucket{{{_WAY}, le="10.0"}}': "_x10 1x10",
        },
    ),
    "one more rollback, a slow one": Case(
        alert="SluiceRollbackSlow",
        at="60m",
        labels={"plane": "rules", "reason": "Alarm"},
        fires={
            f"sluice_rollback_seconds_count{{{_WAY}}}": "3x49 4x20",
            f'sluice_rollback_seconds_bucket{{{_WAY}, le="10.0"}}': "3x70",
        },
        # Cloud Map's clients follow their caches.
        quiet={
            "sluice_rollback_seconds_count{plane='discovery', reason='Alarm'}": "3x49 4x20",
            "sluice_rollback_seconds_bucket{plane='discovery', reason='Alarm', le='10.0'}": "3x70",
        },
    ),
    "drift stays": Case(
        alert="SluiceDriftNotRepaired",
        at="11m",
        labels=_WEB,
        value="2",
        fires={f"sluice_object_drifted_fields{{{_W}}}": "2x15"},
        # The series goes with the repair.
        quiet={f"sluice_object_drifted_fields{{{_W}}}": "2x4 stale"},
    ),
    "drift comes again": Case(
        alert="SluiceDriftRecurs",
        at="61m",
        labels={"kind": "Deployment", "namespace": "shop", "name": "web", "field": "desiredCount"},
        value="12",
        fires={_repaired("web"): "0+0.2x70"},
        # Ten objects that were changed once or twice each are no quarrel about one of them.
        quiet={_repaired(f"web-{number}"): "0x20 1x20 2x30" for number in range(10)},
    ),
    "Cloud Map is empty": Case(
        alert="SluiceDiscoveryEmpty",
        at="3m",
        labels={"namespace": "shop", "route": "www"},
        fires={
            f"sluice_discovery_instances{{{_R}, state='registered'}}": "3x5",
            f"sluice_discovery_instances{{{_R}, state='healthy'}}": "0x5",
        },
        # Nothing is to be there.
        quiet={
            f"sluice_discovery_instances{{{_R}, state='registered'}}": "0x5",
            f"sluice_discovery_instances{{{_R}, state='healthy'}}": "0x5",
        },
    ),
    "Cloud Map does not end": Case(
        alert="SluiceDiscoveryOperationsPending",
        at="21m",
        labels={"namespace": "shop", "route": "www"},
        fires={f"sluice_discovery_pending_operations{{{_R}}}": "2x30"},
        # Busy, but each one ends.
        quiet={f"sluice_discovery_pending_operations{{{_R}}}": "2x3 0 2x3 0 2x3 0 2x3 0 2x9"},
    ),
    "Cloud Map refuses": Case(
        alert="SluiceDiscoveryOperationsFailing",
        at="10m",
        labels={
            "operation": "RegisterInstance",
            "outcome": "rejected",
            "account": "default",
            "region": "eu-west-1",
        },
        fires={f"sluice_aws_calls_total{{{_CALLS}, outcome='rejected'}}": "0+1x15"},
        quiet={f"sluice_aws_calls_total{{{_CALLS}, outcome='throttled'}}": "0+1x15"},
    ),
    "Cloud Map refuses, and then not": Case(
        alert="SluiceDiscoveryOperationsFailing",
        at="10m",
        labels={
            "operation": "RegisterInstance",
            "outcome": "unavailable",
            "account": "default",
            "region": "eu-west-1",
        },
        fires={f"sluice_aws_calls_total{{{_CALLS}, outcome='unavailable'}}": "0+1x15"},
        # Two calls that AWS could not answer: they were made again, and nobody is called.
        quiet={f"sluice_aws_calls_total{{{_CALLS}, outcome='unavailable'}}": "0x2 2x13"},
    ),
}
