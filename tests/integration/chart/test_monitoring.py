"""The chart's objects for Prometheus and Grafana: off unless asked for, and they fit what they point at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from integration.chart.helm import CHART, Helm
from integration.rules.promtool import FILES, promtool
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.errors import CommandFailed

pytestmark = pytest.mark.integration
KINDS: Final = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "NetworkPolicy"}
RUNBOOK: Final = "https://wiki.example.com/sluice/runbook"
LABELLED: Final = '--set-json=monitoring.serviceMonitor.labels={"release":"kps"}'


@pytest.fixture
def offline(tmp_path: Path, helm_home: Path) -> Helm:
    """Helm without a cluster: rendering asks nobody."""
    return Helm(Cluster(tmp_path), helm_home)


def rendered(helm: Helm, *values: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the documents by kind and name."""
    more = [f"--set={value}" if not value.startswith("--") else value for value in values]
    text = helm.run(
        "template", "sluice", str(CHART), "--namespace=sluice-system", "--set=installationId=demo", *more
    )
    documents = [document for document in yaml.safe_load_all(text) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def rule_groups() -> list[dict[str, Any]]:
    """Return the groups of the plain rule files, in the order of the files' names."""
    return [group for file in FILES for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]


def test_nothing_is_there_unless_asked_for(offline: Helm) -> None:
    """The defaults need neither the Prometheus Operator's definitions nor Grafana."""
    documents = rendered(offline)
    assert not KINDS & {kind for kind, _ in documents}
    assert [name for kind, name in documents if kind == "ConfigMap"] == ["sluice"]


def test_the_service_monitor_finds_the_service(offline: Helm) -> None:
    """Its selector, namespace and port are those of the Service; labels of resources win over its own."""
    documents = rendered(
        offline,
        "monitoring.serviceMonitor.enabled=true",
        "monitoring.serviceMonitor.namespace=monitoring",
        LABELLED,
    )
    monitor, service = documents["ServiceMonitor", "sluice"], documents["Service", "sluice"]
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "kps"
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": [service["metadata"]["namespace"]]}
    selected = monitor["spec"]["selector"]["matchLabels"].items()
    assert selected <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert (endpoint["path"], endpoint["honorLabels"]) == ("/metrics", True)
    assert "interval" not in endpoint


def test_the_pod_monitor_finds_the_pods(offline: Helm) -> None:
    """Its selector and port are those of the pods, without a Service."""
    documents = rendered(
        offline,
        "service.enabled=false",
        "monitoring.podMonitor.enabled=true",
        "monitoring.podMonitor.interval=15s",
    )
    spec = documents["PodMonitor", "sluice"]["spec"]
    pod = documents["Deployment", "sluice"]["spec"]["template"]
    assert spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = spec["podMetricsEndpoints"]
    assert endpoint["port"] in [port["name"] for port in pod["spec"]["containers"][0]["ports"]]
    assert endpoint["interval"] == "15s"


def test_the_rules_are_the_plain_files(offline: Helm) -> None:
    """The PrometheusRule has every group as rules/ has it, and its links lead to the person's runbook."""
    spec = rendered(offline, "monitoring.rules.enabled=true")["PrometheusRule", "sluice"]["spec"]
    assert spec["groups"] == rule_groups()
    linked = rendered(offline, "monitoring.rules.enabled=true", f"monitoring.runbookUrl={RUNBOOK}")
    groups = linked["PrometheusRule", "sluice"]["spec"]["groups"]
    links = [
        rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"] if "alert" in rule
    ]
    assert all(link.startswith(f"{RUNBOOK}#sluice") for link in links)


def test_objective_and_unwanted_alerts_are_values(offline: Helm, tmp_path: Path) -> None:
    """Another objective is in every budget's expression, a disabled alert is not there, promtool agrees."""
    documents = rendered(
        offline,
        "monitoring.rules.enabled=true",
        "monitoring.rules.objective=0.99",
        "monitoring.rules.disabled[0]=SluiceDefect",
    )
    spec = documents["PrometheusRule", "sluice"]["spec"]
    text = yaml.safe_dump(spec)
    assert text.count("(1 - 0.99)") == 6
    assert "0.999" not in text
    names = {rule.get("alert") for group in spec["groups"] for rule in group["rules"]}
    wanted = {rule.get("alert") for group in rule_groups() for rule in group["rules"]}
    assert wanted - names == {"SluiceDefect"}
    file = tmp_path / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    assert promtool("check", "rules", str(file)).returncode == 0


def test_dashboards_are_for_the_sidecar(offline: Helm) -> None:
    """One file each under the label that Grafana's sidecar looks for; no link without a runbook's address."""
    documents = rendered(
        offline,
        "monitoring.dashboards.enabled=true",
        '--set-json=monitoring.dashboards.annotations={"grafana_folder":"Sluice"}',
    )
    found = documents["ConfigMap", "sluice-dashboards"]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"] == {"grafana_folder": "Sluice"}
    files = {file.name: file for file in (CHART / "dashboards").glob("*.json")}
    assert set(found["data"]) == set(files)
    for name, text in found["data"].items():
        committed = json.loads(files[name].read_text(encoding="utf-8"))
        runbook, *others = committed["links"]
        assert runbook["url"] == "docs/runbook.md"
        assert json.loads(text) == committed | {"links": others}


def test_dashboards_link_to_the_runbook(offline: Helm) -> None:
    """With an address, every dashboard leads there."""
    values = ("monitoring.dashboards.enabled=true", f"monitoring.runbookUrl={RUNBOOK}")
    for text in rendered(offline, *values)["ConfigMap", "sluice-dashboards"]["data"].values():
        assert json.loads(text)["links"][0]["url"] == RUNBOOK


def test_the_api_server_takes_the_policy_and_the_dashboards(
    control_plane: Cluster, helm_home: Path, namespace: str
) -> None:
    """What is no custom resource is valid to a real API server, size included."""
    documents = rendered(
        Helm(control_plane, helm_home),
        "networkPolicy.enabled=true",
        '--set-json=networkPolicy.from=[{"podSelector":{"matchLabels":{"app":"prometheus"}}}]',
        "monitoring.dashboards.enabled=true",
        f"monitoring.dashboards.namespace={namespace}",
    )
    policy, dashboards = documents["NetworkPolicy", "sluice"], documents["ConfigMap", "sluice-dashboards"]
    policy["metadata"]["namespace"] = namespace
    (ingress,) = policy["spec"]["ingress"]
    pod = documents["Deployment", "sluice"]["spec"]["template"]["spec"]
    assert ingress["ports"][0]["port"] == pod["containers"][0]["ports"][0]["name"]
    text = yaml.safe_dump_all([policy, dashboards])
    said = control_plane.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=text)
    assert said.count("serverside-applied") == 2


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (("monitoring.serviceMonitor.enabled=true", "service.enabled=false"), "needs service.enabled"),
        (
            ("monitoring.serviceMonitor.enabled=true", "monitoring.podMonitor.enabled=true"),
            "would be scraped twice",
        ),
        (
            ("monitoring.rules.enabled=true", "monitoring.rules.disabled[0]=SluiceBored"),
            "there is no alert SluiceBored",
        ),
        (("monitoring.rules.objective=1",), "'/monitoring/rules/objective'"),
        (("monitoring.runbookUrl=runbook.md",), "'/monitoring/runbookUrl'"),
        (("monitoring.podMonitor.interval=soon",), "'/monitoring/podMonitor/interval'"),
    ],
    ids=["no Service", "twice", "no such alert", "no budget left", "no address", "no duration"],
)
def test_values_that_cannot_work_are_refused(offline: Helm, values: tuple[str, ...], text: str) -> None:
    """The error names the value and what to do."""
    with pytest.raises(CommandFailed) as failure:
        rendered(offline, *values)
    assert text in failure.value.stderr
