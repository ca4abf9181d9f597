"""`sluice status`: the tree, the document, the exit codes of --wait, what is told where it can't be asked."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sluice.cli.ages import age, left, length
from sluice.cli.judgement import judge
from sluice.cli.picture import picture
from sluice.cli.tree import columns, percents, summary, tree
from unit.cli import samples
from unit.cli.conftest import Run
from unit.cli.fake_api import DEPLOYMENTS, REVISIONS, ROUTES, FakeApi
from unit.cli.samples import condition, deployment, moving, resting, route, stalled

CANARY = """\
Deployment shop/checkout   Progressive   Paused (Paused)
  step 4 of 5: weight 25 %: waits for a person to promote
├─ slot a   live        checkout-old   checkout:1.4.2   6 desired   6 running   6 healthy
├─ slot b   candidate   checkout-new   checkout:1.5.0   3 desired   3 running   3 healthy
├─ rollout r2: checkout-old → checkout-new
│    Stepping · step 4 of 5 · 25 % of the requests wanted, 25 % proved · started 16m ago · by spec
│    next look 2026-11-18T11:16:40Z, in 10m
│    ✓ 1. setWeight 5
│    ✓ 2. pause 10m
│    ✓ 3. setWeight 25
│    ▶ 4. pause until promoted   for 2m40s
│      5. setWeight 100
│    … gate promote Waiting for 2m40s: a person promotes
├─ route shop   Ready, proved   shop.example.com
│    desired a 75 %, b 25 % · configured a 75 %, b 25 % · observed a 75.5 % (1510), b 24.5 % (490) (Fits)
│    rule main.0   shop-public:443   priority 1200   production   a=75,b=25
└─ last: checkout-old Succeeded · started 1h36m ago · took 30m · by spec"""


def test_the_tree_of_a_canary() -> None:
    """Deployment → slots → tasks → routes, the steps with a mark at the present one, and why it waits."""
    shown = picture(
        deployment(moving(wakeAt="2026-11-18T11:16:40Z")),
        routes=[route()],
        revisions=[
            samples.revision("checkout-old", "checkout:1.4.2"),
            samples.revision("checkout-new", "checkout:1.5.0"),
        ],
    )
    assert "\n".join(line.text for line in tree(shown, now=samples.NOW)) == CANARY


@pytest.mark.parametrize(
    ("obj", "texts"),
    [
        pytest.param(
            deployment(
                resting(
                    rejectedRevision={"revision": "checkout-new", "message": "rolled back: errors"},
                    standby={"slot": "b", "revision": "checkout-older", "until": samples.NOW + 90},
                )
            ),
            ["├─ rejected checkout-new: rolled back: errors", "├─ standby: undo is instant for 1m30s"],
            id="rejected-and-standby",
        ),
        pytest.param(
            deployment(moving(stage="RollingBack", index=2, reason="Analysis", message="errors 0.3 > 0.01")),
            ["│    ✗ 3. setWeight 25", "│    Analysis: errors 0.3 > 0.01", "│    ✓ 2. pause 10m"],
            id="rolling-back",
        ),
        pytest.param(
            deployment(
                moving(
                    stage="CleaningUp", rollback={"decidedAt": "2026-11-18T11:06:00Z", "rulesSeconds": 0.8}
                )
            ),
            ["│    going back since 40s · rules proved after 0.8 s"],
            id="rules-went-back",
        ),
        pytest.param(
            deployment(moving(stage="CleaningUp", rollback={"decidedAt": "2026-11-18T11:06:00Z"})),
            ["│    going back since 40s · not proved yet"],
            id="nothing-went-back-yet",
        ),
        pytest.param(
            deployment(moving(kind="Undo", index=0)),
            ["├─ rollout r2: checkout-old → checkout-new"],
            id="an-undo-has-no-steps",
        ),
        pytest.param(
            deployment({}),
            ["Deployment shop/checkout   Progressive   Pending", "  the operator has not"],
            id="untouched",
        ),
        pytest.param(
            deployment(resting(observedGeneration=6)),
            ["  generation 7 is not what this is about: 6 is"],
            id="old",
        ),
        pytest.param(
            deployment(None, suspend=True), ["  spec.suspend: nothing is written to AWS"], id="suspend"
        ),
        pytest.param(
            deployment(resting(conditions=[condition("True", "x", "a\nb", kind="Warnings")])),
            ["  warning: a", "  warning: b"],
            id="warnings",
        ),
        pytest.param(
            deployment(
                resting(
                    slots=[samples.slot("a", "r", 2) | {"healthy": None}],
                    retiring=[samples.slot("a", "q", 1)],
                )
            ),
            ["├─ slot a   live       r   2 desired   2 running", "├─ slot a   retiring   q   1 desired"],
            id="retiring",
        ),
        pytest.param(
            deployment(moving(paused=True, held="DriftHalted", gates=[{"name": "x", "state": "Failed"}])),
            ["│    paused by a person", "│    held: DriftHalted", "│    ✗ gate x Failed"],
            id="held",
        ),
    ],
)
def test_what_the_tree_tells(obj: dict[str, Any], texts: list[str]) -> None:
    """Each fact has its line."""
    lines = [re.sub(" +- +", "   ", line.text) for line in tree(picture(obj), now=samples.NOW)]
    for text in texts:
        assert any(line.startswith(text) for line in lines), lines
    steps = [line for line in lines if "setWeight 100" in line]
    assert bool(steps) == ("rollout" in obj["status"] and obj["status"]["rollout"]["kind"] == "Rollout")


@pytest.mark.parametrize(
    ("backend", "proven"),
    [
        pytest.param({}, True, id="proved"),
        pytest.param({"seq": 3}, False, id="another-seq"),
        pytest.param({"hash": ""}, False, id="another-hash"),
        pytest.param({"routeGeneration": 1}, False, id="older-spec"),
        pytest.param({"verifiedAt": 99.0}, False, id="too-old"),
        pytest.param({"foreign": "main.0: a=1,b=1", "hash": ""}, False, id="foreign"),
    ],
)
def test_a_route_is_proved_by_the_contract(backend: dict[str, Any], proven: bool) -> None:  # noqa: FBT001 - a table
    """The rule of the two controllers, not another one: equal seq and hash, present generation, fresh."""
    (view,) = picture(deployment(moving()), routes=[route(**backend)]).routes
    assert view.proven == proven
    assert (view.foreign != "") == ("foreign" in backend)


def named(discovery: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a route that gives the Deployment's tasks a name, without rules."""
    obj = route()
    wanted = {
        "mode": "Tasks",
        "backendRef": {"name": "checkout", "port": "http"},
        "namespaceRef": {"name": "corp.local"},
        "serviceName": "checkout",
    }
    obj["spec"] = {"discovery": wanted | spec}
    obj["status"] = {"conditions": obj["status"]["conditions"]} | (
        {"discovery": discovery} if discovery else {}
    )
    return obj


