"""Log lines read: what they say, how bad it is, and the template they share."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from opssage.json_shape import is_deeper, structure_of
from opssage.plain_text import plain
from opssage.redaction import redact

ERROR, WARNING, INFO = "error", "warning", "info"

_LEVELS: Mapping[str, str] = {
    **dict.fromkeys(("emerg", "alert", "crit", "critical", "fatal", "panic"), ERROR),
    **dict.fromkeys(("err", "error", "severe", "e", "f"), ERROR),
    **dict.fromkeys(("warn", "warning", "w"), WARNING),
    **dict.fromkeys(("info", "information", "notice", "debug", "trace", "i", "d"), INFO),
}
_LEVEL_KEYS = ("level", "severity", "lvl", "log.level", "levelname", "loglevel")
_MESSAGE_KEYS = ("msg", "message", "log", "event", "text")
_CAUSE_KEYS = ("error", "err", "exception", "cause", "reason")

_LOGFMT = re.compile(r'(?<![\w.])([A-Za-z_][\w.]*)=("(?:\\.|[^"\\])*"|[^\s"]*)')
_KLOG = re.compile(r"^([EFWI])\d{4} \d\d:\d\d:\d\d")
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        ERROR,
        re.compile(
            r"\b(?:ERROR|ERR|FATAL|CRITICAL|SEVERE|PANIC)\b|\b(?:error|fatal|panic|critical):"
            r"|\[(?:error|crit|alert|emerg)\]|^Traceback |\b[A-Z]\w*(?:Error|Exception)\b"
        ),
    ),
    (WARNING, re.compile(r"\bWARN(?:ING)?\b|\bwarn(?:ing)?:|\[warn(?:ing)?\]")),
    (INFO, re.compile(r"\b(?:INFO|DEBUG|NOTICE|TRACE)\b|\[(?:info|debug|notice)\]")),
)
# A status 5xx on its own is left alone: it is what an access log has to say.
_MASKS = re.compile(
    r"\[redacted:[0-9a-f]{4}:\d+\]"
    r'|"[^"]{40,}"'
    r"|^[EFWI]\d{4} (?=\d\d:\d\d:\d\d)"
    r"|\b\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"
    r"|\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"|(?<=-)(?=[a-z]*\d)[a-z0-9]{6,10}-[a-z0-9]{5}\b"
    r"|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b"
    r"|\b(?=(?:[A-Za-z]*\d){3})[A-Za-z0-9]{16,}\b"
    r"|(?<![A-Za-z0-9])(?!5\d\d(?![\w.]))\d+(?:\.\d+)?(?=(?:[mnµ]?s|[smhd]|%|[kKMGT]i?B?)?\b|%)"
)
_REPEATED = re.compile(r"<\*>(?:[\s,;:/.-]*<\*>)+")
_MAX_TEMPLATE = 300
_MAX_DEPTH = 32  #: of a JSON line: who logs deeper has not written it to be read
_MAX_MASKED = 4000  #: characters of a message that are looked at


def fields_of(line: str) -> dict[str, Any]:
    """Return the fields of a JSON or logfmt line; empty for free text.

    What JSON had escaped is plain and without secrets, as the line itself is.
    """
    text = line.lstrip()
    if text.startswith("{"):
        return _json_fields(text)
    pairs = _LOGFMT.findall(line)
    if not any(key.lower() in (*_LEVEL_KEYS, *_MESSAGE_KEYS) for key, _ in pairs):
        return {}
    return {key: _unquoted(value) for key, value in pairs}


def _json_fields(text: str) -> dict[str, Any]:
    if is_deeper(structure_of(text.encode(errors="replace")), _MAX_DEPTH):
        return {}
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(document, dict):
        return {}
    fields: dict[str, Any] = redact(plain(document)) if "\\" in text else document
    return fields


def _unquoted(value: str) -> str:
    return value[1:-1].replace(r"\"", '"') if value.startswith('"') else value


def level_of(line: str, fields: Mapping[str, Any]) -> str:
    """Return `error`, `warning`, `info`, or "" when the line does not say."""
    for key in _LEVEL_KEYS:
        if known := _LEVELS.get(str(fields.get(key, "")).lower()):
            return known
    if match := _KLOG.match(line):
        return _LEVELS[match[1].lower()]
    return next((level for level, pattern in _WORDS if pattern.search(line)), "")


def message_of(line: str, fields: Mapping[str, Any]) -> str:
    """Return what the line says: message and cause of a structured line, else all of it."""
    said = [headline_of(fields), _first(fields, _CAUSE_KEYS)]
    return ": ".join(text for text in said if text) or line


def headline_of(fields: Mapping[str, Any]) -> str:
    """Return the message of a structured line without its cause; "" when it has none."""
    return _first(fields, _MESSAGE_KEYS)


def _first(fields: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    found = (fields.get(key) for key in keys)
    return next(
        (str(value).partition("\n")[0] for value in found if value and not isinstance(value, dict)),
        "",
    )


def template_of(message: str) -> str:
    """Return the message with everything that changes from line to line as `<*>`.

    Masked are times, numbers, addresses, ids and long quoted text.
    """
    masked = _REPEATED.sub("<*>", _MASKS.sub("<*>", message[:_MAX_MASKED]))
    return " ".join(masked.split())[:_MAX_TEMPLATE]
