"""The door over a real store, with a publisher that only counts."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from opssage.settings import load
from store import Store
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


@pytest.fixture
def app(store: Store, nudges: Nudges) -> Flask:
    """The app with default settings."""
    return create_app(load(environ={}), store, nudges, {"database": store.ping})


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the app."""
    return app.test_client()