PLACE = {
    "mode": "Tasks",
    "namespace": "corp.local",
    "service": "checkout",
    "instances": 9,
    "healthy": 8,
    "foreign": 0,
    "pendingOperations": 0,
}
FOLLOWING = (
    "│    name checkout.corp.local (Tasks)   8 of 9 entries healthy · 2 operations under way · "
    "3 on their way out · 1 of somebody else · not proved yet"
)
PROOF = {"uid": "u-1", "rolloutId": "r2", "seq": 4, "hash": "h4", "routeGeneration": 2, "verifiedAt": 101.0}


@pytest.mark.parametrize(
    ("discovery", "texts", "proven"),
    [
        pytest.param(
            PLACE | {"acknowledgement": PROOF},
            ["│    name checkout.corp.local (Tasks)   8 of 9 entries healthy · proved"],
            True,
            id="proved",
        ),
        pytest.param(
            PLACE
            | {
                "acknowledgement": PROOF | {"seq": 3},
                "pendingOperations": 2,
                "leaving": [{"stage": "hidden", "instances": ["a", "b", "c"]}],
                "foreign": 1,
                "failure": "OPERATION_FAILED: no",
            },
            [
                FOLLOWING,
                "│      failed: OPERATION_FAILED: no",
            ],
            False,
            id="following",
        ),
        pytest.param(
            PLACE | {"acknowledgement": PROOF, "left": [PLACE | {"service": "old", "instances": 2}]},
            ["│    name old.corp.local (Tasks)   8 of 2 entries healthy · being left"],
            True,
            id="left",
        ),
        pytest.param(
            {},
            ["│    name checkout.corp.local (Tasks)   0 of 0 entries healthy · not proved yet"],
            False,
            id="not-looked-at",
        ),
    ],
)
def test_names_are_told_beside_rules(discovery: dict[str, Any], texts: list[str], proven: bool) -> None:  # noqa: FBT001 - a table
    """What clients of a name get, what is under way there, and whether it is the published weights."""
    shown = picture(deployment(moving()), routes=[named(discovery)])
    lines = [line.text for line in tree(shown, now=samples.NOW)]
    for text in texts:
        assert text in lines
    assert shown.routes[0].proven is proven


