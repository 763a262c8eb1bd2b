"""The Loki source."""

from datetime import timedelta
from time import monotonic

import httpx2
import pytest
from unit.collect.stand_ins import ONSET, make_alert, make_scope, nanoseconds, upstream_to

from opssage.evidence import SourceStatus
from tasks.collect.loki import LokiSource

SECOND = timedelta(seconds=1)
WEB = {"namespace": "shop", "app": "web", "pod": "web-7d9f8b6c5d-x2x1z"}
SHOP = make_alert({"alertname": "A", "namespace": "shop", "service": "web"})


def ask(loki, scope=None, **options):
    source = LokiSource(upstream_to(loki.transport), **{"max_lines": 100, **options})
    return source.ask(scope or make_scope(SHOP), monotonic() + 60)


def test_template_that_appeared_comes_first(loki):
    """With its counts before and after, and when it was first seen."""
    calm = [(ONSET - 60 * n * SECOND, "level=info msg=served id=1") for n in range(6, 12)]
    since = [(ONSET + n * SECOND, "level=info msg=served id=2") for n in range(3)]
    failing = [(ONSET + n * SECOND, f"level=error msg=refused id={n}") for n in range(3)]
    loki.on(WEB, *calm, *since, *failing)

    first, second = ask(loki).evidence

    assert first.data["template"] == "refused"
    assert (first.data["level"], first.data["count_before"]) == ("error", 0)
    assert (first.data["count_after"], first.data["first_at"]) == (3, "2026-11-23T03:00:00.000000Z")
    assert first.data["examples"][0] == "level=error msg=refused id=0"
    assert first.subject == {"namespace": "shop", "service": "web", "pod": WEB["pod"]}
    assert (second.data["count_before"], second.data["count_after"]) == (6, 3)


def test_subject_names_only_what_the_lines_share(loki):
    """A template of two pods is the service's, not a pod's."""
    loki.on(WEB, (ONSET, "ERROR boom"))
    loki.on({**WEB, "pod": "web-7d9f8b6c5d-k8s42"}, (ONSET, "ERROR boom"))

    (item,) = ask(loki).evidence

    assert item.subject == {"namespace": "shop", "service": "web"}


def test_service_is_read_from_the_pod_when_no_label_names_it(loki):
    """The hash of its controller goes."""
    loki.labels = ("namespace", "pod")
    loki.on({"namespace": "shop", "pod": "web-7d9f8b6c5d-x2x1z"}, (ONSET, "ERROR boom"))

    (item,) = ask(loki).evidence

    assert item.subject["service"] == "web"


def test_rates_are_over_the_time_the_lines_cover(loki):
    """When the limit cuts lines off, what was seen is a shorter stretch."""
    end = make_scope(SHOP).window.end
    loki.on(WEB, *((end - n * SECOND, "ERROR boom") for n in range(1, 61)))

    answer = ask(loki, max_lines=30)

    (item,) = answer.evidence
    assert item.data["count_after"] == 30
    assert item.data["rate_after"] == pytest.approx(60)
    assert item.data["first_at"] is None
    assert any(report.error == "the newest 30 lines, over 30 s" for report in answer.reports)


def test_ranges_meet_and_do_not_overlap(loki):
    """Loki's `end` is exclusive; times are nanoseconds as text."""
    scope = make_scope(SHOP)

    ask(loki, scope)

    before, after = ((params["start"], params["end"]) for params in loki.asked[:2])
    calm = str(nanoseconds(scope.calm_until))
    assert before == (str(nanoseconds(scope.baseline_start)), calm)
    assert after == (calm, str(nanoseconds(scope.window.end)))


