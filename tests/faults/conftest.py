"""A PostgreSQL for all faults that leave it alive, and the report at the end."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import report

from cli.embedded import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server; each fault makes a database of its own in it."""
    with postgres.running() as url:
        yield url


@pytest.fixture(scope="session", autouse=True)
def _report() -> Iterator[None]:
    """Write the report when FAULTS_REPORT names a file."""
    yield
    if path := os.environ.get("FAULTS_REPORT"):
        report.write(Path(path))
