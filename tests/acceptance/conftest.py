"""The whole service, started once for the tests of a module."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import alertmanager
from lab.prometheus import unpacked
from running_stack import Stack, running_up


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The whole service, on SQLite and on PostgreSQL."""
    options = ["--postgres"] if request.param == "postgresql" else []
    with tempfile.TemporaryDirectory(prefix="opssage-up-") as folder:
        Path(folder).chmod(0o755)  # the account that runs PostgreSQL for root passes through
        with running_up(Path(folder) / "data", *options) as running:
            yield running


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Debian's Prometheus and Alertmanager, unpacked below a folder."""
    binaries = ("prometheus", "promtool", "prometheus-alertmanager")
    root = unpacked(tmp_path_factory.mktemp("debian"), packages=binaries, needed=binaries)
    with alertmanager.templates(root):
        yield root
