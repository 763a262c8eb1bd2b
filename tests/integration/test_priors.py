"""What people said of causes, counted on both databases."""

import pytest
from factories import REPORT, alert
from past import alone
from steps import completed, opened

from opssage.access import Actor
from opssage.priors import CauseCount, Priors
from store import Judgement

ANN = Actor(name="ann")
FAULT = {
    **REPORT,
    "cause": "out_of_memory",
    "root_cause_component": "service/cart",
    "hypotheses": [
        {"cause": cause, "component": component, "title": title}
        for cause, component, title in (
            ("out_of_memory", "service/cart", "cart is out of memory"),
            ("disk_full", "service/cart", "The disk of cart is full"),
            ("something_else", "", "Something else"),
        )
    ],
}


@pytest.fixture
def store(store_with):
    """A store that goes by the settings of an installation."""
    return store_with()


def diagnosed(store, name="A"):
    """Return an incident whose cause was found."""
    incident_id = alone(store, name)
    completed(store, incident_id, report=FAULT)
    return incident_id


def counts(store):
    """Return confirmed and rejected by cause."""
    return {each.cause: (each.confirmed, each.rejected) for each in store.priors("shop").counts}


def test_judgements_are_counted_by_component_and_cause(store):
    """In their namespace only."""
    for name in "ABC":
        store.add_feedback(diagnosed(store, name), ANN, Judgement.CONFIRMED)
    store.add_feedback(diagnosed(store, "D"), ANN, Judgement.REJECTED)

    found = store.priors("shop")

    count = CauseCount(
        namespace="shop",
        component="service/cart",
        cause="out_of_memory",
        confirmed=3,
        rejected=1,
    )
    assert found == store.list_priors(100) == Priors(version=4, counts=(count,))
    assert store.priors("other") == Priors(version=4)
    assert store.priors(None) == Priors(version=4)


def test_the_last_word_on_a_diagnosis_counts(store):
    """Saying it again is no second case; a revision is."""
    incident_id = diagnosed(store)
    for verdict in (Judgement.CONFIRMED, Judgement.CONFIRMED, Judgement.REJECTED):
        store.add_feedback(incident_id, ANN, verdict)
    assert counts(store) == {"out_of_memory": (0, 1)}

    store.restart_incident(incident_id)
    completed(store, incident_id, report=FAULT)
    store.add_feedback(incident_id, ANN, Judgement.REJECTED)

    assert counts(store) == {"out_of_memory": (0, 2)}


@pytest.mark.parametrize(
    "said", ["disk_full", "the disk of cart is full", " The disk of cart is full. "]
)
def test_a_true_cause_counts_when_it_names_or_words_a_hypothesis(store, said):
    """As a report shows it, in whatever case."""
    store.add_feedback(diagnosed(store), ANN, Judgement.REJECTED, root_cause=said)

    assert counts(store) == {"out_of_memory": (0, 1), "disk_full": (1, 0)}


@pytest.mark.parametrize("said", ["the disk", "Something else"])
def test_a_true_cause_in_other_words_counts_for_nothing(store, said):
    """Nobody guesses what was meant, and what nobody knows is no cause."""
    kept = store.add_feedback(diagnosed(store), ANN, Judgement.REJECTED, root_cause=said)

    assert kept.cause is None
    assert counts(store) == {"out_of_memory": (0, 1)}


def test_what_was_not_found_is_learnt_too(store):
    """Without a verdict there is nothing to reject, and the incident's own service to learn of."""
    incident_id = opened(store, alert(service="cart"))
    completed(store, incident_id, report={**FAULT, "cause": None, "root_cause_component": None})

    store.add_feedback(incident_id, ANN, Judgement.REJECTED, cause="disk_full")

    (count,) = store.priors("shop").counts
    assert (count.component, count.cause, count.confirmed) == ("service/cart", "disk_full", 1)


def test_what_was_said_of_a_deleted_incident_counts_no_longer(store):
    """And the version moves."""
    incident_id = diagnosed(store)
    store.add_feedback(incident_id, ANN, Judgement.CONFIRMED)

    store.delete_incident(incident_id)

    assert store.priors("shop") == Priors(version=2)


def test_deleting_an_incident_that_nobody_judged_changes_no_version(store):
    """Diagnoses of the same stay the same."""
    store.delete_incident(diagnosed(store))

    assert store.priors("shop") == Priors()


@pytest.mark.parametrize(
    ("confirmed", "rejected", "weight"),
    [(0, 0, 0.0), (1, 0, 0.405465), (0, 1, -0.405465), (3, 3, 0.0), (9, 0, 1.0), (0, 9, -1.0)],
)
def test_counts_weigh_a_little(confirmed, rejected, weight):
    """One judgement says little, and many no more than a factor e."""
    count = CauseCount(
        namespace="", component="c", cause="x", confirmed=confirmed, rejected=rejected
    )

    assert count.weight == weight
