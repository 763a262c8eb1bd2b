import socket

import pytest

from cli import ports, running
from cli.commands.up import announced, names_a_broker
from cli.stack import Plan
from opssage.settings import load


@pytest.fixture
def free():
    """Return the words that give both ports free values."""
    return ("--port", ports.free(), "--flower-port", ports.free())


def test_up_refuses_a_taken_port(opssage):
    """Before anything starts, with the way out."""
    port = ports.free()

    with socket.create_server(("127.0.0.1", port)):
        result = opssage("up", "--port", port)

    assert result.exit_code == 1
    assert f"port {port} on 127.0.0.1 is taken" in result.stderr
    assert "--port" in result.stderr


def test_up_does_not_choose_between_two_databases(opssage, free):
    """A configured database and --postgres contradict each other."""
    env = {"DATABASE_URL": "sqlite:///other.db"}

    result = opssage("up", "--postgres", *free, env=env)

    assert result.exit_code == 2
    assert "--postgres excludes a configured database.url" in result.stderr


def test_up_says_when_the_file_fixes_what_a_flag_should_change(opssage, tmp_path, free):
    """Its processes read the file, so the flag would have no effect."""
    (tmp_path / "config.yaml").write_text("web: {port: 8000}\n")

    result = opssage("up", *free)

    assert result.exit_code == 3
    assert "web.port is fixed to 8000" in result.stderr
    assert "${OPSSAGE_PORT}" in result.stderr


def test_up_refuses_a_folder_in_use(opssage, tmp_path, free):
    """Two stacks on one folder would spoil each other's data."""
    with running.claimed(tmp_path / "data"):
        result = opssage("up", *free)

    assert result.exit_code == 1
    assert "another opssage runs on" in result.stderr


@pytest.mark.parametrize(
    ("variable", "url", "part"),
    [
        ("DATABASE_URL", "postgresql://ada:lovelace@127.0.0.1:1/opssage", "database"),
        ("OPSSAGE_BROKER_URL", "redis://:lovelace@127.0.0.1:1/0", "broker"),
    ],
)
def test_up_asks_configured_servers_before_it_starts(opssage, free, variable, url, part):
    """One line says which does not answer, where, and what sets it; passwords stay hidden."""
    result = opssage("up", *free, env={variable: url})

    (said,) = result.stderr.splitlines()
    assert result.exit_code == 4
    assert said.startswith(f"Error: the {part} at {url.split(':')[0]}://")
    assert "127.0.0.1:1/" in said
    assert f"{part}.url, which {variable} sets" in said
    assert "lovelace" not in said


@pytest.mark.parametrize(
    ("written", "variable", "named"),
    [
        ("{}", None, False),
        ("broker: {url: '${OPSSAGE_BROKER_URL:-redis://127.0.0.1:6379/0}'}", None, False),
        ("broker: {url: '${OPSSAGE_BROKER_URL:-redis://redis:6379/0}'}", None, True),
        ("broker: {url: 'redis://127.0.0.1:6379/0'}", None, True),
        ("{}", "redis://127.0.0.1:6379/0", True),
    ],
)
def test_up_brings_a_broker_unless_one_is_named(tmp_path, monkeypatch, written, variable, named):
    """A broker in file or environment is used, the default alone is not."""
    file = tmp_path / "config.yaml"
    file.write_text(written)
    monkeypatch.delenv("OPSSAGE_BROKER_URL", raising=False)
    if variable:
        monkeypatch.setenv("OPSSAGE_BROKER_URL", variable)

    assert names_a_broker(load(file), file) is named


def test_demo_names_the_outages_there_are(opssage):
    """A wrong name is a wrong use."""
    result = opssage("demo", "--outage", "no-such-outage")

    assert result.exit_code == 2
    assert "crashloop" in result.stderr


@pytest.mark.parametrize(("mode", "told"), [("token", {"token"}), ("open", set())])
def test_other_commands_are_told_that_the_stack_asks_for_tokens(tmp_path, mode, told):
    """The variable that says so may be set in this terminal only."""
    plan = Plan(data=tmp_path, host="", port=1, database_url="", broker_url="")

    found = announced(plan, load(environ={"OPSSAGE_AUTH_MODE": mode}))

    assert {value for name, value in found.items() if name == "OPSSAGE_AUTH_MODE"} == told
    assert found.items() >= plan.environment().items()
