"""What most tests of collect take."""

import pytest
from unit.collect.stand_ins import FakeLoki, FakePrometheus


@pytest.fixture
def prometheus() -> FakePrometheus:
    """A Prometheus without series."""
    return FakePrometheus()


@pytest.fixture
def loki() -> FakeLoki:
    """A Loki without lines."""
    return FakeLoki()
