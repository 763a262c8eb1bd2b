"""Several hosts of PostgreSQL, as libpq lists them."""

import psycopg2
import pytest

from store.hosts import Hosts


class FakeDialect:
    """Connects to the hosts that are up, and notes what was asked."""

    def __init__(self, *up):
        self.up = set(up)
        self.asked = []

    def connect(self, **options):
        self.asked.append(":".join(options.values()))
        if options["host"] not in self.up:
            raise psycopg2.OperationalError(f"{options['host']} is\nread-only")
        return options["host"]


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"host": "a,b", "port": "1,2"}, ["a:1", "b:2"]),
        ({"host": "a,b", "port": 5}, ["a:5", "b:5"]),
        ({"host": "a,b", "port": ",2"}, ["a:", "b:2"]),
        ({"host": "a,b"}, ["a", "b"]),
        ({"host": "a,b", "hostaddr": "::1,::2"}, ["a:::1", "b:::2"]),
    ],
)
def test_each_host_is_asked_with_its_own_port_and_address(options, asked):
    """A single port is everybody's; what is left out is libpq's default."""
    dialect = FakeDialect("b")

    assert Hosts(options, 2).connect(dialect, None, [], options) == "b"

    assert dialect.asked == asked


def test_the_host_that_took_the_last_connection_is_asked_first():
    """Until it does not: then the others have their turn again."""
    hosts, dialect = Hosts({"host": "a,b,c"}, 2), FakeDialect("b")
    hosts.connect(dialect, None, [], {})
    dialect.asked.clear()

    hosts.connect(dialect, None, [], {})
    dialect.up = {"c"}
    hosts.connect(dialect, None, [], {})

    assert dialect.asked == ["b", "b", "a", "c"]


def test_when_none_takes_a_connection_each_is_quoted():
    """One line, for that is what is logged."""
    with pytest.raises(psycopg2.OperationalError, match=r"^a:1: a is read-only; b:1: b is read-"):
        Hosts({"host": "a,b", "port": "1"}, 2).connect(FakeDialect(), None, [], {})


@pytest.mark.parametrize(("options", "count"), [({}, 0), ({"dbname": "x"}, 0), ({"host": "a"}, 1)])
def test_one_host_or_none_is_left_to_libpq(options, count):
    """There is nothing to choose."""
    assert len(Hosts(options, 2)) == count
