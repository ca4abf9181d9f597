"""What a document tells a person to click, type or apply exists and works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.api.v1alpha1.route import parse_route
from sluice.cli.main import main
from sluice.config import load
from unit.docs.pages import ROOT, Page, page, pages

PAGES = [pytest.param(item, id=item.name) for item in pages()]
HOSTS = {
    "127.0.0.1",
    "docs.aws.amazon.com",
    "gateway-api.sigs.k8s.io",
    "github.com",
    "go.dev",
    "keepachangelog.com",
    "kubernetes.io",
    "prometheus.io",
    "sqs.eu-west-1.amazonaws.com",
    "semver.org",
}
"""Public sites that documents may name; a package registry or a machine's mirror is none of them."""


@pytest.mark.parametrize("document", PAGES)
def test_links_lead_somewhere(document: Page) -> None:
    """Every relative link names a file of the repository, and an anchor names one of its headings."""
    for link in document.links():
        if urlsplit(link).scheme:
            continue
        path, _, anchor = link.partition("#")
        target = (document.path.parent / path).resolve() if path else document.path
        assert target.exists(), f"{document.name}: {link}"
        assert target.is_relative_to(ROOT), f"{document.name}: {link} leaves the repository"
        if anchor:
            assert anchor in Page(target).anchors(), f"{document.name}: {link}"


def test_every_page_can_be_reached_from_readme() -> None:
    """Whoever starts at README finds each document by links."""
    reached, waiting = set(), [page("README.md")]
    while waiting:
        document = waiting.pop()
        reached.add(document.path)
        for link in document.links():
            target = (document.path.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in reached:
                waiting.append(Page(target))
    assert {document.path for document in pages()} <= reached


@pytest.mark.parametrize("document", PAGES)
def test_nothing_of_a_machine_is_in_it(document: Page) -> None:
    """No absolute path of a build machine and no host but the public ones."""
    assert not re.findall(r"(?<![\w.])/(?:work|root|home|Users)/\S*", document.text)
    hosts = {str(urlsplit(url).hostname) for url in re.findall(r"https?://[\w.:-]+", document.text)}
    assert {host for host in hosts if not host.endswith(".example.com")} <= HOSTS  # RFC 2606


@pytest.mark.parametrize("document", PAGES)
def test_make_targets_exist(document: Page) -> None:
    """Each `make …` in code is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    code = "\n".join(document.blocks("sh", "")) + "\n".join(re.findall(r"`([^`\n]+)`", document.prose))
    assert set(re.findall(r"(?:^|[^\w-])make ([a-z]+)", code)) <= targets


@pytest.mark.parametrize("document", PAGES)
def test_commands_exist(document: Page) -> None:
    """Each `sluice …` in code names verbs that exist, with options that they have.

    What is not there yet may be named in prose only where it says so.
    """
    code = [line for block in document.blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    code += re.findall(r"`(sluice [^`\n]+)`", document.prose)
    for line in code:
        if line.startswith("sluice ") and not line.startswith("sluice plan"):
            _check(shlex.split(line, comments=True)[1:], line)


def _check(words: list[str], line: str) -> None:
    command: click.Command = main
    with click.Context(main) as context:
        while isinstance(command, click.Group) and words and words[0].isalpha():
            found = command.get_command(context, words.pop(0))
            assert found is not None, line
            command = found
    known = {"--help", "--version"}
    for parameter in command.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= known, line


@pytest.mark.parametrize("document", PAGES)
def test_manifests_are_valid(document: Page) -> None:
    """Every custom resource and every configuration in a YAML block is accepted."""
    for item in document.yaml_objects():
        if item.get("apiVersion") == "sluice.dev/v1alpha1":
            parse = parse_deployment if item["kind"] == "Deployment" else parse_route
            parse({**item, "metadata": {"namespace": "shop", **item["metadata"]}})


@pytest.mark.parametrize("document", PAGES)
def test_parts_of_a_strategy_are_valid(document: Page) -> None:
    """Each YAML block that shows a strategy, or gates of one, is accepted in a Deployment."""
    gates = {"analysis", "hooks"}
    for item in document.yaml_objects():
        strategy = item.get("strategy")
        if strategy is None and gates & item.keys():
            asked = [hook["name"] for hook in item.get("hooks", ()) if hook.get("stage") == "Step"]
            steps = [*({"hook": {"name": name}} for name in asked), {"setWeight": 100}]
            strategy = {"type": "Progressive", "progressive": {"steps": steps, **item}}
        if strategy is not None and "apiVersion" not in item:
            parse_deployment(
                {
                    "apiVersion": "sluice.dev/v1alpha1",
                    "kind": "Deployment",
                    "metadata": {"name": "checkout", "namespace": "shop"},
                    "spec": {
                        "taskDefinition": {"containerDefinitions": [{"name": "app", "image": "checkout:1"}]},
                        "ecs": {},
                        "strategy": strategy,
                    },
                }
            )


def test_configurations_are_valid(tmp_path: Path) -> None:
    """Each YAML block of the configuration's page is a whole configuration."""
    blocks = page("docs/configuration.md").blocks("yaml")
    assert len(blocks) == 2
    for block in blocks:
        file = tmp_path / "sluice.yaml"
        file.write_text(block, encoding="utf-8")
        assert load(file=file, environment={}).installation_id == "my-cluster"


def test_the_examples_for_pytest_pass() -> None:
    """The test without sockets in the sandbox's page is one; the other example is a module."""
    block, with_sockets = page("docs/sandbox.md").blocks("python")
    compile(with_sockets, "docs/sandbox.md", "exec")
    space: dict[str, object] = {}
    exec(compile(block, "docs/sandbox.md", "exec"), space)
    test = space["test_two_tasks_run_within_a_minute"]
    assert callable(test)
    test()
