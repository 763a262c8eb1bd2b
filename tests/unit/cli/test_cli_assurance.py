"""What doctor says of the settings that the promise rests on."""

from pathlib import Path

import pytest

from cli import assurance, checks
from cli.findings import Level
from opssage import beats
from opssage.settings import BrokerSettings, DatabaseSettings, Settings
from store import Assurances

POSTGRESQL = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "synchronous_standby_names": "",
}


def postgresql(*, replicas=0, **changes):
    return Assurances(kind="postgresql", settings={**POSTGRESQL, **changes}, replicas=replicas)


def test_a_database_that_keeps_what_it_commits_gets_one_good_word():
    """Nothing to mend, and the settings are named."""
    assert list(assurance.judge_durability(postgresql())) == [
        (Level.OK, "fsync is on, full_page_writes is on, synchronous_commit is on")
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "off"),
        ("synchronous_commit", "local"),
    ],
)
def test_a_setting_of_postgresql_that_loses_commits_is_told_with_its_remedy(name, value):
    """The finding names the setting, its value and the fix."""
    ((level, message, fix),) = assurance.judge_durability(postgresql(**{name: value}))

    assert level is Level.WARN
    assert message.startswith(f"{name} is {value}: ")
    assert name in fix


@pytest.mark.parametrize(("name", "value"), [("journal_mode", "delete"), ("synchronous", "normal")])
def test_a_setting_of_sqlite_that_did_not_take_is_told(name, value):
    """Some file systems do not take what our connections ask for."""
    settings = {"journal_mode": "wal", "synchronous": "full", name: value}

    ((level, message, fix),) = assurance.judge_durability(
        Assurances(kind="sqlite", settings=settings)
    )

    assert (level, message.split(":")[0]) == (Level.WARN, f"{name} is {value}")
    assert "local disk" in fix


@pytest.mark.parametrize(("names", "said"), [("", "no commit waits"), ("ANY 1 (a, b)", "ANY 1")])
def test_replicas_are_told_with_what_waits_for_them(names, said):
    """A failover to one that nobody waits for loses the last commits; people should know."""
    _, (level, message) = assurance.judge_durability(
        postgresql(replicas=2, synchronous_standby_names=names)
    )

    assert level is Level.OK
    assert said in message


@pytest.mark.parametrize(("kind", "count"), [("nfs4", 1), ("cifs", 1), ("ext4", 0), ("", 0)])
def test_a_file_on_a_network_file_system_is_told(kind, count):
    """SQLite's locks are not to be relied on there."""
    found = list(assurance.judge_file_system(kind, Path("/srv/opssage.db")))

    assert len(found) == count


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path):
    """A mount below another one counts, and a blank in its name is written as 040."""
    share = tmp_path / "team share"
    mounts = tmp_path / "mounts"
    escaped = str(share).replace(" ", r"\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\n")

    assert assurance.file_system(share / "data" / "opssage.db", mounts) == "nfs4"
    assert assurance.file_system(tmp_path / "opssage.db", mounts) == "ext4"


def test_without_a_list_of_mounts_no_file_system_is_told(tmp_path):
    """Other systems than Linux have none."""
    assert assurance.file_system(tmp_path / "opssage.db", tmp_path / "mounts") == ""


@pytest.mark.parametrize(
    ("host", "mode", "level"),
    [
        ("db.example.com", "prefer", Level.WARN),
        ("db.example.com", "require", Level.WARN),
        ("db.example.com", "verify-ca", Level.WARN),
        ("db.example.com", "verify-full", Level.OK),
        ("127.0.0.1,10.0.0.7", "prefer", Level.WARN),
        ("127.0.0.1", "prefer", Level.OK),
        ("localhost", "disable", Level.OK),
        ("/var/run/postgresql", "prefer", Level.OK),
        ("", "prefer", Level.OK),
    ],
)
def test_only_verify_full_is_certain_of_a_database_elsewhere(host, mode, level):
    """Weaker modes take anybody's certificate, or none; on this machine nobody is in between."""
    connection = {"host": host, "hostaddr": "", "sslmode": mode}

    assert assurance.judge_encryption(connection)[0] is level


