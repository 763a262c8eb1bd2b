"""Single log lines."""

import pytest

from tasks.collect.log_lines import (
    fields_of,
    level_of,
    message_of,
    template_of,
)


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ('{"level":"ERROR","msg":"x"}', "error"),
        ('{"severity":"fatal","message":"x"}', "error"),
        ('{"lvl":"warn","msg":"an error was avoided"}', "warning"),
        ("level=info msg=started", "info"),
        ("ts=1 level=warning msg=slow", "warning"),
        ("E1123 03:02:40.123456 1 controller.go:114] failed", "error"),
        ("W1123 03:02:40.123456 1 controller.go:114] slow", "warning"),
        ("2026-11-23 ERROR boom", "error"),
        ("2026/11/23 03:02:40 [warn] 12#12: something", "warning"),
        ("Traceback (most recent call last):", "error"),
        ("java.lang.OutOfMemoryError: Java heap space", "error"),
        ("terror is not an alarm", ""),
        ("GET /index.html 200", ""),
    ],
)
def test_level_is_what_the_line_says(line, level):
    """Fields come before words."""
    assert level_of(line, fields_of(line)) == level


def test_message_of_a_structured_line_is_what_it_says_and_why():
    """The rest of its fields changes from line to line."""
    line = '{"ts":"2026","level":"error","msg":"connect failed","err":"connection refused"}'

    assert message_of(line, fields_of(line)) == "connect failed: connection refused"


def test_message_is_one_line_of_text():
    """A stack trace in a field, or an object, says it elsewhere."""
    line = '{"msg":"failed","exception":"E: x\\n  at y","error":{"type":"E"}}'

    assert message_of(line, fields_of(line)) == "failed: E: x"


def test_message_of_logfmt_may_hold_quotes():
    """Escaped quotes belong to the value."""
    line = r'level=error msg="no such table \"users\"" err=fatal'

    assert message_of(line, fields_of(line)) == 'no such table "users": fatal'


def test_message_of_free_text_is_the_line():
    """An equals sign does not make it logfmt; broken JSON is free text too."""
    for line in ("set x=1 and go", '{"level":"error", broken', "[1, 2]", '"text"'):
        assert message_of(line, fields_of(line)) == line


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("took 12ms for 3.5 MB", "took <*>ms for <*> MB"),
        ("2026-11-23T03:02:40.095Z up", "<*> up"),
        ("dial tcp 10.0.0.5:5432: refused", "dial tcp <*>: refused"),
        ("order 7f9c24e8-3b12-4fef-91e0-ad3b6a1c2f3d lost", "order <*> lost"),
        ("trace=4bf92f3577b34da6a3ce929d0e0e4736 ok", "trace=<*> ok"),
        ("pod web-7d9f8b6c5d-x2x1z gone", "pod web-<*> gone"),
        ("at 0xdeadbeef in v1beta1 of http2", "at <*> in v1beta1 of http2"),
        ("password [redacted:7f3a:32] refused", "password <*> refused"),
        ('could not find host "db-prod"', 'could not find host "db-prod"'),
        ("GET /orders/12 500 took 30", "GET /orders/<*> 500 took <*>"),
        ("key AKx92hd83jf02kdl refused", "key <*> refused"),
        ("InvoiceServiceFactoryV2 failed", "InvoiceServiceFactoryV2 failed"),
        ("a   b\tc", "a b c"),
    ],
)
def test_template_masks_what_changes(message, template):
    """Names and the status of a failed request stay."""
    assert template_of(message) == template


def test_fields_hold_no_control_characters_and_no_secret():
    """JSON may have escaped them, so that the line itself is clean."""
    line = (
        r'{"level":"error","msg":"\u001b]0;x\u0007\u202eevil\u009b31m","e":"p\u0061ssword=hunter2"}'
    )

    fields = fields_of(line)

    assert fields["msg"] == "evil31m"
    assert "hunter2" not in str(fields)


def test_fields_of_a_line_too_deep_to_read_are_none():
    """It is read as text."""
    assert fields_of('{"msg":' * 33 + "1" + "}" * 33) == {}
