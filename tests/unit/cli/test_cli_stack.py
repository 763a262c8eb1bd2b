import socket
from dataclasses import replace

import pytest

from cli import ports, stack
from cli.exits import CommandError
from cli.stack import Plan


@pytest.fixture
def plan(tmp_path):
    return Plan(
        data=tmp_path,
        host="127.0.0.1",
        port=ports.free(),
        flower_port=ports.free(),
        database_url="sqlite:////tmp/opssage.db",
        broker_url="redis://127.0.0.1:1/0",
    )


def test_stack_starts_everything_after_the_servers_it_brings_along(plan, tmp_path):
    """Web, worker and Flower need the broker; the dispatcher needs the tables."""
    _, broker = stack.embedded_broker(tmp_path)

    after = {
        service.name: service.after for service in stack.services(replace(plan, embedded=(broker,)))
    }

    assert after == {
        "broker": (),
        "web": ("broker",),
        "worker": ("broker",),
        "dispatcher": ("web",),
        "flower": ("broker",),
    }


def test_stack_tells_its_processes_where_things_are(plan):
    """Database, broker and port reach every process by the names of config.yaml."""
    for service in stack.services(plan):
        env = service.command.env
        assert env["DATABASE_URL"] == "sqlite:////tmp/opssage.db"
        assert env["OPSSAGE_BROKER_URL"] == "redis://127.0.0.1:1/0"
        assert env["OPSSAGE_PORT"] == str(plan.port)


def test_stack_counts_in_one_folder(plan):
    """The web's /metrics tells what worker and dispatcher count; Flower has metrics of its own."""
    folders = {
        service.name: service.command.env.get("PROMETHEUS_MULTIPROC_DIR")
        for service in stack.services(plan)
    }

    shared = str(plan.data / "metrics")
    assert folders == {"web": shared, "worker": shared, "dispatcher": shared, "flower": None}


def test_stack_starts_to_count_anew(plan):
    """What the processes of an earlier run counted is not of this one."""
    stack.services(plan)
    (plan.data / "metrics" / "counter_1.db").touch()

    stack.services(plan)

    assert list((plan.data / "metrics").iterdir()) == []


def test_stack_refuses_a_taken_port_before_anything_starts(plan):
    """The message names the port and the option that changes it."""
    told = pytest.raises(CommandError, match=rf"port {plan.flower_port} .* --flower-port")

    with socket.create_server(("127.0.0.1", plan.flower_port)), told:
        stack.check_ports(plan.host, plan.port, plan.flower_port)


def test_stack_takes_free_ports(plan):
    """Nothing to say when all is free."""
    stack.check_ports(plan.host, plan.port, plan.flower_port)
