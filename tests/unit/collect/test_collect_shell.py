"""Commands for people: what comes from outside stays one word, and holds no secret."""

import shlex

import pytest
from unit.collect.stand_ins import ONSET, make_alert, make_scope

from opssage.evidence import SourceReport, SourceStatus
from tasks.collect import shell
from tasks.collect.first_look import first_look
from tasks.collect.kubernetes.questions import RESOURCES, Question
from tasks.collect.logql import Span, by_hand, count_by_hand
from tasks.collect.prometheus_api import Query

SPAN = Span(start=ONSET, end=ONSET)
HOSTILE = [
    "pwd='; touch pwned #",
    "password=abc123' ; touch pwned ; '",
    "--password '$(touch pwned)'",
    "token: x'y'`touch pwned`",
    "Cookie: a=';touch pwned;'",
    'http://u:a1"$(touch pwned)"@h',
]


def looked_at(source, value):
    """The command for a source that rests."""
    labels = {"alertname": value, "namespace": value, "pod": value, "node": value}
    report = SourceReport(source=source, status=SourceStatus.FAILED)
    return first_look(report, make_scope(make_alert(labels)))


def of_pod(value):
    """The command for a list of pods."""
    selector = {"fieldSelector": value}
    return Question(resource=RESOURCES["Pod"], namespace=value, params=selector).by_hand


COMMANDS = {
    "metric": lambda value: Query(promql=value).by_hand,
    "lines": lambda value: by_hand(value, SPAN, 9),
    "count": lambda value: count_by_hand(value, SPAN),
    "pods": of_pod,
    "prometheus at rest": lambda value: looked_at("prometheus", value),
    "kubernetes at rest": lambda value: looked_at("kubernetes", value),
    "loki at rest": lambda value: looked_at("loki", value),
}


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_value_adds_no_word_to_a_command(command, value):
    """Whatever it holds of quotation marks, and of what a mask takes away."""
    usual = command("{up}")  # no name either, so that what takes names only leaves both out

    assert len(shlex.split(command(value))) == len(shlex.split(usual))


def test_a_secret_is_out_of_a_word_before_it_is_quoted():
    """The quotation marks stay in pairs."""
    made = shell.command("ask", "pwd='hunter2hunter2' and more")

    ask, told = shlex.split(made)
    assert (ask, "hunter2" in told) == ("ask", False)
    assert told.endswith("' and more")


def test_a_finished_command_is_told_whole_or_not_at_all():
    """A mask in it might take a quotation mark away."""
    assert shell.whole("logcli labels") == "logcli labels"
    assert shell.whole("ask 'password=hunter2'") == ""
