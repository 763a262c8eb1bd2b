"""Which signs of life are missing."""

import re

import pytest

from opssage import beats
from worker.health import main, silent

FRESH = dict.fromkeys(beats.KNOWN, 1.0)


def test_fresh_signs_of_life_are_health():
    """Nothing is missing."""
    assert [silent(name, FRESH, 180) for name in ("queue", beats.DISPATCHER)] == [[], []]


def test_a_queue_without_a_fresh_sign_is_named():
    """Too old and never heard of are the same."""
    ages = {**FRESH, "queue/enrich": 180.0}
    del ages["queue/diagnose"]

    assert silent("queue", ages, 180) == ["queue/enrich", "queue/diagnose"]


@pytest.mark.parametrize("words", [[], ["queues"]])
def test_a_name_nobody_has_is_not_healthy(words, capsys):
    """A misspelt check must not pass; the names there are, are told."""
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert ended.value.code == 2
    assert set(beats.KNOWN) <= set(re.split(r"[ ,{}']+", capsys.readouterr().err))


def test_a_database_that_is_away_is_told(monkeypatch):
    """Without it nobody can say, and a container's log has the reason in a line."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/opssage")

    with pytest.raises(SystemExit, match=r"cannot tell: .*refused") as ended:
        main(["queue"])

    assert "hunter2" not in ended.value.code