@pytest.mark.parametrize(
    ("labels", "alert", "selectors"),
    [
        (
            ("namespace", "pod", "app"),
            {"namespace": "shop", "service": "web"},
            ['{namespace="shop",app="web"}', '{namespace="shop"} |~'],
        ),
        (
            ("k8s_namespace_name", "k8s_pod_name"),
            {"namespace": "shop", "service": "web"},
            ['{k8s_namespace_name="shop",k8s_pod_name=~"(?:web)(?:-.*)?"}', "{k8s_name"],
        ),
        (("node_name", "namespace"), {"node": "n1"}, ['{node_name="n1"} |~']),
        (
            ("namespace", "pod"),
            {"namespace": "shop", "pod": 'a"b\\c'},
            ['{namespace="shop",pod="a\\"b\\\\c"}', '{namespace="shop"} |~'],
        ),
    ],
)
def test_selectors_use_the_labels_this_loki_has(loki, labels, alert, selectors):
    """They differ from site to site; values are escaped."""
    loki.labels = labels

    ask(loki, make_scope(make_alert(alert)))

    asked = list(dict.fromkeys(params["query"] for params in loki.asked))
    assert len(asked) == len(selectors)
    assert all(query.startswith(start) for query, start in zip(asked, selectors, strict=True))


def test_place_without_label_is_skipped(loki):
    """The ledger says why nothing was asked."""
    (report,) = ask(loki, make_scope(make_alert({"alertname": "A"}))).reports

    assert report.status is SourceStatus.SKIPPED
    assert loki.asked == []


def test_structured_metadata_is_not_spread_over_streams(loki):
    """The header keeps one stream per pod, and the level comes with the line."""
    value = [str(nanoseconds(ONSET)), "boom", {"structuredMetadata": {"detected_level": "error"}}]
    data = {"result": [{"stream": WEB, "values": [value]}]}
    loki.refuse = lambda request: (
        httpx2.Response(200, json={"data": data}) if "query_range" in request.url.path else None
    )

    first = ask(loki).evidence[0]

    assert first.data["level"] == "error"
    assert loki.headers[-1]["X-Loki-Response-Encoding-Flags"] == "categorize-labels"


def test_secrets_are_out_of_templates_and_examples(loki):
    """They are removed before a line is cut into a template."""
    loki.on(WEB, (ONSET, "ERROR cannot reach postgres://app:s3cr3tpass@db:5432/shop"))

    (item,) = ask(loki).evidence

    assert "s3cr3t" not in str(item)
    assert "cr<*>t" not in item.data["template"]
    assert "db:" in item.data["examples"][0]


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (
            httpx2.Response(400, text="parse error at line 1, col 5: syntax"),
            "parse error at line 1",
        ),
        (httpx2.Response(401, text="no org id"), "check the credentials (HTTP 401): no org id"),
        (httpx2.Response(500, json={"message": "boom"}), "the request failed (HTTP 500): boom"),
        (httpx2.Response(200, json={"data": {"result": [{"values": [["x", "y"]]}]}}), "the form"),
    ],
)
def test_fault_is_a_line_of_the_ledger(loki, response, said):
    """Loki answers errors as text or as JSON."""
    loki.refuse = lambda request: response if "query_range" in request.url.path else None

    answer = ask(loki)

    assert {report.status for report in answer.reports} == {SourceStatus.FAILED}
    assert said in answer.reports[0].error
    assert answer.evidence == ()


def test_one_failed_side_makes_no_news(loki):
    """Without the lines before, every line would look new."""
    before = str(nanoseconds(make_scope(SHOP).baseline_start))
    loki.refuse = lambda request: (
        httpx2.Response(500, text="boom") if request.url.params.get("start") == before
        and "query_range" in request.url.path else None
    )  # fmt: skip
    loki.on(WEB, (ONSET, "ERROR boom"))

    assert ask(loki).evidence == ()


def test_templates_are_bounded(loki):
    """A service that never says the same twice does not fill the report."""
    words = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}x" for n in range(90)]
    loki.on(WEB, *((ONSET, f"ERROR {word}") for word in words))

    assert len(ask(loki).evidence) == 40
