"""`opssage token`, on a real database."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from opssage.access import Actor, Scope
from store import split_token


@pytest.fixture
def token(store, opssage, tmp_path):
    """Run `opssage token` on the database of `store`."""
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/opssage.db"}
    return lambda *words: opssage("token", *words, env=env)


def test_create_prints_the_token_alone(token, store):
    """$(opssage token create …) is the token; it is kept as a hash, and what to do is told."""
    result = token("create", "--name", "alertmanager", "--scope", "ingest")

    (kept,) = store.list_tokens()
    token_id, secret = split_token(result.stdout.removesuffix("\n"))
    assert result.exit_code == 0, result.output
    assert (kept.token_id, kept.name, kept.scopes) == (token_id, "alertmanager", {Scope.INGEST})
    assert kept.proves(secret)
    assert "credentials_file: /etc/alertmanager/opssage.token" in result.stderr
    assert secret not in result.stderr


def test_create_remembers_who_made_it(token, store):
    """The account on this machine, in the audit too."""
    token("create", "--name", "a", "--scope", "read")

    (kept,), (entry,) = store.list_tokens(), store.list_audit()
    assert re.fullmatch(r"cli:\S+", kept.created_by)
    assert (entry.actor, entry.action) == (kept.created_by, "token.create")


def test_create_takes_scopes_and_an_age(token, store):
    """--scope may be repeated; --expires counts from now."""
    token("create", "--name", "a", "--scope", "ingest", "--scope", "read", "--expires", "90d")

    (kept,) = store.list_tokens()
    assert kept.scopes == {Scope.INGEST, Scope.READ}
    left = kept.expires_at - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)


def test_create_as_json_has_the_token_once(token, store):
    """Beside what the list shows."""
    found = json.loads(token("create", "--name", "a", "--scope", "admin", "--json").stdout)

    (listed,) = json.loads(token("list", "--json").stdout)
    assert split_token(found.pop("token"))
    assert found == listed
    assert listed["scopes"] == ["admin"]


@pytest.mark.parametrize(
    "words",
    [
        ("--name", "a"),
        ("--scope", "read"),
        ("--name", "", "--scope", "read"),
        ("--name", "a\tb", "--scope", "read"),
        ("--name", "a" * 129, "--scope", "read"),
        ("--name", "a", "--scope", "root"),
        ("--name", "a", "--scope", "read", "--expires", "soon"),
    ],
)
def test_create_refuses_what_is_no_token(token, store, words):
    """A wrong use makes nothing."""
    assert token("create", *words).exit_code == 2
    assert store.list_tokens() == []


def test_list_shows_no_secret(token, store):
    """Piped, one line a token: what it is, whose, and how it stands."""
    made = store.create_token("a", [Scope.WRITE], by=Actor(name="ada"))
    store.revoke_token(made.token_id, by=Actor(name="ada"))

    said = token("list").stdout

    token_id, name, scopes, created, by, expires, used, revoked = said.rstrip("\n").split("\t")
    assert (token_id, name, scopes, by) == (made.token_id, "a", "write", "ada")
    assert (expires, used) == ("", "")
    assert created < revoked
    assert split_token(made.text)[1] not in said


def test_revoke_ends_a_token(token, store):
    """By the id that the list shows."""
    made = store.create_token("a", [Scope.READ], by=Actor(name="ada"))

    result = token("revoke", made.token_id)

    assert (result.exit_code, result.stderr) == (0, f"token {made.token_id} is revoked\n")
    assert store.find_token(made.token_id).revoked_at is not None


def test_revoke_knows_no_other_token(token):
    """The code is that of a thing not found."""
    result = token("revoke", "nosuchid")

    assert result.exit_code == 5
    assert "opssage token list" in result.stderr


def test_a_token_needs_a_database(opssage):
    """None is made by looking."""
    result = opssage("token", "list")

    assert result.exit_code == 5
    assert "there is no database" in result.stderr
