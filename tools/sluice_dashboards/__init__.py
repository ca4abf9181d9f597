"""Grafana dashboards as code: what each panel asks and why; `tools/dashboards.py` writes the JSON."""
