"""The example configurations as their readers themselves check them."""

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("amtool", ("check-config", DEPLOY / "alertmanager" / "opssage.yml")),
        ("promtool", ("check", "config", DEPLOY / "prometheus" / "opssage.yml")),
    ],
)
def test_an_example_is_taken(debian, tool, words):
    """Nothing to complain of."""
    done = subprocess.run(
        [debian / "usr" / "bin" / tool, *words], capture_output=True, text=True, check=False
    )

    assert (done.returncode, "SUCCESS" in done.stdout) == (0, True), done