def test_a_name_beside_rules_needs_both_proofs() -> None:
    """A route with rules and a name has proved the weights when both have; an alias proves none."""
    obj = route()
    obj["spec"] = obj.get("spec", {}) | {"discovery": named({})["spec"]["discovery"]}
    obj["status"]["discovery"] = PLACE | {"acknowledgement": PROOF | {"hash": "other"}}
    (view,) = picture(deployment(moving()), routes=[obj]).routes
    assert not view.proven
    obj["status"]["discovery"] = PLACE | {"acknowledgement": PROOF}
    (view,) = picture(deployment(moving()), routes=[obj]).routes
    assert view.proven
    obj["spec"]["discovery"] = {"mode": "Alias", "serviceName": "checkout"}
    obj["status"]["discovery"] = PLACE | {"mode": "Alias", "instances": 1}
    (view,) = picture(deployment(moving()), routes=[obj]).routes
    assert (view.proven, view.names[0].proven) == (True, None)


@pytest.mark.parametrize(
    ("obj", "outcome"),
    [
        pytest.param(deployment(), "Ready", id="ready"),
        pytest.param(
            deployment(resting(conditions=[condition("True", "Available", generation=6)])),
            "Moving",
            id="ready-before",
        ),
        pytest.param(deployment({}), "Moving", id="untouched"),
        pytest.param(deployment(resting(conditions=stalled("RolledBack"))), "Failed", id="rolled-back"),
        pytest.param(deployment(resting(conditions=stalled("AccessDenied"))), "Failed", id="denied"),
        pytest.param(
            deployment(resting(conditions=stalled("RolledBack", generation=6))), "Moving", id="failed-before"
        ),
        pytest.param(deployment(moving()), "Person", id="pause-until-promoted"),
        pytest.param(deployment(moving(gates=[])), "Moving", id="timed-pause"),
        pytest.param(deployment(moving(gates=[], paused=True)), "Person", id="paused-by-verb"),
        pytest.param(deployment(moving(gates=[]), paused=True), "Person", id="spec-paused"),
        pytest.param(deployment(None, suspend=True), "Ready", id="suspended-but-ready"),
        pytest.param(deployment(moving(gates=[]), suspend=True), "Person", id="suspended"),
        pytest.param(
            deployment(moving(gates=[{"name": "hook smoke", "state": "Failed"}])), "Person", id="failed-hook"
        ),
        *(
            pytest.param(
                deployment({**moving(held=reason, gates=[]), "conditions": stalled(reason)}),
                "Person",
                id=reason,
            )
            for reason in ("AnalysisInconclusive", "DriftHalted", "RouteMissing")
        ),
        pytest.param(
            deployment({**moving(stage="RollingBack"), "conditions": stalled("ProgressDeadlineExceeded")}),
            "Moving",
            id="on-its-way-back",
        ),
        pytest.param(
            deployment(moving(stage="RollingBack", gates=[{"name": "person", "state": "Waiting"}])),
            "Person",
            id="both-slots-unhealthy",
        ),
    ],
)
def test_what_a_pipeline_makes_of_it(obj: dict[str, Any], outcome: str) -> None:
    """Ready, failed, waiting for a person or still moving; always about the present generation."""
    assert judge(obj).outcome == outcome


@pytest.fixture
def canary(api: FakeApi) -> FakeApi:
    """The canary at its pause, with everything readable."""
    api.put(deployment(moving()))
    api.put(route(), ROUTES)
    api.put({"metadata": {"name": "other"}, "spec": {"rules": []}}, ROUTES)
    api.put(samples.revision("checkout-old", "checkout:1.4.2"), REVISIONS)
    return api


