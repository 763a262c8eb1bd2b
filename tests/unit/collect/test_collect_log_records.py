"""Lines that belong together."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.collect.stand_ins import ONSET, make_alert, make_scope, nanoseconds

from tasks.collect.log_records import (
    MAX_PARTS,
    MAX_TEXT,
    Line,
    is_continuation,
    joined,
    parted,
)

PYTHON = """\
Traceback (most recent call last):
  File "/app/db.py", line 12, in connect
    raise OSError(x)
OSError: no route

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/cart.py", line 3, in add
    ~~~~~^^^
shop.CartError: cannot add"""
JAVA = """\
java.lang.RuntimeException: checkout failed
\tat com.shop.Checkout.run(Checkout.java:12)
Caused by: java.net.ConnectException: Connection refused
\tat com.shop.Db.open(Db.java:7)
\t... 12 more"""
GO = """\
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.(*Server).charge(0xc0001, {0x1, 0x2})
\t/app/main.go:42 +0x1d
created by main.main
\t/app/main.go:10 +0x20
exit status 2"""
NODE = """\
/app/src/cart.js:12
    throw err
    ^

TypeError: Cannot read properties of undefined (reading 'id')
    at Cart.add (/app/src/cart.js:12:5) {
  code: 'X'
}"""
DOTNET = """\
Unhandled exception. System.InvalidOperationException: cannot pay
 ---> System.Net.Http.HttpRequestException: Connection refused (pay:80)
   at Shop.Pay.Send(String id) in /src/Pay.cs:line 7
   --- End of inner exception stack trace ---
   at Shop.Program.Main() in /src/Program.cs:line 3"""
RUBY = """\
app/cart.rb:12:in `add': undefined method `x' for nil:NilClass (NoMethodError)
\tfrom app.rb:20:in `<main>'"""
RAILS = """\
ActiveRecord::ConnectionNotEstablished (could not connect):

app/models/cart.rb:12:in `add'"""


def lines_of(text, **labels):
    return [Line(at=n, text=line, labels=labels) for n, line in enumerate(text.split("\n"))]


@pytest.mark.parametrize("trace", [PYTHON, JAVA, GO, NODE, DOTNET, RUBY, RAILS])
def test_stack_trace_is_one_record(trace):
    """What comes before and after it is not part of it."""
    records = joined(lines_of(f"INFO served\n{trace}\nINFO served"))

    assert [record.text.count("\n") > 0 for record in records] == [False, True, False]
    assert records[1].text == "\n".join(line for line in trace.split("\n") if line.strip())
    assert records[1].at == 1


def test_streams_are_joined_apart():
    """Two pods may write at the same time."""
    of_one, of_other = lines_of(JAVA, pod="a"), lines_of(JAVA, pod="b")
    mixed = [line for pair in zip(of_one, of_other, strict=True) for line in pair]

    assert [record.text for record in joined(mixed)] == [JAVA, JAVA]


def test_frames_without_their_beginning_are_left_out():
    """It was cut off, or belongs to the time before."""
    assert joined(lines_of("\tat com.shop.Db.open(Db.java:7)\n\nINFO served"))[0].text == (
        "INFO served"
    )


@pytest.mark.parametrize(
    ("line", "goes_on"),
    [
        ('  File "/app/db.py", line 12, in connect', True),
        ("\tat com.shop.Cart.add(Cart.java:12)", True),
        ("    raise ValueError(x)", True),
        ("Caused by: java.io.IOException", True),
        ("", True),
        ("ValueError: x", False),
        ("  two spaces", False),
    ],
)
def test_continuation_is_known_by_its_looks(line, goes_on):
    """Stack frames are no messages of their own."""
    assert is_continuation(line) == goes_on


def docker(text):
    return json.dumps({"log": text, "stream": "stdout", "time": "2026-11-23T03:00:00Z"}).replace(
        '"log": ', '"log":'
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2026-11-23T03:00:00.123456789Z stdout P one", "2026-11-23T03:00:00.2Z stdout F  two"),
        (docker("one"), docker(" two\n")),
    ],
)
def test_line_that_the_runtime_split_is_one(first, second):
    """What the runtime wrote around it goes."""
    third = docker("three\n")

    assert [record.text for record in joined(lines_of(f"{first}\n{second}\n{third}"))] == [
        "one two",
        "three",
    ]


def test_line_as_long_as_docker_cuts_goes_on():
    """Docker splits lines at 16 KiB, and says so nowhere."""
    text = "x" * 16_384

    assert [record.text for record in joined(lines_of(f"{text}\ny\nz"))] == [f"{text}y", "z"]


def test_record_is_bounded():
    """Whoever writes logs does not decide how much is kept."""
    (record,) = joined(lines_of("panic: x\n" + "\t" + "y" * 400 + "\n\tz" * 2000))

    assert record.text.count("\n") < MAX_PARTS
    assert len(record.text) <= MAX_TEXT + MAX_PARTS


@given(st.lists(st.text("\t }{:panic.()EF[1]^ \"'", max_size=20)))
def test_no_line_breaks_the_joining(texts):
    """Every text that starts a record is in it; nothing is there twice."""
    records = joined(Line(at=0, text=text, labels={}) for text in texts)

    kept = [part for record in records for part in record.text.split("\n")]
    assert len(kept) <= len(texts)
    assert all(part in texts for part in kept)


@pytest.mark.parametrize("size", [1_000, 30_000])
@pytest.mark.parametrize("unit", ["(", "a(", "\t", " ", "panic: ", "^", "a.rb:", "f(*a)"])
def test_hostile_lines_cost_what_their_length_does(unit, size):
    """Nothing is searched twice for the sake of one character more."""
    text = unit * (size // len(unit))

    assert len(joined(lines_of(f"panic: x\n{text}\n{text})\nINFO"))) >= 1


def test_lines_are_parted_where_calm_ends():
    """Lines from outside of the window do not count."""
    scope = make_scope(make_alert())
    moments = (
        scope.baseline_start - timedelta(seconds=1),
        scope.baseline_start,
        scope.calm_until,
        scope.window.end,
    )
    lines = [Line(at=nanoseconds(moment), text="x", labels={}) for moment in moments]

    before, after = parted(lines, scope, since=scope.baseline_start)

    assert (before.lines, after.lines) == ((lines[1],), (lines[2],))
    assert (before.covered_seconds, after.covered_seconds) == (1500, 900)
    assert before.is_complete
    assert after.is_complete


def test_what_a_limit_cut_off_is_not_covered():
    """The oldest line that is left says from when on all is known."""
    scope = make_scope(make_alert())
    oldest = ONSET + timedelta(seconds=60)
    lines = [Line(at=nanoseconds(oldest), text="x", labels={})]

    before, after = parted(lines, scope, since=oldest)

    assert (before.covered_seconds, before.is_complete) == (0, False)
    assert (after.covered_seconds, after.is_complete) == (540, False)


def test_each_panic_begins_a_record():
    """Go indents a panic within another: one at the margin is the next one."""
    again = lines_of(f"{GO}\npanic: a [recovered]\n\tpanic: b\npanic: c")

    assert [record.text for record in joined(again)][1:] == [
        "panic: a [recovered]\n\tpanic: b",
        "panic: c",
    ]


def test_a_line_out_of_a_runtimes_json_is_clean():
    """What was escaped in it is plain and without secrets, as other lines are."""
    (record,) = joined(lines_of(docker("\x1b[31mp\x07assword=hunter2 \u202ex\n")))

    assert record.text.startswith("password=[redacted:")
    assert record.text.endswith(" x")
