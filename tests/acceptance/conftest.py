"""The whole service, started once for the tests of a module."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_stack import Stack, running_up


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The whole service, on SQLite and on PostgreSQL."""
    options = ["--postgres"] if request.param == "postgresql" else []
    with tempfile.TemporaryDirectory(prefix="opssage-up-") as folder:
        Path(folder).chmod(0o755)  # the account that runs PostgreSQL for root passes through
        with running_up(Path(folder) / "data", *options) as running:
            yield running
