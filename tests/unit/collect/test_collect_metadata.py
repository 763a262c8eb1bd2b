"""What Prometheus knows about itself."""

from datetime import timedelta
from time import monotonic

import httpx2
import pytest
from unit.collect.stand_ins import ONSET, upstream_to

from opssage.evidence import SourceStatus
from tasks.collect.metadata import Metadata

NAMES = "/api/v1/label/__name__/values"


def told(handler, **upstream):
    metadata = Metadata(upstream_to(httpx2.MockTransport(handler), **upstream))
    return metadata.metrics(ONSET, ONSET + timedelta(hours=1), monotonic() + 60)


def test_metrics_are_those_of_whole_days():
    """So the answer serves every incident of the day."""
    seen = []

    def answer(request):
        seen.append(dict(request.url.params))
        return httpx2.Response(200, json={"status": "success", "data": ["up", "m"]})

    found = told(answer)

    assert found.value == {"up", "m"}
    (params,) = seen
    assert int(params["start"]) % 86400 == int(params["end"]) % 86400 == 0
    assert int(params["start"]) <= ONSET.timestamp() < int(params["end"])


@pytest.mark.parametrize(
    ("response", "is_there", "said"),
    [
        (httpx2.Response(404, text="404 page not found"), True, "no such path"),
        (httpx2.Response(403, text="no"), True, "check the credentials"),
        (httpx2.Response(200, json={"status": "success", "data": {"a": 1}}), False, "the expected"),
        (httpx2.Response(200, json=[]), False, "the expected form"),
        (httpx2.Response(200, text="<html>"), False, "is this the right URL?"),
    ],
    ids=["path", "credentials", "shape", "list", "page"],
)
def test_metrics_nobody_tells_are_a_line_of_the_ledger(response, is_there, said):
    """With a command that asks the same."""
    found = told(lambda _: response)

    assert (found.value, found.is_there) == (None, is_there)
    assert found.report.status is SourceStatus.FAILED
    assert said in found.report.error
    assert found.report.by_hand.startswith(f'curl -sG "$PROMETHEUS_URL{NAMES}" --data-urlencode ')


def test_rules_are_asked_for_without_their_alerts():
    """Those would make a large answer."""

    def answer(request):
        assert request.url.params["type"] == "alert"
        rule = {"type": "alerting", "name": "A", "query": "m > 1", "duration": 60}
        groups = [{"rules": [rule, {"type": "recording", "name": "r", "query": "m"}]}]
        return httpx2.Response(200, json={"data": {"groups": groups}})

    metadata = Metadata(upstream_to(httpx2.MockTransport(answer)))

    (rule,) = metadata.rules(monotonic() + 60).value

    assert (rule.name, rule.expression, rule.for_seconds) == ("A", "m > 1", 60.0)


def test_metrics_of_a_partial_answer_leave_nothing_out():
    """Some of the nodes were away: what is not among the names may exist all the same."""
    body = {"status": "success", "isPartial": True, "data": ["up"]}

    found = told(lambda _: httpx2.Response(200, json=body))

    assert (found.value, found.is_there) == (None, True)
    assert (found.report.status, found.report.truncated) == (SourceStatus.OK, True)
    assert "partial answer" in found.report.error
