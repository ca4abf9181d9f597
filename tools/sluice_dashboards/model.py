"""Grafana's dashboard JSON from a few words: panels, variables, rows that lay themselves out.

Only what these dashboards use. Member names are those of Grafana's published types (dashboard kind, schema
version 41, as in its Foundation SDK for 11.6); a test compares every file with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

TAG: Final = "sluice"
RUNBOOK: Final = "docs/runbook.md"
"""The chart puts the address of your copy in its place, or leaves the links out."""
COLUMNS: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_CLUSTER: Final = 'cluster=~"$cluster"'
_HERE: Final = f'{_CLUSTER}, job=~"$job"'
"""Which clusters and installations are shown: in every selector of every dashboard."""
_SELECTOR: Final = re.compile(r"(?<![\w:])((?:\w+:)?sluice_\w+(?::\w+)?)(?:\{([^}]*)\})?")
_ALL: Final = {"selected": True, "text": ["All"], "value": ["$__all"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of a panel; `now` asks for the present value alone."""

    expr: str
    legend: str = ""
    now: bool = False
    table: bool = False

    def json(self, ref: str) -> dict[str, Any]:
        """Return it as Grafana has it."""
        found: dict[str, Any] = {"datasource": _SOURCE, "expr": here(self.expr), "refId": ref}
        found |= {"instant": True, "range": False} if self.now or self.table else {"range": True}
        if self.legend:
            found["legendFormat"] = self.legend
        if self.table:
            found["format"] = "table"
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel of a row; `width` in columns of 24, `height` in Grafana's units (30 pixels)."""

    kind: str
    title: str
    text: str
    queries: tuple[Query, ...]
    width: int
    height: int = 8
    options: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[Mapping[str, Any], ...] = ()
    transformations: tuple[Mapping[str, Any], ...] = ()

    def json(self, number: int, *, x: int, y: int) -> dict[str, Any]:
        """Return it as Grafana has it."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": " ".join(self.text.split()),
            "datasource": _SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [query.json(chr(ord("A") + at)) for at, query in enumerate(self.queries)],
            "options": dict(self.options),
            "fieldConfig": {"defaults": dict(self.defaults), "overrides": [dict(o) for o in self.overrides]},
            **({"transformations": [dict(t) for t in self.transformations]} if self.transformations else {}),
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A title and the panels below it, from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One file of the chart: `uid` is its name and its address in Grafana (`/d/<uid>`)."""

    uid: str
    title: str
    text: str
    rows: tuple[Row, ...]
    variables: tuple[Mapping[str, Any], ...] = ()
    since: str = "now-3h"
    annotations: tuple[Mapping[str, Any], ...] = ()

    def json(self) -> dict[str, Any]:
        """Return the whole dashboard."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": " ".join(self.text.split()),
            "tags": [TAG],
            "schemaVersion": 41,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": self.since, "to": "now"},
            "links": [_runbook(), _others()],
            "templating": {
                "list": [datasource(), *where(), *(dict(variable) for variable in self.variables)]
            },
            "annotations": {"list": [dict(annotation) for annotation in self.annotations]},
            "panels": self._panels(),
        }

    def _panels(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
            number = len(found) + 1
            head = {"id": number, "type": "row", "title": row.title, "collapsed": False}
            found.append(head | {"gridPos": place, "panels": []})
            y, x, tallest = y + 1, 0, 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    y, x, tallest = y + tallest, 0, 0
                found.append(panel.json(len(found) + 1, x=x, y=y))
                x, tallest = x + panel.width, max(tallest, panel.height)
            y += tallest
        return found


def _runbook() -> dict[str, Any]:
    return _link("Runbook", kind="link") | {"url": RUNBOOK, "icon": "doc", "targetBlank": True}


def _others() -> dict[str, Any]:
    return _link("Sluice", kind="dashboards") | {"tags": [TAG], "asDropdown": True}


def _link(title: str, *, kind: str) -> dict[str, Any]:
    return {
        "title": title,
        "type": kind,
        "icon": "external link",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "targetBlank": False,
        "includeVars": True,
        "keepTime": True,
    }


def here(expr: str) -> str:
    """Return an expression in one line whose selectors choose among clusters and installations, too.

    `cluster` is the external label that a Prometheus over several clusters has; a series without it fits
    `.*`, as one of a single cluster does. `job` is the scrape's, one of each installation; recorded series
    have lost it.
    """

    def chosen(found: re.Match[str]) -> str:
        place = _CLUSTER if ":" in found[1] else _HERE
        return f"{found[1]}{{{', '.join(filter(None, (place, found[2])))}}}"

    return _SELECTOR.sub(chosen, " ".join(expr.split()))


# Variables.


def where() -> tuple[dict[str, Any], ...]:
    """Return the choices of cluster and installation."""
    return (
        choice("cluster", "Cluster", "label_values(sluice_build_info, cluster)"),
        choice("job", "Installation", f"label_values(sluice_build_info{{{_CLUSTER}}}, job)"),
    )


def datasource() -> dict[str, Any]:
    """Return the choice of a Prometheus."""
    return {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}


def choice(name: str, label: str, query: str, *, several: bool = True) -> dict[str, Any]:
    """Return a choice among the values that a label has: `query` is label_values(...)."""
    found: dict[str, Any] = {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "Values", "qryType": 1},
        # When the time range changes: objects come and go.
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
    }
    return found | ({"allValue": ".*", "current": _ALL} if several else {})


def annotation(name: str, expr: str, *, color: str) -> dict[str, Any]:
    """Return an annotation: a mark over every graph where the expression has a value."""
    return {
        "name": name,
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": color,
        "expr": here(expr),
    }


# Panels.


def graph(
    title: str,
    text: str,
    *queries: Query,
    unit: str,
    width: int = 12,
    height: int = 8,
    top: float | None = None,
    stacked: bool = False,
    steps: bool = False,
) -> Panel:
    """Return lines over time; `steps` for values that jump and hold."""
    custom: dict[str, Any] = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if steps else "linear",
        "fillOpacity": 30 if stacked else 8,
        # What happened once has no neighbours to draw a line to: counters are shown where they rose.
        "showPoints": "auto",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    defaults: dict[str, Any] = {"unit": unit, "min": 0, "custom": custom}
    return Panel(
        kind="timeseries",
        title=title,
        text=text,
        queries=queries,
        width=width,
        height=height,
        options={
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        defaults=defaults | ({} if top is None else {"max": top}),
    )


def figure(
    title: str,
    text: str,
    query: Query,
    *,
    unit: str = "short",
    width: int = 4,
    bad_from: float | None = None,
    good_from: float | None = None,
    none: str = "none",
) -> Panel:
    """Return one number, red from `bad_from` on, or red below `good_from`; `none` is shown for no data."""
    steps: list[dict[str, Any]] = [{"color": "green" if good_from is None else "red", "value": None}]
    if bad_from is not None:
        steps.append({"color": "red", "value": bad_from})
    if good_from is not None:
        steps.append({"color": "green", "value": good_from})
    coloured = bad_from is not None or good_from is not None
    return Panel(
        kind="stat",
        title=title,
        text=text,
        queries=(query,),
        width=width,
        height=4,
        options={
            "graphMode": "none" if query.now else "area",
            "colorMode": "value" if coloured else "none",
            "justifyMode": "auto",
            "textMode": "auto",
            "wideLayout": True,
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "values": False, "fields": ""},
        },
        defaults={"unit": unit, "noValue": none, "thresholds": {"mode": "absolute", "steps": steps}},
    )


def states(title: str, text: str, *queries: Query, width: int = 24, height: int = 6) -> Panel:
    """Return bands over time: what held from when to when; a series' legend is its row."""
    mapping = {
        "type": "value",
        "options": {
            "0": {"text": "no", "color": "red", "index": 0},
            "1": {"text": "yes", "color": "green", "index": 1},
        },
    }
    return Panel(
        kind="state-timeline",
        title=title,
        text=text,
        queries=queries,
        width=width,
        height=height,
        options={
            "showValue": "auto",
            "rowHeight": 0.8,
            "mergeValues": True,
            "alignValue": "left",
            "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        },
        defaults={"mappings": [mapping], "custom": {"fillOpacity": 70, "lineWidth": 0}},
    )


def table(
    title: str,
    text: str,
    query: Query,
    *,
    hide: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
    unit: str = "short",
    to: str = "",
    width: int = 24,
    height: int = 8,
) -> Panel:
    """Return the present samples as rows, labels as columns; `to` is a dashboard that a name leads to."""
    overrides: list[dict[str, Any]] = []
    if to:
        chosen = "var-datasource=${datasource}&${cluster:queryparam}&${job:queryparam}"
        named = "var-namespace=${__data.fields.namespace}&var-deployment=${__data.fields.name}"
        link = {"title": "Open", "url": f"/d/{to}?{chosen}&{named}"}
        overrides.append(
            {
                "matcher": {"id": "byName", "options": "name"},
                "properties": [{"id": "links", "value": [link]}],
            }
        )
    dropped = dict.fromkeys(("Time", "__name__", "job", "instance", *hide), True)
    return Panel(
        kind="table",
        title=title,
        text=text,
        queries=(query,),
        width=width,
        height=height,
        options={"frameIndex": 0, "showHeader": True, "cellHeight": "sm"},
        defaults={"unit": unit, "noValue": "none"},
        overrides=tuple(overrides),
        transformations=(
            {
                "id": "organize",
                "options": {"excludeByName": dropped, "indexByName": {}, "renameByName": dict(names or {})},
            },
        ),
    )


def now(expr: str) -> Query:
    """Return a query for one present number."""
    return Query(expr=expr, now=True)


def line(expr: str, legend: str) -> Query:
    """Return a query for lines over time."""
    return Query(expr=expr, legend=legend)


def quantile(share: float, buckets: str, *by: str) -> str:
    """Return a quantile over a histogram: `buckets` is a rate or an increase of its buckets.

    Without observations it is NaN, which Grafana would show as a number: the comparison makes it no data.
    """
    return f"histogram_quantile({share}, sum by ({', '.join((*by, 'le'))}) ({buckets})) >= 0"


def rows(expr: str) -> Query:
    """Return a query for a table."""
    return Query(expr=expr, table=True)
