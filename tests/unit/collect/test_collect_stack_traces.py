"""Exceptions read off stack traces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.collect.stack_traces import MAX_MESSAGE, Thrown, thrown_by, thrown_in

PYTHON = """\
Traceback (most recent call last):
  File "/app/shop/db.py", line 12, in connect
    driver.open()
  File "/usr/lib/python3.11/site-packages/psycopg/conn.py", line 9, in open
    raise OperationalError(x)
psycopg.OperationalError: connection refused
"""
CAUSED = "The above exception was the direct cause of the following exception:\n"
HANDLING = "During handling of the above exception, another exception occurred:\n"
SECOND = """\
Traceback (most recent call last):
  File "/app/shop/cart.py", line 3, in add
    ~~~~~^^^
shop.CartError
"""


@pytest.mark.parametrize(
    ("trace", "kind", "message", "at"),
    [
        (PYTHON, "psycopg.OperationalError", "connection refused", "connect (/app/shop/db.py:12)"),
        (
            f"{PYTHON}\n{CAUSED}\n{SECOND}",
            "psycopg.OperationalError",
            "connection refused",
            "connect (/app/shop/db.py:12)",
        ),
        (f"{PYTHON}\n{HANDLING}\n{SECOND}", "shop.CartError", "", "add (/app/shop/cart.py:3)"),
        (
            (
                "2026 ERROR [main] c.s.Checkout - java.lang.RuntimeException: checkout failed\n"
                "\tat com.shop.Checkout.run(Checkout.java:12)\n"
                "\tSuppressed: java.io.IOException: closing\n"
                "\t\tat com.shop.Db.close(Db.java:9)\n"
                "\tCaused by: java.io.EOFException\n"
                "Caused by: org.postgresql.util.PSQLException: timed out\n"
                "\tat com.shop.Db.query(Db.java:20)\n"
                "Caused by: java.net.ConnectException: Connection refused\n"
                "\tat java.base/java.net.Socket.connect(Native Method)\n"
                "\tat org.postgresql.Driver.connect(Driver.java:1)\n"
                "\tat com.shop.Db.open(Db.java:7)\n"
                "\t... 12 more"
            ),
            "java.net.ConnectException",
            "Connection refused",
            "com.shop.Db.open (Db.java:7)",
        ),
        (
            (
                'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space\n'
                "\tat java.base/java.util.Arrays.copyOf(Arrays.java:3332)\n"
            ),
            "java.lang.OutOfMemoryError",
            "Java heap space",
            "",
        ),
        (
            (
                "http: panic serving 10.0.0.1:1: runtime error: index out of range [5]\n"
                "goroutine 7 [running]:\n"
                "net/http.(*conn).serve.func1()\n\t/usr/local/go/src/net/http/server.go:1 +0x1\n"
                "panic({0x1, 0x2})\n\t/usr/local/go/src/runtime/panic.go:1 +0x2\n"
                "main.(*Cart).Add(0xc0001, {0x1, 0x2})\n\t/app/cart.go:42 +0x1d\n"
                "main.main()\n\t/app/main.go:10 +0x20"
            ),
            "panic",
            "runtime error: index out of range [5]",
            "main.(*Cart).Add (/app/cart.go:42)",
        ),
        (
            (
                "/app/src/cart.js:12\n    throw err\n    ^\n"
                "TypeError: Cannot read properties of undefined (reading 'id')\n"
                "    at get (/app/node_modules/lodash/get.js:1:2)\n"
                "    at async Cart.add (/app/src/cart.js:12:5)\n"
                "    at node:internal/main:1:2"
            ),
            "TypeError",
            "Cannot read properties of undefined (reading 'id')",
            "Cart.add (/app/src/cart.js:12:5)",
        ),
        (
            (
                "Error [ERR_X]: order failed\n    at file:///app/order.mjs:3:9 {\n"
                "    at /app/main.js:1:1\n"
                "  [cause]: Error: connect ECONNREFUSED 10.0.0.1:5432\n"
                "      at connect (/app/db.js:4:7) {\n    errno: -111\n  }\n}"
            ),
            "Error",
            "connect ECONNREFUSED 10.0.0.1:5432",
            "/app/main.js:1:1",
        ),
        (
            (
                "Unhandled exception. System.InvalidOperationException: cannot pay\n"
                " ---> System.Net.Http.HttpRequestException: Connection refused (pay:80)\n"
                "   at System.Net.Http.HttpPool.Connect(String host, Int32 port)\n"
                "   at Shop.Pay.Send(String id) in /src/Pay.cs:line 7\n"
                "   --- End of inner exception stack trace ---\n"
                "   at Shop.Program.Main() in /src/Program.cs:line 3"
            ),
            "System.Net.Http.HttpRequestException",
            "Connection refused (pay:80)",
            "Shop.Pay.Send (/src/Pay.cs:7)",
        ),
        (
            (
                "app/cart.rb:12:in `add': undefined method `x' for nil:NilClass (NoMethodError)\n"
                "\tfrom /usr/lib/ruby/gems/rack/x.rb:1:in `call'\n\tfrom app.rb:20:in `<main>'"
            ),
            "NoMethodError",
            "undefined method `x' for nil:NilClass",
            "add (app/cart.rb:12)",
        ),
        (
            (
                "ActiveRecord::ConnectionNotEstablished (could not connect):\n"
                "/usr/lib/ruby/gems/pg.rb:1:in 'connect'\napp/models/cart.rb:12:in 'Cart#add'"
            ),
            "ActiveRecord::ConnectionNotEstablished",
            "could not connect",
            "Cart#add (app/models/cart.rb:12)",
        ),
    ],
)
def test_what_was_thrown_first_is_named(trace, kind, message, at):
    """With the frame of the program's own code that is nearest to it."""
    assert thrown_in(trace) == Thrown(type=kind, message=message, at=at)


