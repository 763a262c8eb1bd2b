"""docker-compose.yml: what runs, under which names, and how tightly."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from alembic.command import upgrade
from alembic.config import CommandLine
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from celery.bin.celery import celery
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from gunicorn.config import Config
from tornado.options import options as flower_options

from opssage.settings import load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
REFERENCE = re.compile(r"(?<!\$)\$\{(\w+)(?::-([^}]*))?\}")


def document():
    """Return the file as Compose reads it in an empty environment."""
    return yaml.safe_load(REFERENCE.sub(lambda match: match[2] or "", TEXT))


SERVICES = document()["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


def argv(service):
    """Return the command of a service as the kernel gets it."""
    command = SERVICES[service]["command"]
    return shlex.split(command) if isinstance(command, str) else command


def test_compose_file_fits_the_compose_schema():
    """The schema is that of the Compose specification, as check-jsonschema ships it."""
    answer = CliRunner().invoke(
        check_jsonschema,
        ["--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")],
    )

    assert answer.exit_code == 0, answer.output


def test_compose_names_are_those_that_users_know():
    """`docker exec opssage-postgres …` and `docker volume inspect opssage_postgres-data` work."""
    assert document()["name"] == "opssage"
    assert "postgres-data" in document()["volumes"]
    assert SERVICES["postgres"]["volumes"] == ["postgres-data:/var/lib/postgresql/data"]
    assert {name: service.get("container_name") for name, service in SERVICES.items()} == {
        "postgres": "opssage-postgres",
        "redis": None,
        "migrate": None,
        "backend": "opssage-backend",
        "worker": None,
        "dispatcher": None,
        "flower": None,
        "backup": None,
    }


def test_compose_database_is_the_documented_one():
    """User, database and password are the same on both sides of the URL."""
    postgres = SERVICES["postgres"]
    url = SERVICES["backend"]["environment"]["DATABASE_URL"]

    assert postgres["image"] == "postgres:16-alpine"
    assert postgres["environment"] == {
        "POSTGRES_USER": "opssage",
        "POSTGRES_PASSWORD": "opssage_dev",
        "POSTGRES_DB": "opssage",
    }
    assert postgres["healthcheck"]["test"] == ["CMD-SHELL", "pg_isready -U opssage"]
    assert url == "postgresql://opssage:opssage_dev@postgres:5432/opssage"


@pytest.mark.parametrize("service", OURS)
def test_compose_settings_of_a_service_are_valid(service):
    """The environment gives settings without a fault, pointing at the other services."""
    given = SERVICES[service]["environment"]
    environ = {name: value for name, value in given.items() if value is not None}

    settings = load(ROOT / "config.yaml", environ)

    assert settings.auth.mode == "open"
    assert settings.web.host == "0.0.0.0"
    assert {urlsplit(url).hostname for url in (settings.database.url, settings.broker.url)} == {
        "postgres",
        "redis",
    }


@pytest.mark.parametrize("service", SERVICES)
def test_compose_publishes_ports_on_this_machine_only(service):
    """Nothing is reachable from outside until somebody says so."""
    ports = SERVICES[service].get("ports", [])

    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_publishes_the_documented_ports():
    """Web, Flower and PostgreSQL can be reached; the broker cannot."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {
        "postgres": ["127.0.0.1:5432:5432"],
        "backend": ["127.0.0.1:8000:8000"],
        "flower": ["127.0.0.1:5555:5555"],
    }


@pytest.mark.parametrize("service", SERVICES)
def test_compose_images_are_pinned(service):
    """An image has a tag that names a version; ours is the project's."""
    name, _, tag = SERVICES[service]["image"].partition(":")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert re.match(r"\d+(\.\d+)*", tag)
    assert name != "opssage" or tag == version