@pytest.mark.parametrize(
    ("url", "count"),
    [
        ("redis://redis:6379/0", 0),
        ("rediss://redis:6379/0", 0),
        ("rediss://redis:6379/0?ssl_cert_reqs=none", 1),
        ("rediss://redis:6379/0?ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.crt", 0),
    ],
)
def test_a_broker_in_tls_is_to_be_verified(url, count):
    """Celery's client takes any certificate unless the URL says otherwise."""
    assert len(list(assurance.judge_broker_encryption(url))) == count


@pytest.mark.parametrize(("free", "level"), [(2**30, Level.OK), (2**30 - 1, Level.WARN)])
def test_a_disk_that_is_soon_full_is_told(free, level):
    """Below one GiB."""
    assert assurance.judge_disk(free, Path("/srv"))[0] is level


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_broker_that_drops_messages_is_told(policy):
    """The database would have them sent again, and that takes time."""
    ((level, message),) = assurance.judge_buffer({"maxmemory_policy": policy})

    assert level is Level.WARN
    assert policy in message


def test_a_broker_that_keeps_nothing_is_no_fault():
    """The database is the queue."""
    ((level, message),) = assurance.judge_buffer(
        {"maxmemory_policy": "noeviction", "aof_enabled": 0}
    )

    assert level is Level.OK
    assert "appendonly is off" in message


@pytest.mark.parametrize(("age", "level"), [(61, Level.WARN), (181, Level.FAIL)])
@pytest.mark.parametrize("name", beats.KNOWN)
def test_a_part_that_is_silent_is_told_with_its_remedy(name, age, level):
    """Twice the time between two signs is late; beyond the time of silence it has failed."""
    ages = {**dict.fromkeys(beats.KNOWN, 5.0), name: age}

    ((found, message, fix),) = assurance.judge_beats(ages, 30, 180)

    assert (found, message) == (level, f"no sign of life of {name} for {age} s")
    assert ("dispatcher" if name == beats.DISPATCHER else "worker") in fix


def test_queues_that_were_never_heard_of_are_told():
    """An installation without workers has no rows for them."""
    found = list(assurance.judge_beats({beats.DISPATCHER: 5.0}, 30, 180))

    assert [level for level, _, _ in found] == [Level.FAIL] * 3
    assert found[0][1] == "no sign of life of queue/collect yet"


@pytest.mark.parametrize(
    ("ages", "since"), [({}, "yet"), (dict.fromkeys(beats.KNOWN, 181.0), "for 181 s")]
)
def test_without_the_dispatcher_it_alone_is_told(ages, since):
    """It sends what the queues are heard by: a worker that is started would mend nothing."""
    ((level, message, fix),) = assurance.judge_beats(ages, 30, 180)

    assert (level, message) == (Level.FAIL, f"no sign of life of dispatcher {since}")
    assert fix.startswith("start or restart the dispatcher")


def test_parts_that_beat_get_one_good_word():
    """With the age of the oldest sign."""
    ages = dict(zip(beats.KNOWN, (1.0, 2.0, 31.0, 4.0), strict=True))

    assert list(assurance.judge_beats(ages, 30, 180)) == [
        (Level.OK, "the oldest sign of life is 31 s old")
    ]


def test_doctor_looks_at_a_real_file(migrated):
    """On SQLite there is no connection and no role to look at."""
    settings = Settings(folder=Path(), database=DatabaseSettings(url=f"sqlite:///{migrated}"))

    found = list(checks.run(settings, ["durability", "encryption", "role"]))

    assert [(each.check, each.level) for each in found] == [("durability", Level.OK)]
    assert found[0].message == "journal_mode is wal, synchronous is full"


def test_doctor_makes_no_database_to_look_at(tmp_path):
    """What is not there has no settings; that it is not there is told by another check."""
    names = ["durability", "encryption", "role", "disk", "beats"]

    assert list(checks.run(Settings(folder=tmp_path), names)) == []
    assert list(tmp_path.iterdir()) == []


def test_doctor_does_not_wait_twice_for_a_part_that_is_down(tmp_path):
    """Its settings cannot be told, and that it is down has been told."""
    settings = Settings(
        folder=tmp_path,
        database=DatabaseSettings(url="postgresql://127.0.0.1:1/opssage"),
        broker=BrokerSettings(url="redis://127.0.0.1:1/0"),
    )
    names = ["database", "durability", "encryption", "role", "beats", "broker", "buffer"]

    found = list(checks.run(settings, names))

    assert [(each.check, each.level) for each in found] == [
        ("database", Level.FAIL),
        ("broker", Level.FAIL),
    ]
