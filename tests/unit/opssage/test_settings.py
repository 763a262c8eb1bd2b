import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from opssage.errors import SettingsError
from opssage.notification import Event
from opssage.settings import NotifyTarget, Settings, WebSettings, describe, document, load
from opssage.settings.interpolation import references
from opssage.settings.kinds import Kind
from opssage.settings.schema import rows

SHIPPED = Path(__file__).parents[3] / "config.yaml"


def keys(section: type, *at: str) -> dict[str, Kind]:
    """Every setting of a section and those below it, by dotted path."""
    found: dict[str, Kind] = {}
    for key, row in rows(section).items():
        path = (*at, key)
        found |= {".".join(path): row} if isinstance(row, Kind) else keys(row, *path)
    return found


def leaves(document: object, *at: str) -> dict[str, object]:
    """Every value of a document, by dotted path."""
    if not isinstance(document, dict):
        return {".".join(at): document}
    return {
        path: leaf
        for key, value in document.items()
        for path, leaf in leaves(value, *at, key).items()
    }


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def faults(path: Path | None, environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    return caught.value.faults


def test_shipped_file_holds_the_defaults():
    """config.yaml with nothing in the environment is the same as no file."""
    assert load(SHIPPED, {}) == Settings(folder=SHIPPED.parent)


def test_shipped_file_names_every_key():
    """A setting that config.yaml does not name does not exist for a reader."""
    assert leaves(yaml.safe_load(SHIPPED.read_text())).keys() == keys(Settings).keys()


def test_shipped_file_names_the_variable_of_each_key():
    """A variable works the same whether or not the file names its key."""
    document = leaves(yaml.safe_load(SHIPPED.read_text()))

    named = {path: name for path, value in document.items() for name in references(value)}

    assert named == {path: kind.env for path, kind in keys(Settings).items() if kind.env}


def test_shipped_file_explains_every_key():
    """Each line with a value carries a comment."""
    lines = SHIPPED.read_text().splitlines()

    settings = [line for line in lines if line.strip() and not line.endswith(":")]

    assert [line for line in settings if "# " not in line] == []


def test_absent_file_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without ./config.yaml everything has its default, and paths start at the folder."""
    monkeypatch.chdir(tmp_path)

    assert load(environ={}) == Settings(folder=tmp_path.resolve())


def test_file_of_the_current_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """./config.yaml needs no naming."""
    written(tmp_path, "web: {port: 8111}")
    monkeypatch.chdir(tmp_path)

    assert load(environ={}).web.port == 8111


def test_environment_names_the_file(tmp_path: Path):
    """OPSSAGE_CONFIG says which file is read; its folder is where paths start."""
    path = written(tmp_path, "web: {port: 8222}")

    settings = load(environ={"OPSSAGE_CONFIG": str(path)})

    assert (settings.web.port, settings.folder) == (8222, tmp_path.resolve())


def test_given_path_comes_before_the_environment(tmp_path: Path):
    """--config wins over OPSSAGE_CONFIG."""
    path = written(tmp_path, "web: {port: 8333}")

    assert load(path, {"OPSSAGE_CONFIG": "/nowhere/config.yaml"}).web.port == 8333


def test_missing_file_is_a_fault_when_it_was_named(tmp_path: Path):
    """A path that was given, by argument or environment, has to be there."""
    path = tmp_path / "opssage.yaml"
    told = [f"{path}: no such file; correct the path in --config or OPSSAGE_CONFIG"]

    assert faults(path, {}) == told
    assert faults(None, {"OPSSAGE_CONFIG": str(path)}) == told


def test_folder_in_place_of_a_file_is_a_fault(tmp_path: Path):
    """What the system says of a file it cannot read is passed on."""
    assert faults(tmp_path, {}) == [f"{tmp_path}: Is a directory; make it a readable file"]


def test_binary_file_is_a_fault(tmp_path: Path):
    """Only UTF-8 is read."""
    path = tmp_path / "config.yaml"
    path.write_bytes(b"web:\n  host: \xff\xfe\n")

    assert faults(path, {}) == ["config.yaml: is not UTF-8 text; save it as UTF-8"]


@pytest.mark.parametrize("text", ["\0", "web: {host: 2026-99-99}"])
def test_text_that_yaml_stumbles_over_is_a_fault(tmp_path: Path, text: str):
    """Whatever PyYAML raises is told as a fault of the file."""
    (told,) = faults(written(tmp_path, text), {})

    assert told.startswith("config.yaml: ")
    assert told.endswith("; write it as plain YAML")


def test_a_document_that_holds_itself_is_read_once(tmp_path: Path):
    """Each mapping is looked at for keys written twice, by whichever alias it is reached."""
    path = written(tmp_path, "a: &a {b: *a, c: *a, d: 1, d: 2}")

    _, told = document.read(path)

    assert told == ["a.d: written twice, in lines 1 and 1; keep one"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "null", "web:\nauth:\n", "\ufeffweb:"])
def test_empty_parts_mean_the_defaults(tmp_path: Path, text: str):
    """An empty file and an empty section leave everything as it is."""
    assert load(written(tmp_path, text), {}) == Settings(folder=tmp_path.resolve())


def test_variable_stands_in_for_a_missing_key(tmp_path: Path):
    """A short file does not cut off the environment."""
    path = written(tmp_path, "web: {threads: 3}")

    settings = load(path, {"OPSSAGE_PORT": "8444", "DATABASE_URL": "sqlite:///x.db"})

    assert (settings.web, settings.database.url) == (
        WebSettings(threads=3, port=8444),
        "sqlite:///x.db",
    )


def test_file_comes_before_a_variable_it_does_not_mention(tmp_path: Path):
    """A plain value in the file is final."""
    path = written(tmp_path, "web: {port: 8555}")

    assert load(path, {"OPSSAGE_PORT": "1"}).web.port == 8555


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:p#w/d@db:5432/opssage?sslmode=require",
        "postgres://app@db/opssage",
        "postgresql+psycopg2:///opssage?host=/run/postgresql",
        "sqlite:///./data/opssage.db",
        "sqlite://",
    ],
)
def test_database_url_passes_unchanged(url: str):
    """Normalising a URL is the store's business."""
    assert load(SHIPPED, {"DATABASE_URL": url}).database.url == url


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_open_is_the_default_on_loopback(host: str):
    """On one's own machine the API works out of the box."""
    assert load(SHIPPED, {"OPSSAGE_HOST": host}).auth.mode == "open"


def test_open_to_others_is_accepted_in_words():
    """Whoever writes `open` means it."""
    environ = {"OPSSAGE_HOST": "0.0.0.0", "OPSSAGE_AUTH_MODE": "open"}

    assert load(SHIPPED, environ).auth.mode == "open"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_token_asks_for_itself(host: str):
    """A token that is set is asked for, whatever the host, without a mode."""
    assert load(SHIPPED, {"OPSSAGE_HOST": host, "OPSSAGE_TOKEN": "x" * 16}).auth.mode == "token"


def test_a_token_that_can_be_guessed_is_refused():
    """The fault does not show it, and says how to make another."""
    (fault,) = faults(SHIPPED, {"OPSSAGE_TOKEN": "x" * 15})

    assert fault == (
        "auth.token: the value (hidden) (from OPSSAGE_TOKEN) is not a text of at least 16 "
        "characters (a number needs quotes); for example the output of: openssl rand -hex 32"
    )


def test_fault_of_auth_is_told_once(tmp_path: Path):
    """What follows from a fault is not a second fault."""
    path = written(tmp_path, "auth: {mode: closed}\nweb: {host: 0.0.0.0}")

    assert faults(path, {}) == ["auth.mode: 'closed' is not open or token; for example open"]


def test_settings_do_not_change():
    """Settings are frozen."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        load(SHIPPED, {}).web.port = 1  # type: ignore[misc]


SECRETS = {
    "DATABASE_URL": "postgresql://app:hunter2@db/x?password=hunter2",
    "OPSSAGE_BROKER_URL": "redis://:hunter2@mq:6379/0",
    "OPSSAGE_TOKEN": "hunter2-hunter2-hunter2",
    "PROMETHEUS_URL": "http://me:hunter2@prometheus:9090",
    "PROMETHEUS_TOKEN": "hunter2",
    "LOKI_TOKEN": "hunter2",
}


def test_repr_hides_secrets():
    """Settings that end up in a log or traceback say nothing secret."""
    assert "hunter2" not in repr(load(SHIPPED, SECRETS))


def test_described_settings_mask_secrets():
    """A masked secret can be compared, hosts and users stay readable."""
    described = describe(load(SHIPPED, SECRETS))

    assert "hunter2" not in json.dumps(described)
    assert described["auth"]["token"].startswith("[redacted:")
    assert described["sources"]["loki"]["bearer_token"] == "[redacted:f52f:7]"
    assert described["sources"]["prometheus"]["url"] == (
        "http://me:[redacted:f52f:7]@prometheus:9090"
    )


@pytest.mark.parametrize("password", ["p@ss", "p/w#d", "a b", "a:b", "?x=1"])
def test_described_url_hides_any_password(password: str):
    """No character lets a part of the password through."""
    settings = load(SHIPPED, {"DATABASE_URL": f"postgresql://app:{password}@db/x"})

    shown = describe(settings)["database"]["url"]

    assert shown.startswith("postgresql://app:[redacted:")
    assert shown.endswith(f":{len(password)}]@db/x")


def test_described_settings_name_every_key():
    """What check-config prints is complete."""
    described = describe(load(SHIPPED, {}))

    assert leaves(described).keys() == {"folder", *keys(Settings)}


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [(None, "http://localhost:8666"), ("https://ops.example.com/", "https://ops.example.com")],
)
def test_base_url_is_what_links_start_with(public_url: str | None, expected: str):
    """Without a public URL links lead to this machine."""
    assert WebSettings(port=8666, public_url=public_url).base_url == expected


def test_targets_are_loaded_with_their_filters(tmp_path: Path):
    """What is left out lets everything through; severities come in any case."""
    text = """
    notify:
      targets:
        - {name: all, url: "${HOOK}"}
        - {name: few, url: "json://b", events: [Failed], severities: [CRITICAL],
           labels: {namespace: shop|cart}}
    """

    everything, few = load(written(tmp_path, text), {"HOOK": "json://a/${KEPT}"}).notify.targets

    assert everything == NotifyTarget(name="all", url="json://a/${KEPT}")
    assert set(everything.events) == set(Event)
    assert (few.events, few.severities) == (("failed",), ("critical",))
    assert few.labels == (("namespace", "shop|cart"),)


def test_urls_of_targets_are_never_shown(tmp_path: Path):
    """Tokens stand anywhere in them, so all of it is hidden."""
    text = 'notify: {targets: [{name: chat, url: "json://hunter2/hunter2", labels: {a: b}}]}'

    settings = load(written(tmp_path, text), {})

    assert "hunter2" not in repr(settings) + repr(settings.notify.targets)
    (shown,) = describe(settings)["notify"]["targets"]
    assert "hunter2" not in str(shown)
    assert (shown["name"], shown["labels"]) == ("chat", {"a": "b"})
    assert json.loads(json.dumps(shown)) == shown


def test_line_end_of_a_token_is_not_part_of_it(tmp_path):
    """`echo token | kubectl create secret` leaves one."""
    file = tmp_path / "config.yaml"
    file.write_text('sources: {loki: {bearer_token: "t0ken\\n"}}')

    assert load(file, {}).sources.loki.bearer_token == "t0ken"


def test_token_that_no_header_can_hold_is_a_fault_that_does_not_show_it(tmp_path):
    """Found at the start, not in the middle of an incident."""
    file = tmp_path / "config.yaml"
    file.write_text("sources: {loki: {bearer_token: h\u00fcnter}}")

    with pytest.raises(SettingsError, match=r"sources\.loki\.bearer_token") as caught:
        load(file, {})

    assert "nter" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("loki: {bearer_token: t, username: ann, password: p}", "sources.loki.username: is set"),
        ("loki: {username: ann}", "sources.loki.password: missing"),
        ("prometheus: {key_file: k.pem}", "sources.prometheus.cert_file: missing"),
        ("kubernetes: {context: production}", "sources.kubernetes.config: missing"),
    ],
)
def test_halves_of_credentials_are_faults(tmp_path, section, fault):
    """A source would be asked without them, and refuse."""
    (told,) = faults(written(tmp_path, f"sources: {{{section}}}"), {})

    assert told.startswith(fault)