@pytest.mark.parametrize("service", SERVICES)
def test_compose_services_have_few_rights(service):
    """No capability, no way to more, no writable root, bounded memory, processes and logs."""
    limited = SERVICES[service]

    assert limited["cap_drop"] == ["ALL"]
    assert "cap_add" not in limited
    assert limited["security_opt"] == ["no-new-privileges:true"]
    assert limited["read_only"] is True
    assert "/tmp" in limited["tmpfs"]
    assert {"mem_limit", "pids_limit"} <= limited.keys()
    assert limited["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("service", ["backend", "worker", "dispatcher"])
def test_compose_starts_what_works_after_the_stores(service):
    """The schema is there and both stores answer before work begins."""
    assert SERVICES[service]["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }


def test_compose_migration_runs_once():
    """A finished migration is not started again."""
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_compose_worker_gives_unfinished_tasks_back():
    """It is told to stop softly, and given longer than its own soft shutdown takes."""
    assert SERVICES["worker"]["environment"]["REMAP_SIGTERM"] == "SIGQUIT"
    assert SERVICES["worker"]["stop_grace_period"] == "60s"


def test_compose_counts_in_one_place():
    """Web, worker and dispatcher share a folder that their user may write, and nobody else."""
    counting = {
        name
        for name, service in SERVICES.items()
        if "PROMETHEUS_MULTIPROC_DIR" in service.get("environment", {})
    }

    assert counting == {"backend", "worker", "dispatcher"}
    for name in counting:
        folder = SERVICES[name]["environment"]["PROMETHEUS_MULTIPROC_DIR"]
        assert f"metrics:{folder}" in SERVICES[name]["volumes"]
    assert "uid=10001" in document()["volumes"]["metrics"]["driver_opts"]["o"]


def test_compose_health_checks_leave_no_metrics():
    """Each look is a process, whose files would fill the folder if it counted."""
    checks = [SERVICES[name]["healthcheck"]["test"][1:-1] for name in ("worker", "dispatcher")]

    assert checks == [["python", "-m", "worker.health"]] * 2
    code = "import sys, worker.health; sys.exit('opssage.metrics' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_compose_broker_keeps_what_it_has():
    """It writes to disk, and refuses rather than drops when full."""
    words = argv("redis")

    assert words[words.index("--appendonly") + 1] == "yes"
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"


@pytest.mark.parametrize("service", OURS)
def test_compose_commands_are_programs_of_the_environment(service):
    """The first word of each command is installed with the project."""
    assert shutil.which(argv(service)[0], path=str(Path(sys.executable).parent))


def test_compose_backend_serves_the_web_application():
    """Gunicorn takes the options, and finds its configuration and the application."""
    parsed = Config().parser().parse_args(argv("backend")[1:])

    (application,) = parsed.args
    assert find_spec(application.partition(":")[0])
    assert (ROOT / parsed.config).is_file()


@pytest.mark.parametrize("service", ["worker", "flower"])
def test_compose_celery_commands_exist(service):
    """Celery finds the application and knows the command and its options."""
    program, option, module, name, *arguments = argv(service)
    known = {word for each in celery.commands[name].params for word in each.opts}
    known |= {f"--{each.replace('-', '_')}" for each in flower_options._options}

    assert (program, option) == ("celery", "-A")
    assert find_spec(f"{module}.celery")
    assert {argument.partition("=")[0] for argument in arguments} <= known


def test_compose_dispatcher_is_a_module_that_can_be_run():
    """`python -m` finds it."""
    program, option, module = argv("dispatcher")

    assert (program, option) == ("python", "-m")
    assert find_spec(module)


def test_compose_migration_is_an_alembic_command():
    """Alembic takes the words, and finds the migrations from the project's root."""
    parsed = CommandLine().parser.parse_args(argv("migrate")[1:])
    scripts = ScriptDirectory.from_config(AlembicConfig(ROOT / "alembic.ini"))

    assert parsed.cmd[0] is upgrade
    assert scripts.get_revision(parsed.revision)


@pytest.fixture
def daily(tmp_path):
    """Run the loop of the backup service once, over stand-ins for PostgreSQL's programs."""
    stand_ins = {
        "pg_dump": "echo dumped > partial; exit ${PG_DUMP_ENDS:-0}",
        "pg_restore": "test -s partial",
        "sleep": "kill $PPID",
    }
    programs, folder = tmp_path / "bin", tmp_path / "data"
    programs.mkdir()
    folder.mkdir()
    for name, text in stand_ins.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    (words,) = argv("backup")

    def run(**environment):
        path = f"{programs}:/usr/bin:/bin"
        command = [*SERVICES["backup"]["entrypoint"], words.replace("$$", "$")]
        subprocess.run(command, cwd=folder, env={"PATH": path, **environment}, check=False)
        return sorted(file.name for file in folder.iterdir())

    return run


def test_compose_backup_is_made_when_the_profile_says_so(daily):
    """It is whole before it has its name, and only one is made a day."""
    assert SERVICES["backup"]["profiles"] == ["backup"]
    (made,) = daily()

    assert re.fullmatch(r"opssage-\d{8}T\d{6}Z\.dump", made)
    assert daily() == [made]


def test_compose_backup_keeps_the_last_seven(daily, tmp_path):
    """The oldest go."""
    days = [tmp_path / "data" / f"opssage-202601{day:02}T000000Z.dump" for day in range(10, 20)]
    for file in days:
        file.touch()
        os.utime(file, (0, 0))

    *kept, _ = daily()

    assert kept == [file.name for file in days[-6:]]


def test_compose_backup_leaves_nothing_half(daily):
    """A dump that fails is no backup."""
    assert daily(PG_DUMP_ENDS="1") == []


def test_compose_backup_asks_the_same_database():
    """Host, user, password and name are those of the URL that the others have."""
    url = urlsplit(SERVICES["backend"]["environment"]["DATABASE_URL"])

    assert SERVICES["backup"]["image"] == SERVICES["postgres"]["image"]
    assert SERVICES["backup"]["environment"] == {
        "PGHOST": url.hostname,
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.path.removeprefix("/"),
    }


def test_env_example_names_every_variable_of_the_compose_file():
    """Whoever looks for a knob finds it there, with the default that holds without it."""
    passed_on = {
        name
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if value is None
    }
    example = (ROOT / ".env.example").read_text()
    shown = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", example, re.MULTILINE))

    defaults = dict(REFERENCE.findall(TEXT))
    assert shown.keys() == defaults.keys() | passed_on
    assert all(shown[name] == default for name, default in defaults.items())