def test_status_prints_the_tree(canary: FakeApi, run: Run) -> None:
    """Routes that refer to it, images of kept revisions; exit code 0 whatever the state is."""
    del canary
    result = run("status", "ecsdeployments.sluice.dev/checkout")
    assert result.exit_code == 0
    assert "slot a   live        checkout-old   checkout:1.4.2" in result.output
    assert "route shop" in result.output
    assert "route other" not in result.output


def test_status_as_json_has_everything_but_the_memory(canary: FakeApi, run: Run) -> None:
    """Members as the API spells them, and the judgement; what only Sluice may read is not shown."""
    del canary
    document = json.loads(run("status", "checkout", "-o", "json").output)
    assert document["outcome"] == "Person"
    assert document["rollout"]["steps"][3] == {
        "number": 4,
        "text": "pause until promoted",
        "state": "present",
    }
    assert document["routes"][0]["observed"] == {"a": 1510, "b": 490}
    assert document["slots"][0]["images"] == ["checkout:1.4.2"]
    assert "memory" not in json.dumps(document)


def test_what_may_not_be_read_is_told_and_the_rest_is_shown(canary: FakeApi, run: Run) -> None:
    """Routes and revisions are extra rights."""
    canary.before.append(
        lambda method, path: 403 if path.endswith(("serviceroutes", "controllerrevisions")) else None
    )
    result = run("status", "checkout")
    assert result.exit_code == 0
    assert "not shown: routes: not permitted" in result.output
    assert "not shown: images: not permitted" in result.output


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        pytest.param(resting(), 0, "Ready: Available", id="ready"),
        pytest.param(
            resting(conditions=stalled("RolledBack", "it failed")), 1, "Failed: RolledBack: it", id="failed"
        ),
        pytest.param(moving(), 4, "Person: Paused: step 4", id="person"),
        pytest.param(moving(gates=[]), 3, "Moving: not decided within 0.3 s; Paused", id="timeout"),
    ],
)
def test_wait_ends_with_a_code_for_scripts(
    api: FakeApi, run: Run, status: dict[str, Any], code: int, told: str
) -> None:
    """0, 1, 4 as soon as it is decided, 3 when the time is over."""
    api.put(deployment(status))
    result = run("status", "checkout", "--wait", "--timeout", "300ms", "--interval", "100ms")
    assert (result.exit_code, told in result.output) == (code, True), result.output


def scripted(api: FakeApi, *statuses: dict[str, Any] | int) -> None:
    """Let each read of checkout show the next status; a number fails the read with that code."""
    waiting = list(statuses)

    def step(method: str, path: str) -> int | None:
        if path == f"{DEPLOYMENTS}/checkout" and waiting:
            following = waiting.pop(0)
            if isinstance(following, int):
                return following
            api.put(deployment(following))
        return None

    api.before.append(step)


def test_wait_survives_an_api_server_that_is_away(api: FakeApi, run: Run) -> None:
    """A line per change; errors that pass are told once, not printed as the end."""
    scripted(api, moving(gates=[]), 503, 503, 429, moving(gates=[]), moving(gates=[], weight=300), resting())
    result = run("status", "checkout", "--wait", "--timeout", "30s", "--interval", "100ms")
    assert result.exit_code == 0, result.output
    assert result.output.count("still trying") == 2
    lines = [line for line in result.output.splitlines() if re.match(r"\d\d:\d\d:\d\d ", line)]
    assert [re.findall(r"[\d.]+ % of the requests", line) for line in lines] == [
        ["25 % of the requests"],
        ["30 % of the requests"],
        [],
    ]


def test_a_deployment_that_goes_ends_the_wait(api: FakeApi, run: Run) -> None:
    """Deleted meanwhile: not found, exit code 2."""
    scripted(api, moving(gates=[]), 404)
    result = run("status", "checkout", "--wait", "--timeout", "30s", "--interval", "100ms")
    assert (result.exit_code, "does not exist in namespace shop" in result.output) == (2, True)


