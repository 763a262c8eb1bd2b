"""One log for everything: our events and those of the libraries, in one form, without secrets.

An event has a constant name; what differs goes in keywords: `log.info("stage_committed",
stage="collect")`. `warning` is a surprise that was handled, `error` something to look at.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO, cast

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from opssage.redaction import redact
from opssage.settings import LoggingSettings

_BRINGS_HANDLERS = (
    "celery",
    "celery.redirected",
    "celery.task",
    "gunicorn.access",
    "gunicorn.error",
    "sqlalchemy.engine.Engine",
    "sqlalchemy.pool.impl.QueuePool",
)
"""Loggers that write for themselves; here they hand their lines on.

SQLAlchemy gives a logger its own handler, with parameters in clear, as long as it has none.
"""

_QUIET = ("alembic", "celery.app.trace", "celery.worker.strategy", "httpcore2", "httpx2")
"""Loggers whose `info` is a line per request, or says what a line of ours says."""

_FIRST = ("timestamp", "level", "event")
_MULTILINE = ("exception", "stack")
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

_COMMON: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_COMMON,
        structlog.processors.StackInfoRenderer(),
        ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=BoundLogger,
    cache_logger_on_first_use=True,
)


def get_logger(name: str) -> BoundLogger:
    """Return the logger of a module: `get_logger(__name__)`."""
    return structlog.stdlib.get_logger(name)


def bind(**ids: object) -> None:
    """Put ids on every line of this thread or task from here on; an id that is None is not."""
    structlog.contextvars.bind_contextvars(
        **{name: value for name, value in ids.items() if value is not None}
    )


def unbind(*names: str) -> None:
    """Take ids off again; those that are not bound are no error."""
    structlog.contextvars.unbind_contextvars(*names)


def configure(settings: LoggingSettings, stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream` (stderr), in the form the settings ask for.

    May be called again; the last call counts.
    """
    stream = stream or sys.stderr
    on_terminal = stream.isatty()
    console = settings.format == "console" or (settings.format == "auto" and on_terminal)
    handler = logging.StreamHandler(stream)
    handler.name = "opssage"
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_COMMON,
            processors=(
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _redacted,
                *(_console(colors=on_terminal) if console else _JSON),
            ),
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if old.name == handler.name]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    for name in _BRINGS_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def _redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return cast("EventDict", redact(_plain(event)))


def _plain(value: Any) -> Any:
    """Return `value` as JSON, so that nothing is written out behind the back of redaction."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)


def _ordered(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: event.pop(key) for key in _FIRST if key in event} | dict(event)


_JSON: tuple[Processor, ...] = (_ordered, structlog.processors.JSONRenderer())


def _console(*, colors: bool) -> tuple[Processor, ...]:
    return (
        _one_line,
        structlog.dev.ConsoleRenderer(
            colors=colors, exception_formatter=structlog.dev.plain_traceback
        ),
    )


def _one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep a value from passing for a line of its own: tracebacks are indented, the rest escaped.

    Escape sequences of terminals and marks that turn the direction of text go the same way.
    """
    return {
        _printable(key): _indented(value) if key in _MULTILINE else _printable(value)
        for key, value in event.items()
    }


def _printable(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], value)


def _indented(value: Any) -> str:
    return "\n".join(f"    {_printable(line)}" for line in str(value).split("\n"))
