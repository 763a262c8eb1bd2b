"""Searching incidents by words: the same on both databases, and never more work than it may be."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from alembic import command
from factories import REPORT, alert, group
from past import alone, over
from sqlalchemy import event, select
from steps import completed

from opssage.settings import DatabaseSettings
from store import IncidentFilter, Sort, engine, migrate, search, words_in
from store.listing import Question
from store.search import Reach
from store.tables import incident_words

SHORT = Reach(near=4, hits=3)


@pytest.fixture
def connection(database: DatabaseSettings) -> Iterator:
    """A transaction of the test's own."""
    bound = engine.create(database, Path())
    with bound.connect() as opened:
        yield opened
    bound.dispose()


def found(store, text: str, **chosen) -> list[str]:
    """Return the names of the alerts that a text finds, newest first."""
    page, following = store.search_incidents(words_in(text), IncidentFilter(**chosen))
    assert following is None
    return [incident.alert_name for incident in page]


def everything(connection, text: str, limit: int = 2, **asked) -> list[list[str]]:
    """Return the pages of a search that may not read far."""
    pages, after = [], None
    while True:
        question = Question.of(IncidentFilter(), after=after, **asked)
        page, after = search.page(connection, question, words_in(text), limit, SHORT)
        pages.append([incident.alert_name for incident in page])
        if after is None:
            return pages


@pytest.mark.parametrize(
    "text",
    [
        "high",
        "HighErrorRate",
        "higherror",
        "ERROR rate",
        "checkout",
        "check 7f9",
        "shop critical",
        "rate fires",
        "Größe",
        "GRÖSSE",
        "grösse-7f9c",
    ],
)
def test_all_words_have_to_occur_and_may_be_begun_only(store, text):
    """In the name, the severity, the place, the labels or the message, in upper or lower case."""
    alone(store, "HighErrorRate", severity="critical", service="checkout-7f9c", size="größe")
    alone(store, "Other")

    assert found(store, text) == ["HighErrorRate"]


@pytest.mark.parametrize("text", ["error other", "rror", "HighErrorRates", "alertname"])
def test_a_word_that_does_not_occur_finds_nothing(store, text):
    """Neither the middle of a word nor the name of a label counts."""
    alone(store, "HighErrorRate")
    alone(store, "Other")

    assert found(store, text) == []


def test_an_incident_is_found_by_its_diagnosis(store):
    """By root cause and category, also while it is diagnosed anew, and then by the next one."""
    incident_id = alone(store, "A")
    assert found(store, "database url") == []
    completed(store, incident_id)
    assert found(store, "database url configuration") == ["A"]

    store.restart_incident(incident_id)
    assert found(store, "database") == ["A"]
    completed(store, incident_id, report={**REPORT, "root_cause": "The disk is full"})

    assert (found(store, "database"), found(store, "disk full")) == ([], ["A"])


def test_an_incident_is_found_by_the_alert_that_shows_it(store):
    """Worse alerts that join take the place of the first."""
    store.create_incident(group(alert("First")))
    store.create_incident(group(alert("Second", severity="critical")))

    assert (found(store, "first"), found(store, "second")) == ([], ["Second"])


def test_a_search_keeps_to_the_filters(store):
    """Words and filters all apply."""
    alone(store, "DiskFull", severity="critical")
    alone(store, "DiskSlow")

    assert found(store, "disk", severity=["critical"]) == ["DiskFull"]
    assert found(store, "disk", open=False) == []


def test_the_archive_is_searched_when_asked(store):
    """An incident keeps its words when it moves, and loses them with its end."""
    incident_id = over(store, "Old")
    alone(store, "New")
    store.archive_incidents(1, 10)

    page, _ = store.search_incidents(("warning",), archived=True)

    assert [incident.alert_name for incident in page] == ["Old"]
    assert found(store, "warning") == ["New"]
    assert store.delete_incident(incident_id)
    assert store.search_incidents(("warning",), archived=True) == ([], None)


def test_a_common_word_fills_its_pages(store, connection):
    """From the incidents that are read in order."""
    for number in range(6):
        alone(store, f"A{number}", tier="gold")

    assert everything(connection, "gold") == [["A5", "A4"], ["A3", "A2"], ["A1", "A0"]]


def test_a_rare_word_is_found_at_once_however_old(store, connection):
    """The full-text index knows where it is."""
    alone(store, "Rare", tier="gold")
    for number in range(20):
        alone(store, f"A{number}")

    assert everything(connection, "gold") == [["Rare"]]
    assert everything(connection, "nowhere") == [[]]


def test_a_word_that_was_common_once_is_found_page_by_page(store, connection):
    """A page that nothing was found for leads on."""
    for number in range(5):
        alone(store, f"Gold{number}", tier="gold")
    for number in range(10):
        alone(store, f"A{number}")

    pages = everything(connection, "gold")

    assert pages[:2] == [[], []]
    assert list(chain.from_iterable(pages)) == [f"Gold{number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("text", ["gold", "gold s", "a1 gold"])
def test_pages_hold_everything_once_and_in_order(store, connection, sort, text):
    """Whichever way it was found, in every order of the list."""
    for number in range(24):
        tiers = {"metal": "gold"} if number % 3 else {"metal": "glass", "x": "silver"}
        alone(store, f"A{number}", **tiers, **({"y": "silver"} if number % 8 == 1 else {}))
    listed = store.list_incidents(sort=sort, limit=200)
    kept = dict(connection.execute(select(incident_words.c.incident_id, _TEXT)).all())

    wanted = [
        incident.alert_name
        for incident in listed
        if all(f" {word}" in kept[incident.incident_id] for word in words_in(text))
    ]

    assert list(chain.from_iterable(everything(connection, text, sort=sort))) == wanted


_TEXT = incident_words.c.alert_words + incident_words.c.answer_words


def test_a_page_takes_a_handful_of_statements(store, connection):
    """However much there is to look through."""
    for number in range(30):
        alone(store, f"A{number}")
    seen = []
    event.listen(connection, "before_cursor_execute", lambda *told: seen.append(told[2]))

    search.page(connection, Question.of(IncidentFilter()), ("nowhere",), 2, SHORT)

    assert 2 < len(seen) <= 5


def test_the_full_text_index_is_asked(store, connection):
    """A plan that reads all words would take seconds where there are a million."""
    alone(store, "A")
    if connection.dialect.name == "postgresql":
        connection.execute(search._ASK_THE_INDEX)
    explain = {"postgresql": "EXPLAIN ", "sqlite": "EXPLAIN QUERY PLAN "}[connection.dialect.name]
    query = search._query(connection, ("gold",))
    statement = search._COUNT[connection.dialect.name].params(query=query, hits=9)
    text = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))

    plan = str(connection.exec_driver_sql(explain + text).all())

    assert "ix_incident_words_text" in plan or "VIRTUAL TABLE INDEX" in plan


def test_words_are_written_for_incidents_from_before(database, store):
    """The migration makes what is stored already searchable: live and archived."""
    over(store, "Old")
    store.archive_incidents(1, 10)
    alone(store, "DiskFull", service="checkout")
    completed(store, alone(store, "Other"))
    bound = engine.create(database, Path())
    config = migrate._config()
    with bound.begin() as opened:
        config.attributes["connection"] = opened
        command.downgrade(config, "0003")
    bound.dispose()

    store.migrate()

    assert found(store, "disk checkout") == ["DiskFull"]
    assert found(store, "database configuration") == ["Other"]
    assert len(store.search_incidents(("old",), archived=True)[0]) == 1
