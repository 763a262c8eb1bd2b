"""The Loki source."""

from datetime import timedelta
from time import monotonic

import httpx2
import pytest
from unit.collect.stand_ins import ONSET, make_alert, make_scope, nanoseconds, upstream_to

from opssage.evidence import SourceStatus
from tasks.collect.loki import LokiSource

SECOND = timedelta(seconds=1)
EMPTY_COMPATIBLE = (
    "queries require at least one regexp or equality matcher that does not have an empty-compatible"
    " value"
)
WEB = {"namespace": "shop", "app": "web", "pod": "web-7d9f8b6c5d-x2x1z"}
SHOP = make_alert({"alertname": "A", "namespace": "shop", "service": "web"})


def of_time(at):
    """A stream with a line of that time."""
    return {"stream": {}, "values": [[at, "x"]]}


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
    note = "the newest 30 of 60 lines, over 30 of 900 s"
    assert {report.error for report in answer.reports if report.truncated} == {note}


def test_ranges_meet_and_do_not_overlap(loki):
    """Loki's `end` is exclusive; times are nanoseconds as text."""
    scope = make_scope(SHOP)

    ask(loki, scope)

    calm = str(nanoseconds(scope.calm_until))
    assert {(params["start"], params["end"]) for params in loki.asked} == {
        (str(nanoseconds(scope.baseline_start)), calm),
        (calm, str(nanoseconds(scope.window.end))),
    }


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
            [
                '{k8s_namespace_name="shop",k8s_pod_name=~"(?:web)(?:-.*)?"}',
                '{k8s_namespace_name="shop"} |~',
            ],
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
    loki.on({"namespace": "shop", "app": "web"})

    ask(loki, make_scope(make_alert(alert)))

    asked = sorted({params["query"] for params in loki.asked})
    assert len(asked) == len(selectors)
    assert all(query.startswith(start) for query, start in zip(asked, selectors, strict=True))


def test_place_without_label_is_skipped(loki):
    """The ledger says why nothing was asked."""
    labels, report = ask(loki, make_scope(make_alert({"alertname": "A"}))).reports

    assert (labels.query, labels.status) == ("labels", SourceStatus.OK)
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
        (
            httpx2.Response(
                400, json={"code": 400, "message": EMPTY_COMPATIBLE, "status": "error"}
            ),
            "the query was refused (HTTP 400): queries require at least one",
        ),
        (
            httpx2.Response(400, text="the query time range exceeds the limit (1h > 30m)"),
            "exceeds the limit",
        ),
        (
            httpx2.Response(400, text="max entries limit per query exceeded, limit > max (5 > x)"),
            "max entries limit",
        ),
        (httpx2.Response(429, text="too many outstanding requests"), "too many requests"),
        (httpx2.Response(504, text="context deadline exceeded"), "too slow"),
        (httpx2.Response(200, text="<html>"), "not JSON"),
        (httpx2.Response(200, json={"status": "success"}), "the form of log streams"),
        (httpx2.Response(200, json={"data": {"resultType": "matrix", "result": [1]}}), "the form"),
        (httpx2.Response(200, json={"data": {"result": [{"values": [["x", "y"]]}]}}), "the form"),
        (httpx2.Response(200, json={"data": {"result": [of_time("9" * 25)]}}), "the form"),
        (httpx2.Response(200, json={"data": {"result": [of_time("-1")]}}), "the form"),
        (httpx2.Response(400, text="max entries limit, limit > a (100 > 0)"), "was refused"),
    ],
)
def test_fault_is_a_line_of_the_ledger(loki, response, said):
    """Loki answers errors as text or as JSON."""
    loki.refuse = lambda request: response if "query_range" in request.url.path else None

    answer = ask(loki)

    failed = [item for item in answer.reports if item.query.startswith("{")]
    assert {report.status for report in failed} == {SourceStatus.FAILED}
    assert said in failed[0].error
    assert failed[0].by_hand.startswith("logcli query --limit=100 --from=2026-11-23T02:30:00")
    assert answer.evidence == ()


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(401, text="no org id"),
        httpx2.Response(404, text="404 page not found"),
        httpx2.Response(200, json={"data": {"a": 1}}),
        httpx2.Response(200, json=[]),
    ],
)
def test_without_labels_nothing_is_asked(loki, response):
    """The ledger says why, and what to run instead."""
    loki.refuse = lambda _: response

    report, spared = ask(loki).reports

    assert (report.query, report.status) == ("labels", SourceStatus.FAILED)
    assert report.by_hand.startswith("logcli labels --from=")
    assert spared.status is SourceStatus.SKIPPED
    assert spared.by_hand.startswith("logcli query --limit=")
    assert loki.asked == []


def test_site_may_allow_fewer_lines(loki):
    """Loki's refusal says how many; that many are asked for."""
    loki.on(WEB, (ONSET, "ERROR boom"))
    refusal = "max entries limit per query exceeded, limit > max_entries_limit_per_query (100 > 50)"
    loki.refuse = lambda request: (
        httpx2.Response(400, text=refusal) if request.url.params.get("limit") == "100" else None
    )

    answer = ask(loki)

    assert {params["limit"] for params in loki.asked} == {"50"}
    assert len(answer.evidence) == 1