@pytest.mark.parametrize(
    "text",
    [
        "ValueError: x",
        "INFO started\n    with options",
        "SELECT 1\n    FROM x\n    WHERE y",
        "at Home.page (x.js:1:2)",
        "\n\n",
    ],
)
def test_text_without_frames_tells_of_no_exception(text):
    """A name that ends in Error is not enough."""
    assert thrown_in(text) is None


@pytest.mark.parametrize(
    ("fields", "thrown"),
    [
        (
            {"msg": "boom", "stack": "Error: boom\n    at f (/app/a.js:1:2)"},
            Thrown(type="Error", message="boom", at="f (/app/a.js:1:2)"),
        ),
        (
            {"message": "failed", "exception": PYTHON},
            Thrown(
                type="psycopg.OperationalError",
                message="connection refused",
                at="connect (/app/shop/db.py:12)",
            ),
        ),
        (
            {"err": {"type": "TypeError", "message": "x", "stack": "TypeError: x"}},
            Thrown(type="TypeError", message="x"),
        ),
        (
            {"error.type": "java.io.IOException", "error.message": "closed"},
            Thrown(type="java.io.IOException", message="closed"),
        ),
        (
            {"exception_type": "KeyError", "exception_message": "'id'"},
            Thrown(type="KeyError", message="'id'"),
        ),
        (
            {"stack_trace": ["java.io.IOException: x", "\tat com.shop.Db.open(Db.java:7)"]},
            Thrown(type="java.io.IOException", message="x", at="com.shop.Db.open (Db.java:7)"),
        ),
        ({"stack": "production", "error": "refused", "type": "access"}, None),
        ({"msg": "x", "error": None, "exception": 3}, None),
    ],
)
def test_fields_tell_of_exceptions(fields, thrown):
    """Loggers name them differently; a stack that is no trace is none."""
    assert thrown_by(fields) == thrown


def test_message_is_bounded_and_one_line():
    """Whoever throws does not decide how much is kept."""
    thrown = thrown_in(f"Error: {'x ' * 2000}\n    at f (/app/a.js:1:2)")

    assert thrown is not None
    assert len(thrown.message) <= MAX_MESSAGE


@given(st.text("\tat (F.js:1)\n\"',<>Error:Caused by[]{}", max_size=300))
def test_no_text_breaks_the_reading(text):
    """It is a trace or it is none."""
    found = thrown_in(f"Error: x\n{text}\n    at f (/app/a.js:1:2)")

    assert found is None or found.type
    assert thrown_by({"stack": text}) == thrown_in(text)


@pytest.mark.parametrize(
    "unit",
    ["Error ", "a.", "a+", "Error+", "A (", "at ", ":1:in `x': ", "(", 'File "x", ', "Caused by: "],
)
def test_hostile_traces_cost_what_their_length_does(unit):
    """Hundreds of long lines are looked at only up to a bounded length each."""
    lines = "\n".join([unit * 500] * 300)

    found = thrown_in(f"{lines}\n    at f (/app/a.js:1:2)\n{lines}")

    assert found is None or len(str(found)) <= 1500
