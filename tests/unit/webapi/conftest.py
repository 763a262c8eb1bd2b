"""The door over a real store, with a publisher that only counts."""

from collections.abc import Callable
from functools import cache

import pytest
from flask import Flask
from flask.testing import FlaskClient

from opssage.access import Actor, Scope
from opssage.settings import Settings, load
from store import NewToken, Store
from webapi.app import create_app


class Nudges:
    """Counts how often the publisher was told of work."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def nudges() -> Nudges:
    """The publisher's stand-in."""
    return Nudges()


@cache
def defaults() -> Settings:
    """Return the default settings, which are read once."""
    return load(environ={})


@pytest.fixture
def app(store: Store, nudges: Nudges) -> Flask:
    """The app with default settings."""
    return create_app(defaults(), store, nudges, {"database": store.ping})


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the app."""
    return app.test_client()


@pytest.fixture
def guarded_app(store: Store, nudges: Nudges) -> Flask:
    """The app in mode `token`, with one token in its configuration."""
    settings = load(environ={"OPSSAGE_AUTH_MODE": "token", "OPSSAGE_TOKEN": "sesame-0123456789"})
    return create_app(settings, store, nudges, {"database": store.ping})


@pytest.fixture
def guarded(guarded_app: Flask) -> FlaskClient:
    """A client of that app, without a token."""
    return guarded_app.test_client()


@pytest.fixture
def admin(guarded_app: Flask) -> FlaskClient:
    """A client of that app with the token in its configuration."""
    client = guarded_app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer sesame-0123456789"
    return client


@pytest.fixture
def make_token(store: Store) -> Callable[..., NewToken]:
    """Makes tokens: `make_token("read")`."""

    def make(*scopes: str, name: str = "somebody", seconds: float | None = None) -> NewToken:
        chosen = map(Scope, scopes)
        return store.create_token(name, chosen, by=Actor(name="test"), expires_seconds=seconds)

    return make
