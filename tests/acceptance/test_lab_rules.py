"""The alerting rules as Prometheus itself reads and evaluates them."""

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
CASES = ROOT / "tests" / "lab" / "rules_test.yml"


@pytest.fixture(scope="module")
def promtool(debian: Path) -> Path:
    """The binary."""
    return debian / "usr" / "bin" / "promtool"


def test_prometheus_takes_the_rules(promtool: Path) -> None:
    """Nothing to complain of."""
    done = subprocess.run(
        [promtool, "check", "rules", RULES], capture_output=True, text=True, check=False
    )

    assert (done.returncode, "SUCCESS: 5 rules found" in done.stdout) == (0, True), done


def test_each_alert_fires_on_its_day_and_no_other(promtool: Path, tmp_path: Path) -> None:
    """The cases beside it hold the series and what fires."""
    cases = tmp_path / "rules_test.yml"
    cases.write_text(CASES.read_text().replace("RULES", str(RULES)))

    done = subprocess.run(
        [promtool, "test", "rules", cases], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
