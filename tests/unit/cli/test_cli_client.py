"""What every command's connection to the API does."""

import pytest
from werkzeug import Response

WAIT = {
    "title": "Too Many Requests",
    "status": 429,
    "detail": "more than 2 reads within a minute",
}


@pytest.fixture
def list_all(opssage, httpserver):
    """List all incidents as JSON lines; returns click's result."""
    return lambda: opssage(
        "incidents", "--all", "--format", "jsonl", "--url", httpserver.url_for("")
    )


def busy(httpserver) -> None:
    """Have the server say once, or ever again, that it is asked too much."""
    httpserver.expect_ordered_request("/api/v1/incidents").respond_with_json(
        WAIT, 429, {"Retry-After": "0"}
    )


def test_a_limit_of_reads_is_waited_for(list_all, httpserver):
    """The stream goes on where it was, and stderr tells of it once."""
    for number, following in (("1", "next"), ("2", None)):
        busy(httpserver)
        busy(httpserver)
        httpserver.expect_ordered_request("/api/v1/incidents").respond_with_json(
            {"items": [{"incident_id": number}], "next_cursor": following}
        )

    result = list_all()

    assert (result.exit_code, result.stdout) == (0, '{"incident_id":"1"}\n{"incident_id":"2"}\n')
    assert result.stderr.count("Too Many Requests (429): more than 2 reads") == 1
    assert "going on by itself" in result.stderr


def test_a_limit_that_stays_ends_the_command(list_all, httpserver):
    """Whoever waits for ever tells nobody."""
    asked = []

    def answer(request):
        asked.append(request)
        return Response("{}", 429, {"Retry-After": "0"})

    httpserver.expect_request("/api/v1/incidents").respond_with_handler(answer)

    assert list_all().exit_code == 1
    assert len(asked) == 11


@pytest.mark.parametrize("command", ["show", "ack", "retry", "watch"])
def test_what_is_no_id_is_not_asked_for(opssage, command):
    """Nothing listens here; a wrong use, with the way to an id."""
    result = opssage(command, "xyz", "--url", "http://127.0.0.1:9")

    assert result.exit_code == 2
    assert "'xyz' is not the id of an incident: `opssage incidents` lists them" in result.stderr
