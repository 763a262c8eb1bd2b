import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from opssage import log
from opssage.settings import LoggingSettings

LOGGERS = ("celery.task", "gunicorn.error", "sqlalchemy.engine.Engine", "httpx2")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    """Undo what configuring does to this process."""
    loggers = [logging.getLogger(), *map(logging.getLogger, LOGGERS)]
    before = [(item, list(item.handlers), item.level, item.propagate) for item in loggers]
    yield
    for item, handlers, level, propagate in before:
        item.handlers, item.level, item.propagate = handlers, level, propagate


def configured(form: str, stream: io.StringIO | None = None, level: str = "info") -> io.StringIO:
    stream = stream or io.StringIO()
    log.configure(LoggingSettings(format=form, level=level), stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def failure(message: str) -> ValueError:
    with pytest.raises(ValueError) as caught:
        raise ValueError(message)
    return caught.value


def test_event_is_a_line_of_json():
    """An event carries its name, keywords, level, logger and time in UTC."""
    stream = configured("json")

    log.get_logger("opssage.test").info("thing_done", number=3, what=UUID(int=1))

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "thing_done",
        "level": "info",
        "logger": "opssage.test",
        "number": 3,
        "what": "00000000-0000-0000-0000-000000000001",
    }


@pytest.mark.parametrize("name", ["celery.task", "gunicorn.error", "sqlalchemy.engine.Engine"])
def test_library_writes_in_the_same_form(name: str):
    """A library's line is one of ours, once, even when its logger had a handler of its own."""
    own = io.StringIO()
    logging.getLogger(name).addHandler(logging.StreamHandler(own))
    stream = configured("json")

    logging.getLogger(name).warning("lost %s", "token=abc123")

    (line,) = lines(stream)
    assert (line["event"], line["logger"]) == ("lost token=[redacted:6ca1:6]", name)
    assert own.getvalue() == ""


def test_bound_ids_are_on_every_line():
    """request_id, incident_id and task_id are said once, for our events and the libraries'."""
    stream = configured("json")

    log.bind(incident_id=UUID(int=2), task_id=None)
    log.get_logger("a").info("one")
    logging.getLogger("b").warning("two")
    log.unbind("incident_id", "task_id")
    log.get_logger("a").info("three")

    ids = [(line.get("incident_id"), "task_id" in line) for line in lines(stream)]
    assert ids == [(str(UUID(int=2)), False)] * 2 + [(None, False)]


def test_secrets_are_masked_wherever_they_stand():
    """Keys, values, nested values, objects and the event itself are redacted."""
    stream = configured("json")

    log.get_logger("a").info(
        "dial redis://:hunter2@mq",
        password="hunter2",
        nested={"x": ["api_key=hunter2"]},
        error=ValueError("token=hunter2"),
    )

    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("[redacted:f52f:7]") == 4


@pytest.mark.parametrize("form", ["json", "console"])
def test_secret_in_a_traceback_is_masked(form: str):
    """The text of an exception is redacted, ours and a library's."""
    stream = configured(form)

    log.get_logger("a").error("failed", exc_info=failure("password=hunter2"))
    logging.getLogger("b").error("failed", exc_info=failure("password=hunter2"))

    assert stream.getvalue().count("ValueError: password=[redacted:f52f:7]") == 2


@pytest.mark.parametrize("mark", ["\n", "\r", "\x1b[2K", "\x85", "\u2028", "\u202e"])
def test_value_cannot_forge_a_line(mark: str):
    """On the console whatever would break or rewrite a line is escaped."""
    stream = configured("console")
    forged = f"x{mark}2026-11-23T00:00:00Z [error] forged"

    log.get_logger("a").info("told", value=forged, nested={"deep": forged})
    logging.getLogger("b").warning("told %s", forged)

    assert mark not in stream.getvalue().replace("\n", "", 2)
    assert len(stream.getvalue().splitlines()) == 2


def test_traceback_cannot_forge_a_line():
    """Every line of a traceback is indented, so that none passes for an event."""
    stream = configured("console")

    log.get_logger("a").error("failed", exc_info=failure("x\n2026 [error] forged"))

    first, *rest = stream.getvalue().splitlines()
    assert "failed" in first
    assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize(("stream", "is_json"), [(Terminal(), False), (io.StringIO(), True)])
def test_auto_suits_the_reader(stream: io.StringIO, is_json: bool):  # noqa: FBT001 - a table
    """A terminal gets the console form, anything else JSON."""
    configured("auto", stream)

    log.get_logger("a").info("told")

    assert stream.getvalue().startswith("{") is is_json


def test_level_is_a_threshold():
    """What is below the level is not written."""
    stream = configured("json", level="warning")

    log.get_logger("a").info("quiet")
    log.get_logger("a").warning("loud")

    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_line_per_request_of_the_http_client_is_left_out():
    """The ledger of sources tells that better."""
    stream = configured("json", level="debug")

    logging.getLogger("httpx2").info("HTTP Request")

    assert stream.getvalue() == ""


def test_configuring_again_replaces():
    """The last call counts; nothing is written twice."""
    first, second = configured("json"), configured("json")

    log.get_logger("a").info("told")

    assert first.getvalue() == ""
    assert len(lines(second)) == 1
