import os

import pytest

from pbx.admin.models import Process
from pbx.processes.lifeline import (
    VARIABLE,
    Alive,
    Failed,
    Lifeline,
    News,
    Ping,
    Ready,
    SupervisorGone,
    Watch,
)


@pytest.fixture
def pair():
    watch = Watch()
    environment = {VARIABLE: str(os.dup(watch.child.fileno()))}
    lifeline = Lifeline.inherited(environment)
    watch.child.close()
    assert environment == {}
    yield watch, lifeline
    lifeline.close()
    watch.close()


def test_what_a_child_says_arrives_whole_and_in_order(pair) -> None:
    watch, lifeline = pair

    lifeline.ready({"metrics": "here"})
    lifeline.failed("The port is taken.", 4)

    assert watch.received() == [Ready({"metrics": "here"}), Failed("The port is taken.", 4)]


def test_a_ping_is_answered(pair) -> None:
    watch, lifeline = pair
    watch.send(Ping())

    lifeline.answer()

    assert watch.received() == [Alive()]


def test_news_reach_who_asked_for_them(pair) -> None:
    watch, lifeline = pair
    heard: list[Process] = []
    watch.send(News([Process(name="worker-0", state="ready")]))
    lifeline.answer()

    lifeline.on_news = heard.extend
    watch.send(News([Process(name="worker-1", state="ready")]))
    lifeline.answer()

    assert [process.name for process in heard] == ["worker-1"]


def test_a_supervisor_that_died_is_noticed(pair) -> None:
    watch, lifeline = pair
    watch.close()

    with pytest.raises(SupervisorGone):
        lifeline.answer()
    lifeline.ready()


def test_a_child_that_died_says_nothing_more(pair) -> None:
    watch, lifeline = pair
    lifeline.close()

    assert watch.received() == []
    watch.send(Ping())


def test_the_descriptor_goes_to_no_grandchild(pair) -> None:
    assert not os.get_inheritable(pair[1].fileno())


def test_without_a_supervisor_it_is_silent() -> None:
    lifeline = Lifeline.inherited({})

    lifeline.ready()
    lifeline.answer()
    lifeline.close()

    assert not lifeline.is_held
    assert lifeline.fileno() == -1
