"""A rollout as operations see it: a real Prometheus that scrapes operators, and a page that draws from it.

The page asks Prometheus' HTTP API and nothing else, so what it shows is what metrics alone can tell; it
loads nothing from outside. `make demo DASHBOARD=1` shows it, the end-to-end tests use the same Prometheus
for the chart's dashboards and rules.
"""
