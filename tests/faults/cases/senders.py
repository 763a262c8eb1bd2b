"""T28-T29: senders that repeat, reorder and move alerts, and alerts that cannot be taken."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
from faults import checker
from faults.alertmanager import key_of, resolved, webhook
from faults.checker import Outcome
from faults.cluster import Layout
from faults.matrix import STEADY, Run, fault
from sqlalchemy import Row, select

from opssage.fingerprint import fingerprint
from opssage.wire import format_time, parse_time
from store.tables import alerts, incidents

_PATH = "/api/v1/webhooks/alertmanager"
_PEERS = 3
_EPISODES = 8  # of each kind
_SHIFTS = (0, -150, -60, -1, 1, 60, 150)  # within ingest.drift_seconds, whichever comes first
_COOLDOWN_SECONDS = 1.0

# a second diagnosis that somebody causes is one that is seen
_HASTY_REVISIONS = Layout(
    web_processes=2, settings={"diagnose": {"cooldown_seconds": _COOLDOWN_SECONDS}}
)


@fault(
    "T28",
    "three Alertmanagers: duplicates, out of order, with starts that move",
    _HASTY_REVISIONS,
    load=replace(STEADY, peers=_PEERS, resolve_every=0),
)
def disagreeing_senders(run: Run) -> Iterator[None]:
    """One episode is one incident with one diagnosis, whoever tells of it and when."""
    shifted = [_shifted(run, f"Shifted{n}") for n in range(_EPISODES)]
    early_ends = [_ends_first(run, f"EndsFirst{n}") for n in range(_EPISODES)]
    for n in range(_EPISODES):
        assert run.alertmanager.send(resolved(run.alertmanager.next_alert(f"OnlyEnded{n}"))) == 202
    assert {each.result() for sent in (*shifted, *early_ends) for each in sent} == {202}
    # what moved is not there by its own start: it is looked for below
    firsts = _alerts(run, "Shifted")
    assert len(firsts) == _EPISODES
    known = {(row.fingerprint, row.starts_at) for row in firsts}
    moved = {row.fingerprint for row in firsts}
    run.alertmanager.record.acked -= {
        key for key in run.alertmanager.record.acked if key[0] in moved and key not in known
    }
    run.alertmanager.record.ended -= {
        key for key in run.alertmanager.record.ended if key[0] in moved
    }
    outcome: Outcome = yield
    _assert_one_diagnosis_each(run, outcome)


def _shifted(run: Run, name: str) -> list[Future[int]]:
    """Tell of one alert with many starts, at once and in one group, and of its end with another."""
    firing = run.alertmanager.next_alert(name)
    middle = parse_time(firing["startsAt"]) - timedelta(seconds=max(_SHIFTS) + 5)
    tellings = [
        {**firing, "startsAt": format_time(middle + timedelta(seconds=shift))} for shift in _SHIFTS
    ]
    sent = [run.alertmanager.submit(telling, group=name) for telling in tellings]
    assert {each.result() for each in sent} == {202}
    return [run.alertmanager.submit(resolved(tellings[-1]), group=name)]


def _ends_first(run: Run, name: str) -> list[Future[int]]:
    """One peer's end overtakes the other's beginning."""
    firing = run.alertmanager.next_alert(name)
    for telling in (resolved(firing), firing, resolved(firing)):
        assert run.alertmanager.send(telling, group=name) == 202
    return [run.alertmanager.submit(resolved(firing), group=name)]


def _assert_one_diagnosis_each(run: Run, outcome: Outcome) -> None:
    time.sleep(3 * _COOLDOWN_SECONDS)
    checker.await_quiet(run.cluster.database_url)
    told = Counter(event.kind for event in checker.events(run.cluster.database_url))
    assert told["completed"] == outcome.incidents, told
    assert not told["restarted"] + told["reopened"] + told["failed"], told
    rows = _alerts(run)
    opened = [row for row in rows if row.incident_id is not None]
    assert len({row.incident_id for row in opened}) == len(opened) == outcome.incidents
    ended = {row.labels["alertname"].rstrip("0123456789") for row in rows if row.ends_at}
    assert {"Shifted", "EndsFirst", "OnlyEnded"} <= ended
    for name in ("Shifted", "EndsFirst"):
        assert all(row.status == "resolved" for row in _alerts(run, name))
        assert all(row.resolved_at for row in _incidents(run, name))
    assert {row.deliveries for row in _alerts(run, "Shifted")} == {len(_SHIFTS) + 1}
    strays = _alerts(run, "OnlyEnded")
    assert {(row.incident_id, row.disposition) for row in strays} == {(None, "resolved_only")}
    steady = _alerts(run, STEADY.alertname)
    assert min(row.deliveries for row in steady) >= _PEERS


_UNTAKEABLE: Mapping[str, Mapping[str, Any]] = {
    "NUL in a label": {"labels": {"pod": "a\0b"}},
    "NUL in a label's name": {"labels": {"a\0b": "pod"}},
    "label of 1 MB": {"labels": {"pod": "x" * 2**20}},
    "65 labels": {"labels": {f"label_{n}": "" for n in range(65)}},
    "label that is a number": {"labels": {"pod": 7}},
    "labels that are a list": {"labels": []},
    "labels that are null": {"labels": None},
    "no start": {"startsAt": None},
    "start that is prose": {"startsAt": "yesterday"},
    "start in year 1": {"startsAt": "0001-01-01T00:00:00Z"},
    "start in the far future": {"startsAt": "2999-01-01T00:00:00Z"},
    "status nobody knows": {"status": "melting"},
    "fingerprint that is none": {"fingerprint": "?" * 4000},
}
_SURROGATES: Mapping[str, Mapping[str, Any]] = {
    "lone surrogate in a label": {"labels": {"pod": "a\ud800b"}},
    "lone surrogate in a label's name": {"labels": {"\udfff": "pod"}},
}
_NOT_OBJECTS: Sequence[Any] = (None, 42, "alert", [], True)
_PROSE = {"annotations": {"summary": "a\0b" + "x" * 2**20}}  # identifies nothing, so it is mended
_MANY = 20_000


@fault("T29", "bad alerts among good ones")
def bad_alerts(run: Run) -> Iterator[None]:
    """The good ones are taken, the bad ones are kept to be looked at."""
    # a lone surrogate makes the whole body go through another parser
    _send_mixed(run, "Mixed", _UNTAKEABLE)
    _send_mixed(run, "Surrogates", {**_UNTAKEABLE, **_SURROGATES})
    _send_unreadable(run)
    outcome: Outcome = yield
    assert {len(_incidents(run, name)) for name in ("Mixed", "Surrogates")} == {1}
    assert not _incidents(run, "NaN")
    assert outcome.failed == 0
    kept = _rejects(run)
    expected = 2 * (len(_UNTAKEABLE) + len(_NOT_OBJECTS)) + len(_SURROGATES)
    unreadable = [each for each in kept if "not valid JSON" in each["reason"]]
    assert (len(kept) - len(unreadable), len(unreadable)) == (expected, 1)
    assert {each["deliveries"] for each in kept} == {2}


@fault("T29", "20,000 alerts in one request", databases=("postgresql",), variant="crowd")
def crowd(run: Run) -> Iterator[None]:
    """As many as fit into a body are one incident, diagnosed like any other."""
    _send_many(run)
    outcome: Outcome = yield
    assert len(_incidents(run, "Crowd")) == 1
    assert outcome.failed == 0


def _send_mixed(run: Run, name: str, faults: Mapping[str, Mapping[str, Any]]) -> None:
    """Send good and bad alerts in turns, twice, as a sender would that had no answer."""
    good = [run.alertmanager.next_alert(name, pod=f"pod-{n}") for n in range(len(faults) + 1)]
    good[0] |= _PROSE
    bad = [_spoilt(run.alertmanager.next_alert(name), spoilt) for spoilt in faults.values()]
    listed = [each for pair in zip(good, bad, strict=False) for each in pair]
    body = webhook([*listed, good[-1]], name)
    body["alerts"] += _NOT_OBJECTS
    for _ in range(2):
        answer = _post(run, json.dumps(body))
        assert answer.status_code == 202, answer.text
        rejected = [each["index"] for each in answer.json()["rejected"]]
        assert rejected == [
            index for index, sent in enumerate(body["alerts"]) if sent not in good
        ], answer.text
    run.alertmanager.record.acked |= {key_of(each) for each in good}


def _spoilt(alert: dict[str, Any], spoilt: Mapping[str, Any]) -> dict[str, Any]:
    labels = spoilt.get("labels", {})
    named = {**alert["labels"], **labels} if labels and isinstance(labels, dict) else labels
    changed = {**alert, **spoilt}
    return {**changed, "labels": named} if "labels" in spoilt else changed


def _send_unreadable(run: Run) -> None:
    """No sender that builds JSON sends NaN; nothing of such a body can be trusted."""
    body = json.dumps({**webhook([run.alertmanager.next_alert("NaN")]), "value": float("nan")})
    assert [_post(run, body).status_code for _ in range(2)] == [400, 400]


def _send_many(run: Run) -> None:
    """Send as many as fit into a body, and then more than do."""
    common = {"alertname": "Crowd", "severity": "warning", "namespace": "shop"}
    start = run.alertmanager.next_alert()["startsAt"]
    crowd = []
    for n in range(_MANY):
        labels = {**common, "pod": f"pod-{n}"}
        crowd.append({"labels": labels, "startsAt": start, "fingerprint": fingerprint(labels)})
    body = {**webhook([{**each, "status": "firing"} for each in crowd[:1]]), "alerts": crowd}
    text = json.dumps(body)
    limit = 10 * 2**20
    assert len(text) < limit
    assert _post(run, text + " " * (limit + 1 - len(text))).status_code == 413
    assert not _alerts(run, "Crowd")
    began = time.monotonic()
    answer = _post(run, text)
    run.remark = f"answered after {time.monotonic() - began:.1f} s"
    assert answer.status_code == 202, answer.text
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (_MANY, [])
    run.alertmanager.record.acked |= {key_of(each) for each in crowd}


def _post(run: Run, body: str) -> httpx2.Response:
    headers = {"Content-Type": "application/json"}
    return httpx2.post(run.cluster.address + _PATH, content=body, headers=headers, timeout=60)


def _rejects(run: Run) -> list[dict[str, Any]]:
    """Return all rejects, as the API lists them."""
    found, cursor = [], ""
    while True:
        asked = {"limit": "20", **({"cursor": cursor} if cursor else {})}
        page = httpx2.get(f"{run.cluster.address}/api/v1/rejects", params=asked).json()
        found += page["items"]
        if not (cursor := page["next_cursor"]):
            return found


def _alerts(run: Run, name: str = "") -> list[Row[Any]]:
    """Return the rows of alerts whose name starts like this."""
    with checker.reading(run.cluster.database_url) as connection:
        found = connection.execute(select(alerts)).all()
    return [row for row in found if row.labels["alertname"].startswith(name)]


def _incidents(run: Run, name: str) -> list[Row[Any]]:
    """Return the incidents whose lead alert's name starts like this."""
    with checker.reading(run.cluster.database_url) as connection:
        found = connection.execute(select(incidents)).all()
    return [row for row in found if row.alert_name.startswith(name)]
