"""The tokens that the first `opssage up` tells."""

import pytest

from cli import first_tokens, receiver
from opssage.access import Actor, Scope
from opssage.settings import load


@pytest.fixture
def settings(store, tmp_path):
    """The settings of a service on the database of `store`; words change them."""
    url = f"sqlite:///{tmp_path}/opssage.db"
    return lambda **environ: load(environ={"DATABASE_URL": url, **environ})


def test_the_first_start_makes_a_token_for_people_and_one_for_alertmanager(store, settings):
    """One may do everything, the other only post; both do not end by themselves."""
    made = first_tokens.make(settings())

    kept = {each.name: each for each in store.list_tokens()}
    assert {name: each.scopes for name, each in kept.items()} == {
        "admin": {Scope.ADMIN},
        "alertmanager": {Scope.INGEST},
    }
    assert {each.kept.token_id for each in made} == {each.token_id for each in kept.values()}
    assert {each.expires_at for each in kept.values()} == {None}


def test_later_starts_make_none(settings):
    """They were told once."""
    first_tokens.make(settings())

    assert first_tokens.make(settings()) == ()


def test_a_database_that_had_a_token_gets_none(store, settings):
    """Whoever revoked all of them meant it."""
    token = store.create_token("a", [Scope.READ], by=Actor(name="ada"))
    store.revoke_token(token.token_id, by=Actor(name="ada"))

    assert first_tokens.make(settings()) == ()


def test_a_configured_token_is_enough(store, settings):
    """There is a way in already."""
    configured = settings(OPSSAGE_TOKEN="sesame-sesame-sesame-sesame-0123")

    assert first_tokens.make(configured) == ()
    assert store.list_tokens() == []


def test_each_token_is_told_with_what_it_is_for(settings):
    """Between two rules, as log lines stand around them; in mode open also that nobody needs it."""
    made = first_tokens.make(settings())

    rule, _, _, *lines = first_tokens.told(made, settings()).splitlines()

    for number, token in enumerate(made):
        assert lines[2 * number].split() == [token.kept.name, token.text]
        assert lines[2 * number + 1].strip().startswith("for ")
    assert receiver.TOKEN_FILE in lines[3]
    assert "`opssage token create`" in lines[-3]
    assert lines[-2:] == ["They are not needed while auth.mode is open.", rule]
