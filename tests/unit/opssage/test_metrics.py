import platform
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from opssage import __version__, metrics

FORK = """
import os
from opssage import metrics
if (child := os.fork()) == 0:
    metrics.DISPATCHED.inc(2)
    os._exit(0)
os.waitpid(child, 0)
metrics.DISPATCHED.inc()
print(metrics.exposition().decode())
"""
MORE = """
from prometheus_client.core import GaugeMetricFamily
from opssage import metrics

class Told:
    def collect(self):
        yield GaugeMetricFamily("told", "By somebody else.", 7)

print(metrics.exposition(Told()).decode())
"""
NAMES_OF_LABELS = {
    "outcome",
    "event",
    "severity",
    "method",
    "route",
    "status",
    "stage",
    "source",
    "verdict",
}


def test_exposition_tells_what_was_counted():
    """A counted event shows under its name and label."""
    before = REGISTRY.get_sample_value("opssage_diagnoses_total", {"verdict": "fault"}) or 0.0

    metrics.DIAGNOSES.labels("fault").inc()

    expected = f'opssage_diagnoses_total{{verdict="fault"}} {before + 1}'
    assert expected in metrics.exposition().decode().splitlines()


def test_known_series_start_at_zero():
    """A series is there before its first event, so that its rate is right from then on."""
    lines = metrics.exposition().decode()

    assert 'opssage_alerts_received_total{outcome="rejected"} ' in lines
    assert 'opssage_stage_results_total{outcome="failed",stage="diagnose"} ' in lines


def test_build_info_names_the_version():
    """One gauge says what is running."""
    assert f'version="{__version__}"' in metrics.exposition().decode()


def test_labels_are_of_small_sets():
    """No metric is labelled with an id or the name of an alert."""
    families = text_string_to_metric_families(metrics.exposition().decode())

    used = {
        label
        for family in families
        if family.name.startswith("opssage_") and family.name != "opssage_build_info"
        for sample in family.samples
        for label in sample.labels
    }

    assert used - {"le"} <= NAMES_OF_LABELS


def test_processes_of_one_folder_are_added_up(tmp_path: Path):
    """With PROMETHEUS_MULTIPROC_DIR any process answers for all, those that ended included."""
    answer = subprocess.run(
        [sys.executable, "-c", FORK],
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "opssage_dispatched_total 3.0" in answer.stdout.splitlines()


def test_files_of_processes_carry_their_host(tmp_path: Path):
    """Containers that share the folder have the same process ids."""
    subprocess.run(
        [sys.executable, "-c", FORK],
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        check=True,
    )

    host = platform.node().replace("_", "-")
    names = [file.name for file in tmp_path.glob("counter_*.db")]
    assert len(names) == 2
    assert all(name.startswith(f"counter_{host}-") for name in names)


@pytest.mark.parametrize("shares_folder", [False, True])
def test_what_is_collected_beside_is_told_as_it_is(tmp_path: Path, shares_folder):
    """A gauge read at the scrape is of no process, so it is not added up."""
    answer = subprocess.run(
        [sys.executable, "-c", MORE],
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)} if shares_folder else {},
        capture_output=True,
        text=True,
        check=True,
    )

    lines = answer.stdout.splitlines()
    assert "told 7.0" in lines
    assert "opssage_dispatched_total 0.0" in lines