def test_label_is_the_one_that_knows_the_service(loki):
    """A site may have several that could; it is looked up among the streams of the namespace."""
    loki.labels = ("namespace", "pod", "service_name", "app")
    loki.on({**WEB, "service_name": "unknown_service"}, (ONSET, "ERROR boom"))

    ask(loki)

    assert '{namespace="shop",app="web"}' in {params["query"] for params in loki.asked}
    assert [path.split("/")[-2] for path in loki.looked_up] == ["service_name", "app"]


def test_service_that_no_label_knows_is_found_by_its_pods(loki):
    """They are called after it."""
    loki.on({**WEB, "app": "shop-frontend"}, (ONSET, "ERROR boom"))

    ask(loki)

    pods = '{namespace="shop",pod=~"(?:web)(?:-.*)?"}'
    assert pods in {params["query"] for params in loki.asked}


def test_labels_are_looked_up_once_an_hour(loki):
    """Incidents of the same hour ask for the same, and the answer is kept."""
    source = LokiSource(upstream_to(loki.transport), max_lines=100)
    later = make_alert(SHOP.labels, starts_at=ONSET + timedelta(minutes=5))
    asked = []
    loki.refuse = lambda request: asked.append(request.url.path)

    for alert in (SHOP, later):
        source.ask(make_scope(alert), monotonic() + 60)

    assert asked.count("/loki/api/v1/labels") == 1


def test_lines_that_were_cut_off_are_asked_for_again_by_trouble(loki):
    """What sounds like trouble is rarer, and reaches further back."""
    end = make_scope(SHOP).window.end
    loki.on(WEB, *((end - n * SECOND, "served") for n in range(1, 61)))

    answer = ask(loki, max_lines=30)

    asked = {params["query"] for params in loki.asked}
    web = '{namespace="shop",app="web"}'
    assert web in asked
    assert any(query.startswith(web + " |~") for query in asked)
    assert f"sum(count_over_time({web}[900s]))" in {params["query"] for params in loki.counted}
    assert len(answer.reports) <= 20


def test_uncounted_lines_are_a_fault_of_the_count_only(loki):
    """The lines themselves are there."""
    end = make_scope(SHOP).window.end
    loki.on(WEB, *((end - n * SECOND, "ERROR boom") for n in range(1, 61)))
    loki.refuse = lambda request: (
        httpx2.Response(400, text="parse error") if request.url.path.endswith("/query") else None
    )

    answer = ask(loki, max_lines=30)

    (failed, *_) = [item for item in answer.reports if item.status is SourceStatus.FAILED]
    assert failed.by_hand.startswith("logcli instant-query --now=")
    assert len(answer.evidence) == 1


def test_stack_trace_of_one_instant_stays_in_order(loki):
    """Loki answers the newest first, each stream for itself."""
    trace = ("java.lang.IllegalStateException: no cart", "\tat com.shop.Cart.get(Cart.java:7)")
    at = str(nanoseconds(ONSET))
    streams = [
        {"stream": WEB, "values": [[at, text] for text in reversed(trace)]},
        {"stream": {**WEB, "pod": "web-7d9f8b6c5d-k8s42"}, "values": [[at, "ok"]]},
    ]
    loki.refuse = lambda request: (
        httpx2.Response(200, json={"data": {"result": streams}})
        if "query_range" in request.url.path
        else None
    )

    first = ask(loki).evidence[0]

    assert first.data["exception"] == {
        "type": "java.lang.IllegalStateException",
        "message": "no cart",
        "at": "com.shop.Cart.get (Cart.java:7)",
    }


def test_lines_without_a_baseline_are_no_news(loki):
    """Every one would look new. They are told all the same, and that nothing is known before."""
    before = str(nanoseconds(make_scope(SHOP).baseline_start))
    loki.refuse = lambda request: (
        httpx2.Response(500, text="boom") if request.url.params.get("start") == before
        and "query_range" in request.url.path else None
    )  # fmt: skip
    loki.on(WEB, (ONSET, "ERROR boom"), (ONSET, "ERROR boom"))

    (item,) = ask(loki).evidence

    assert (item.data["change"], item.data["first_at"]) == ("unknown", None)
    assert (item.data["count_before"], item.data["count_after"]) == (None, 2)
    assert item.summary.endswith("2 since onset; what was before could not be read")


def test_a_baseline_on_its_own_tells_nothing(loki):
    """Every line of it would look gone."""
    since = str(nanoseconds(make_scope(SHOP).calm_until))
    loki.refuse = lambda request: (
        httpx2.Response(500, text="boom") if request.url.params.get("start") == since
        and "query_range" in request.url.path else None
    )  # fmt: skip
    loki.on(WEB, (ONSET - 60 * SECOND, "ERROR boom"))

    assert ask(loki).evidence == ()


def test_templates_are_bounded(loki):
    """A service that never says the same twice does not fill the report."""
    words = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}x" for n in range(90)]
    loki.on(WEB, *((ONSET, f"ERROR {word} {word[::-1]}") for word in words))

    assert len(ask(loki).evidence) == 40
