"""What OpenAPI tells of our operations."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient


@pytest.fixture
def description(client: FlaskClient) -> dict[str, Any]:
    """The document that clients are made from."""
    return dict(client.get("/api/openapi.json").json)


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the method and the description of each operation."""
    for methods in description["paths"].values():
        for method, operation in methods.items():
            if method != "parameters":
                yield method, operation


def test_every_operation_tells_the_problems_that_it_shares_with_others(description):
    """Who may call, and what is wrong with a body or with too many reads."""
    for method, operation in operations(description):
        told = operation["responses"].keys()
        assert told >= {"401", "403", "405", "503"}
        assert ("429" in told) == (method == "get")
        assert (told >= {"400", "413", "415"}) == ("requestBody" in operation)


def test_no_operation_allows_any_status(description):
    """A status that is not told is a fault of ours."""
    assert not [each for _, each in operations(description) if "default" in each["responses"]]


def test_labels_are_described_by_what_is_taken(description):
    """Number, length and characters of names and values."""
    labels = description["components"]["schemas"]["PlainAlert"]["properties"]["labels"]

    assert labels["maxProperties"] == 64
    assert labels["propertyNames"]["maxLength"] == 4096
    assert labels["additionalProperties"]["type"] == "string"
