"""Lead times that begin with an image: who is asked, how often, and that nobody waits."""

from __future__ import annotations

import time
from typing import Any

import pytest

from captured_log import captured
from sluice.model.errors import AwsFailure, Deferred
from sluice.model.keys import DEPLOYMENT, Key
from sluice.telemetry.image_leads import MOST, ImageLeads, Question

WEB = Key(DEPLOYMENT, "shop", "web")
DENIED = AwsFailure(
    service="ecr", operation="DescribeImages", code="AccessDeniedException", message="no", kind="denied"
)


class Desk:
    """A registry that answers from a script; images `other/…` are in none that can be asked."""

    def __init__(self, *answers: Any) -> None:
        """Answer these, one after the other."""
        self.answers = list(answers)
        self.asked: list[str] = []
        self.heard: list[float] = []
        self.clock = 1000.0
        self.leads = ImageLeads(
            self._pushed_at,
            now=lambda: self.clock,
            repository=lambda image: "" if image.startswith("other/") else image.split(":")[0],
        )

    def _pushed_at(self, _key: Key, image: str) -> float | None:
        self.asked.append(image)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    def ask(self, *images: str) -> bool:
        """Ask about these images, and let the thread's step answer."""
        self.leads.ask(Question(key=WEB, images=images, answer=self.heard.append))
        return self.leads.step()


def test_the_newest_image_counts() -> None:
    """A sidecar of last year did not make this change late."""
    desk = Desk(500.0, 900.0)
    assert desk.ask("web:2", "proxy:1")
    assert (desk.asked, desk.heard) == (["web:2", "proxy:1"], [900.0])


@pytest.mark.parametrize("answer", [None, DENIED], ids=["not said", "denied"])
def test_without_a_time_nothing_is_answered(answer: Any) -> None:
    """No lead time is better than a wrong one."""
    desk = Desk(answer)
    assert desk.ask("web:2")
    assert desk.heard == []


def test_images_of_other_registries_are_not_asked_for() -> None:
    """Neither alone nor beside one that is."""
    desk = Desk(700.0)
    assert not desk.ask("other/web:2")
    assert desk.ask("other/proxy:1", "web:2")
    assert (desk.asked, desk.heard) == (["web:2"], [700.0])


def test_a_repository_that_can_not_be_asked_is_left_alone_for_an_hour() -> None:
    """One line and one call, not one for each rollout; then it is tried again."""
    desk = Desk(DENIED, 600.0)
    with captured() as log:
        desk.ask("web:2")
        desk.ask("web:3")
    assert desk.asked == ["web:2"]
    (line,) = log.lines()
    assert (line["event"], line["image"], line["namespace"]) == ("image_time_unknown", "web:2", "shop")
    desk.clock += 3601
    desk.ask("web:4")
    assert desk.heard == [600.0]


def test_a_spent_budget_is_waited_for() -> None:
    """The same question again when there is a token."""
    desk = Desk(Deferred(1000.01, "ecr/read"), 800.0)
    desk.ask("web:2")
    assert (desk.asked, desk.heard) == (["web:2", "web:2"], [800.0])


def test_who_asks_never_waits() -> None:
    """More questions than are kept are dropped and said."""
    desk = Desk()
    with captured() as log:
        for _ in range(MOST + 1):
            desk.leads.ask(Question(key=WEB, images=("web:2",), answer=desk.heard.append))
    assert [line["event"] for line in log.lines()] == ["image_time_unknown"]


def test_the_thread_answers_and_ends() -> None:
    """It survives a defect; what waits at the end is forgotten."""
    desk = Desk(ValueError("odd"), 650.0)
    desk.leads.start()
    for image in ("web:1", "web:2"):
        desk.leads.ask(Question(key=WEB, images=(image,), answer=desk.heard.append))
    deadline = time.monotonic() + 20
    while not desk.heard and time.monotonic() < deadline:
        time.sleep(0.01)
    assert desk.heard == [650.0]
    desk.leads.stop(20)
    assert not desk.leads._thread.is_alive()
