"""The set of incidents that retrieval is measured on."""

from pathlib import Path

import pytest
import yaml

from tasks.enrich import load_runbooks
from tasks.enrich.index import Index
from tasks.enrich.retrieval import rank
from tasks.enrich.symptoms import Symptoms

ROOT = Path(__file__).parents[3]
SET = yaml.safe_load((ROOT / "benchmarks" / "retrieval_set.yaml").read_text())
ANSWERED = [row for row in SET if row["expected"]]
SHIPPED = load_runbooks(ROOT / "runbooks")


@pytest.fixture(scope="module")
def index():
    """The shipped runbooks, ready to be searched."""
    return Index(SHIPPED)


def test_every_expected_runbook_is_shipped():
    """A runbook that is renamed is renamed in the set too."""
    expected = {name for row in ANSWERED for name in row["expected"]}

    assert expected <= {runbook.name for runbook in SHIPPED}


def test_nearly_half_of_the_incidents_say_it_in_other_words():
    """A set of quotations would measure nothing."""
    paraphrases = [row for row in ANSWERED if row.get("paraphrase")]

    assert len(ANSWERED) >= 60
    assert len(paraphrases) >= 0.45 * len(ANSWERED)


def test_most_incidents_find_their_runbook_among_the_first_five(index):
    """`benchmarks/retrieval.py` tells the figures; this holds them up."""
    found = 0
    for row in ANSWERED:
        asked = Symptoms(
            alert_names=(row["alert"],),
            services=(row["service"],),
            namespace=None,
            sentences=tuple(row["says"]),
        )
        names = dict.fromkeys(passage.runbook.name for passage in rank(index, asked))
        found += not set(row["expected"]).isdisjoint(list(names)[:5])

    assert found >= 0.9 * len(ANSWERED)