def test_watch_as_json_is_a_document_a_change(api: FakeApi, run: Run) -> None:
    """One line each, so that a program can read the stream; with --wait it ends."""
    scripted(api, moving(gates=[]), moving(gates=[]), resting())
    result = run("status", "checkout", "--watch", "--wait", "-o", "json", "--interval", "100ms")
    assert [json.loads(line)["outcome"] for line in result.output.splitlines()] == ["Moving", "Ready"]


def test_wait_as_json_is_the_last_picture(api: FakeApi, run: Run) -> None:
    """One document, when it is decided."""
    scripted(api, moving(gates=[]), resting())
    result = run("status", "checkout", "--wait", "-o", "json", "--interval", "100ms")
    assert json.loads(result.output)["outcome"] == "Ready"


def test_control_c_ends_quietly(canary: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """130, as shells count it, and no trace."""
    del canary

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sluice.cli.looking.time.sleep", interrupted)
    result = run("status", "checkout", "--watch")
    assert (result.exit_code, "Traceback" in result.output) == (130, False)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param(0, "does not answer", id="dropped"),
        pytest.param(401, "does not know who you are", id="unauthenticated"),
        pytest.param(403, "not permitted", id="forbidden"),
        pytest.param(500, "refused (500)", id="broken"),
    ],
)
def test_what_cannot_be_asked_is_exit_code_2(api: FakeApi, run: Run, code: int, told: str) -> None:
    """One text that says what to do."""
    api.put(deployment())
    api.before.append(lambda method, path: code)
    result = run("status", "checkout")
    assert (result.exit_code, told in result.output) == (2, True), result.output


def test_an_absent_deployment_and_an_absent_kind_are_told_apart(api: FakeApi, run: Run) -> None:
    """Both are 404 of the API server."""
    assert "Deployment checkout of sluice.dev/v1alpha1 does not exist" in run("status", "checkout").output
    api.installed = False
    result = run("abort", "checkout")
    assert (result.exit_code, "Sluice is not installed" in result.output) == (2, True)


def test_no_cluster_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Neither a kubeconfig nor a Pod."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    result = run("status", "checkout")
    assert (result.exit_code, "no Kubernetes cluster to connect to" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("options", "namespace"),
    [
        pytest.param([], "shop", id="of-the-context"),
        pytest.param(["--context", "elsewhere"], "other", id="of-another-context"),
        pytest.param(["-n", "mine"], "mine", id="named"),
    ],
)
def test_the_namespace(api: FakeApi, run: Run, options: list[str], namespace: str) -> None:
    """As kubectl chooses it."""
    run("status", "checkout", *options)
    assert f"/namespaces/{namespace}/ecsdeployments/checkout" in api.requests[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status", "deployment/checkout"], "would be apps/v1's"),
        (["status", "pod/checkout"], "no resource that has rollouts"),
        (["status", "ecsd/"], "a name is missing"),
        (["status", "checkout", "--wait", "--timeout", "10"], "write it as 30s"),
        (["status", "checkout", "--wait", "--timeout", "-5s"], "write it as 30s"),
        (["history", "checkout", "--diff"], "needs a REVISION"),
    ],
)
def test_usage_is_exit_code_2(api: FakeApi, run: Run, arguments: list[str], told: str) -> None:
    """Said before anything is asked, or at least before anything is shown."""
    api.put(deployment())
    result = run(*arguments)
    assert (result.exit_code, told in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (45, "45s"),
        (160, "2m40s"),
        (720, "12m"),
        (3600, "1h"),
        (11_100, "3h5m"),
        (90_000, "1d1h"),
        (800_000, "9d"),
    ],
)
def test_lengths(seconds: float, text: str) -> None:
    """Two units at most."""
    assert length(seconds) == text


def test_small_pieces_of_text() -> None:
    """No time is no text, a table leaves out empty columns, nothing is no share."""
    assert (age("", 0), left("", 0), left("2026-11-18T11:06:40Z", samples.NOW + 1)) == ("", "", "")
    assert columns([("a", "", "x"), ("bb", "", "")]) == ["a    x", "bb"]
    assert (columns([]), percents({}), percents({"a": 1, "b": 2})) == ([], "", "a 33.3 %, b 66.7 %")
    assert summary(picture(deployment({}))) == "Pending · the operator has not looked at it yet"
