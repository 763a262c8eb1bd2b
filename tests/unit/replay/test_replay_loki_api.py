"""The Loki API over a few lines."""

from types import SimpleNamespace

import pytest
from flask import Flask

from cli.replay.logs import Stream
from cli.replay.loki_api import LokiApi

SECOND = 1_000_000_000
NOW = 1_000_000


def at(seconds: int) -> int:
    """Return nanoseconds of a time relative to now."""
    return (NOW + seconds) * SECOND


@pytest.fixture
def client():
    """A client over two streams of two lines and one of a line."""
    web = {"namespace": "shop", "app": "web", "pod": "web-1"}
    cart = {"namespace": "shop", "app": "cart", "pod": "cart-1"}
    mail = {"namespace": "mail", "app": "mailer"}
    streams = (
        Stream(labels=web, lines=((at(-30), "GET /a 200"), (at(-10), 'error="timed out" /b'))),
        Stream(labels=cart, lines=((at(-20), "added 1"), (at(-5), "Error: gone"))),
        Stream(labels=mail, lines=((at(-7200), "sent"),)),
    )
    app = Flask(__name__)
    app.register_blueprint(LokiApi(SimpleNamespace(now=NOW, streams=streams)).blueprint())
    return app.test_client()


def lines(client, **parameters):
    """Return the lines of an answer, in its order."""
    answer = client.get("/loki/api/v1/query_range", query_string=parameters)
    assert answer.status_code == 200, answer.text
    found = answer.json["data"]["result"]
    return [line for stream in found for _, line, *_ in stream["values"]]


def test_lines_come_by_stream_the_newest_first(client):
    """With the stream's labels, and times as text in nanoseconds."""
    query = {"query": '{namespace="shop",app="web"}'}

    answer = client.get("/loki/api/v1/query_range", query_string=query).json

    assert answer["data"]["resultType"] == "streams"
    assert answer["data"]["result"] == [
        {
            "stream": {"namespace": "shop", "app": "web", "pod": "web-1"},
            "values": [
                [str(at(-10)), 'error="timed out" /b'],
                [str(at(-30)), "GET /a 200"],
            ],
        }
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{app="web"} |= "GET"', ["GET /a 200"]),
        ('{app="web"} != "GET"', ['error="timed out" /b']),
        ('{namespace="shop"} |~ "(?i)error"', ['error="timed out" /b', "Error: gone"]),
        ('{namespace="shop"} |~ "(?i)error" !~ "[.:]"', ['error="timed out" /b']),
        ('{app=~"ca.*", pod!=""}', ["Error: gone", "added 1"]),
        ('{namespace="shop", app!~"ca.*"} |= `"timed`', ['error="timed out" /b']),
        (r'{app="web"} |= "error=\"timed"', ['error="timed out" /b']),
        ('{app="nosuch"}', []),
        ('{app=~"ca"}', []),
    ],
)
def test_selectors_and_line_filters(client, query, expected):
    """Label patterns match whole values, line patterns any part."""
    assert lines(client, query=query) == expected


def test_start_is_included_and_end_is_not(client):
    """Two questions side by side answer no line twice."""
    query = '{namespace="shop"}'

    before = lines(client, query=query, start=at(-30), end=at(-10))
    after = lines(client, query=query, start=at(-10), end=at(0))

    assert before == ["GET /a 200", "added 1"]
    assert after == ['error="timed out" /b', "Error: gone"]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("backward", ['error="timed out" /b', "Error: gone"]),
        ("forward", ["GET /a 200", "added 1"]),
    ],
)
def test_the_limit_counts_lines_of_all_streams(client, direction, expected):
    """The newest or the oldest of them, whichever stream they are of."""
    found = lines(client, query='{namespace="shop"}', limit=2, direction=direction)

    assert found == expected


def test_the_last_hour_is_asked_by_default(client):
    """Without start and end; seconds are taken as well."""
    assert lines(client, query='{namespace="mail"}') == []
    assert lines(client, query='{namespace="mail"}', start=NOW - 7200) == ["sent"]


def test_categorised_labels_add_a_third_element(client):
    """As Loki 3 answers the header."""
    answer = client.get(
        "/loki/api/v1/query_range",
        query_string={"query": '{app="cart"}', "limit": 1},
        headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"},
    ).json["data"]

    assert answer["encodingFlags"] == ["categorize-labels"]
    assert answer["result"][0]["values"] == [[str(at(-5)), "Error: gone", {}]]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"query": '{app="web"'}, "parse error at line 1, col 11"),
        ({"query": ""}, "parse error at line 1, col 1"),
        ({"query": 'rate({app="web"}[5m])'}, "parse error at line 1, col 1"),
        ({"query": '{app="web"} | json'}, "unsupported '| json'"),
        ({"query": "{app=web}"}, "parse error at line 1, col 2"),
        ({"query": '{app=~"("}'}, "regular expression"),
        ({"query": '{app="web"} |~ "("'}, "regular expression"),
        ({"query": '{app=~".*"}'}, "queries require at least one regexp or equality matcher"),
        ({"query": '{app!="x"}'}, "queries require at least one regexp or equality matcher"),
        ({"query": '{app="web"}', "limit": "5001"}, "max entries limit per query exceeded"),
        ({"query": '{app="web"}', "limit": "0"}, "limit must be a positive value"),
        ({"query": '{app="web"}', "direction": "up"}, "invalid direction"),
        ({"query": '{app="web"}', "start": "soon"}, "could not parse 'start'"),
        ({"query": '{app="web"}', "start": "20", "end": "10"}, "end timestamp must not be before"),
    ],
)
def test_what_is_not_answered_is_a_400_with_the_reason(client, parameters, reason):
    """Plain text, as Loki tells it."""
    answer = client.get("/loki/api/v1/query_range", query_string=parameters)

    assert (answer.status_code, answer.mimetype) == (400, "text/plain")
    assert reason in answer.text


def test_lines_are_no_instant(client):
    """The instant endpoint refuses log queries."""
    answer = client.get("/loki/api/v1/query", query_string={"query": '{app="web"}'})

    assert answer.status_code == 400
    assert "not supported as an instant query type" in answer.text


def test_labels_are_listed(client):
    """Of the last hour, or of the streams that a query selects."""
    names = client.get("/loki/api/v1/labels").json["data"]
    values = client.get("/loki/api/v1/label/app/values").json["data"]
    selected = client.get(
        "/loki/api/v1/label/app/values", query_string={"query": '{app=~"w.*"}'}
    ).json["data"]

    assert names == ["app", "namespace", "pod"]
    assert (values, selected) == (["cart", "web"], ["web"])


def test_it_is_ready(client):
    """At once."""
    assert client.get("/ready").text == "ready\n"


def test_lines_are_counted(client):
    """The start of the range is left out; without a line there is no sample."""
    query = 'sum(count_over_time({namespace="shop"}[20s]))'
    path = "/loki/api/v1/query"

    (sample,) = client.get(path, query_string={"query": query}).json["data"]["result"]
    none = client.get(path, query_string={"query": query, "time": at(-300)}).json["data"]

    assert sample["value"] == [NOW, "2"]
    assert (none["resultType"], none["result"]) == ("vector", [])
