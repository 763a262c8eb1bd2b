"""The tokens of a new database, on both kinds."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from opssage.access import Actor
from store import connect


def test_services_that_start_together_make_the_first_tokens_once(database):
    """One of them tells them; the others find them made."""
    starts = 4
    together = Barrier(starts)

    def start(number):
        store = connect(database, Path())
        store.ping()
        together.wait()
        try:
            return store.create_first_tokens(Actor(name=str(number)))
        finally:
            store.close()

    with ThreadPoolExecutor(starts) as threads:
        made = sorted(threads.map(start, range(starts)), key=len)

    assert [[token.kept.name for token in each] for each in made] == [
        *([], [], []),
        ["admin", "alertmanager"],
    ]
