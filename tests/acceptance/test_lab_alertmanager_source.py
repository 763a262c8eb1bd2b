"""What a real Alertmanager tells of what else fires, and of silences."""

import subprocess
from datetime import UTC, datetime, timedelta
from time import monotonic

import httpx2
import pytest
from lab import alertmanager
from running_stack import until
from unit.collect.stand_ins import make_alert, make_scope

from opssage.evidence import SourceStatus, Window
from opssage.wire import format_time
from tasks.collect.alertmanager import AlertmanagerSource
from tasks.collect.upstream import Upstream

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

NOBODY = "http://127.0.0.1:9/"
HOUR = timedelta(hours=1)
OWN = {"alertname": "Own", "severity": "critical", "namespace": "shop", "service": "cart"}


def ask(url):
    """Ask about an alert that fires since a moment."""
    now = datetime.now(UTC)
    window = Window(start=now - HOUR, onset=now - timedelta(minutes=1), end=now)
    scope = make_scope(make_alert(OWN), window=window, now=now)
    with httpx2.Client(trust_env=False) as client:
        upstream = Upstream(source="alertmanager", url=url, timeout_seconds=5, client=client)
        return AlertmanagerSource(upstream).ask(scope, monotonic() + 20)


def test_other_alerts_and_silences_are_seen(debian, tmp_path):
    """Its own alert is known by its fingerprint; a silenced one names its silence."""
    with alertmanager.running(debian, tmp_path, NOBODY) as real:
        real.add(**OWN)
        real.add(alertname="Near", severity="warning", namespace="shop", service="web")
        real.add(alertname="Far", severity="warning", namespace="billing")
        later = format_time(datetime.now(UTC) + HOUR)
        silence = real.silence("moving house", later, service="web|pay", namespace="shop")
        answer = until(lambda: _if_silenced(ask(real.url)))

    near, quiet = answer.evidence
    assert near.data["labels"]["alertname"] == "Near"
    assert (near.data["relation"], near.data["silenced_by"]) == ("same_namespace", [silence])
    assert quiet.data["object"]["name"] == silence
    assert quiet.data["facts"]["comment"] == "moving house"
    assert [report.status for report in answer.reports] == [SourceStatus.OK, SourceStatus.OK]
    assert answer.reports[0].error == "left out 1 elsewhere that are not critical"


def _if_silenced(answer):
    silenced = [item for item in answer.evidence if item.data.get("silenced_by")]
    return answer if silenced and len(answer.reports[0].error) > 0 else None


def test_an_alertmanager_that_is_away_is_asked_by_hand(debian, tmp_path):
    """The commands of the ledger are such that amtool takes them."""
    with alertmanager.running(debian, tmp_path, NOBODY) as real:
        real.add(**OWN)
        commands = [report.by_hand for report in ask(NOBODY).reports]
        done = [
            subprocess.run(
                ["/bin/sh", "-c", command],
                env={"PATH": str(debian / "usr" / "bin"), "ALERTMANAGER_URL": real.url},
                capture_output=True,
                text=True,
                check=False,
            )
            for command in commands
        ]

    assert [each.returncode for each in done] == [0, 0], done
    assert "Own" in done[0].stdout
