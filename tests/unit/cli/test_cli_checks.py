from pathlib import Path

import pytest

from cli import checks
from cli.findings import Level
from opssage.access import Actor, Scope
from opssage.settings import (
    AlertmanagerSettings,
    AuthSettings,
    BrokerSettings,
    DatabaseSettings,
    KubernetesSettings,
    LokiSettings,
    PrometheusSettings,
    Settings,
    SourcesSettings,
    WebSettings,
)


def found(check, **sections):
    """Return what one check finds with these settings."""
    settings = Settings(folder=Path(), **sections)
    return next(finding for finding in checks.run(settings, [check]) if finding.check == check)


def prometheus(url, **more):
    return SourcesSettings(prometheus=PrometheusSettings(url=url, **more))


def test_doctor_warns_about_the_default_password():
    """The password of docker-compose.yml is known to everybody."""
    database = DatabaseSettings(url="postgresql://opssage:opssage_dev@db/opssage")

    finding = found("password", database=database)

    assert finding.level is Level.WARN
    assert "POSTGRES_PASSWORD" in finding.fix


def test_doctor_accepts_another_password():
    """Nothing to mend."""
    finding = found("password", database=DatabaseSettings(url="postgresql://opssage:x@db/opssage"))

    assert (finding.level, finding.fix) == (Level.OK, "")


@pytest.mark.parametrize("url", [None, "sqlite:///other.db"])
def test_doctor_asks_for_no_password_on_sqlite(url):
    """A file has none."""
    settings = Settings(folder=Path(), database=DatabaseSettings(url=url))

    assert list(checks.run(settings, ["password"])) == []


def test_doctor_makes_no_database(tmp_path):
    """On a fresh clone there is none, and the way to one is told."""
    (finding,) = checks.run(Settings(folder=tmp_path), ["database"])

    assert (finding.level, finding.message) == (Level.FAIL, "no database yet")
    assert finding.fix == "`opssage up` or `alembic upgrade head` makes it"
    assert list(tmp_path.iterdir()) == []


def test_doctor_finds_the_tables_up_to_date(migrated):
    """Nothing to mend."""
    finding = found("database", database=DatabaseSettings(url=f"sqlite:///{migrated}"))

    assert (finding.level, finding.fix) == (Level.OK, "")


def test_doctor_cannot_tell_a_worker_without_a_broker():
    """The worker may be well: it is the broker that is to be mended."""
    finding = found("worker", broker=BrokerSettings(url="redis://127.0.0.1:1/0"))

    assert (finding.level, finding.message) == (Level.WARN, "cannot be told without a broker")
    assert finding.fix == "mend the broker first"


@pytest.mark.parametrize(
    ("host", "mode", "level"),
    [
        ("127.0.0.1", "open", Level.OK),
        ("127.0.0.2", "open", Level.OK),
        ("0.0.0.0", "open", Level.WARN),
        ("0.0.0.0", "token", Level.OK),
    ],
)
def test_doctor_warns_about_an_open_door(host, mode, level):
    """`open` is for loopback."""
    auth = AuthSettings(mode=mode, token="sesame")

    assert found("auth", web=WebSettings(host=host), auth=auth).level is level


@pytest.mark.parametrize(("expires_seconds", "level"), [(None, Level.OK), (-60.0, Level.FAIL)])
def test_doctor_knows_when_nobody_gets_in(store, tmp_path, expires_seconds, level):
    """Mode `token` with no token in force is a locked door."""
    ada = Actor(name="ada")
    store.create_token("a", [Scope.READ], by=ada, expires_seconds=expires_seconds)
    revoked = store.create_token("b", [Scope.READ], by=ada)
    store.revoke_token(revoked.token_id, by=ada)

    finding = found(
        "tokens",
        database=DatabaseSettings(url=f"sqlite:///{tmp_path}/opssage.db"),
        auth=AuthSettings(mode="token"),
    )

    assert finding.level is level


@pytest.mark.parametrize("auth", [AuthSettings(mode="open"), AuthSettings(mode="token", token="x")])
def test_doctor_does_not_count_tokens_that_nobody_needs(auth):
    """There is a way in."""
    settings = Settings(folder=Path(), auth=auth)

    assert list(checks.run(settings, {"tokens"})) == []


def test_doctor_says_how_to_mend_a_broker_that_does_not_answer():
    """A refused connection is a finding, not a traceback."""
    finding = found("broker", broker=BrokerSettings(url="redis://127.0.0.1:1/0"))

    assert finding.level is Level.FAIL
    assert "Connection refused" in finding.message
    assert "OPSSAGE_BROKER_URL" in finding.fix


def test_doctor_hides_secrets_of_error_messages():
    """A password in a URL that an error quotes is masked."""
    broker = BrokerSettings(url="redis://:lovelace@127.0.0.1:notaport/0")

    assert "lovelace" not in found("broker", broker=broker).message


@pytest.mark.parametrize(("status", "level"), [("ready", Level.OK), ("degraded", Level.WARN)])
def test_doctor_points_from_a_degraded_web_to_the_broker(httpserver, status, level):
    """The web is well: it takes alerts."""
    httpserver.expect_request("/readyz").respond_with_json({"status": status, "checks": {}})

    finding = found("web", web=WebSettings(public_url=httpserver.url_for("").rstrip("/")))

    assert (finding.level, finding.fix) == (level, "" if level is Level.OK else "see broker")


def test_doctor_finds_a_prometheus_with_data(httpserver):
    """Token and tenant go along."""
    httpserver.expect_request(
        "/api/v1/query", headers={"Authorization": "Bearer sesame", "X-Scope-OrgID": "shop"}
    ).respond_with_json({"status": "success", "data": {"result": [{"value": [1, "3"]}]}})

    sources = prometheus(httpserver.url_for(""), bearer_token="sesame", tenant="shop")

    assert found("prometheus", sources=sources).level is Level.OK


def test_doctor_asks_as_collect_does(httpserver, monkeypatch):
    """A proxy of the environment stands between neither of them and the source."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    httpserver.expect_request("/api/v1/query").respond_with_json({"data": {"result": [1]}})

    assert found("prometheus", sources=prometheus(httpserver.url_for(""))).level is Level.OK


def test_doctor_warns_about_an_empty_prometheus(httpserver):
    """One that answers and scrapes nothing explains nothing."""
    httpserver.expect_request("/api/v1/query").respond_with_json({"data": {"result": []}})

    finding = found("prometheus", sources=prometheus(httpserver.url_for("")))

    assert finding.level is Level.WARN
    assert "scrapes nothing" in finding.message


def test_doctor_fails_a_prometheus_that_refuses(httpserver):
    """A wrong token is told as such."""
    httpserver.expect_request("/api/v1/query").respond_with_data("", 401)

    finding = found("prometheus", sources=prometheus(httpserver.url_for("")))

    assert finding.level is Level.FAIL
    assert "401" in finding.message


def test_doctor_warns_about_sources_that_are_not_configured():
    """Diagnoses work without, and say less."""
    assert found("prometheus").level is Level.WARN
    assert found("loki").level is Level.WARN
    assert found("alertmanager").level is Level.WARN


def test_doctor_asks_an_alertmanager_for_its_version(httpserver):
    """With the same credentials; an Alertmanager tells its version."""
    httpserver.expect_request(
        "/am/api/v2/status", headers={"Authorization": "Basic dTpw"}
    ).respond_with_json({"versionInfo": {"version": "0.28.1"}})
    url = httpserver.url_for("/am/")
    sources = SourcesSettings(
        alertmanager=AlertmanagerSettings(url=url, username="u", password="p")
    )

    finding = found("alertmanager", sources=sources)

    assert (finding.level, finding.message) == (Level.OK, "answers, version 0.28.1")


def test_doctor_finds_a_loki_with_data(httpserver):
    """Labels mean lines."""
    httpserver.expect_request("/loki/api/v1/labels").respond_with_json({"data": ["app"]})
    sources = SourcesSettings(loki=LokiSettings(url=httpserver.url_for("")))

    assert found("loki", sources=sources).level is Level.OK


def kubeconfig(folder, url):
    """Settings of a cluster that is there."""
    (folder / "kubeconfig").write_text(
        f"""
        current-context: here
        clusters: [{{name: here, cluster: {{server: "{url}"}}}}]
        users: [{{name: me, user: {{token: t0ken}}}}]
        contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
        """
    )
    config = KubernetesSettings(config=str(folder / "kubeconfig"))
    return SourcesSettings(kubernetes=config)


@pytest.mark.parametrize(
    ("status", "level", "told"),
    [
        (200, Level.OK, "answers, and lets us list pods"),
        (403, Level.WARN, "does not let us list the pods of all namespaces"),
        (401, Level.FAIL, "401"),
    ],
)
def test_doctor_asks_kubernetes_for_a_pod(httpserver, tmp_path, status, level, told):
    """Rights of one namespace are enough for some."""
    headers = {"Authorization": "Bearer t0ken"}
    httpserver.expect_request("/api/v1/pods", headers=headers).respond_with_data("{}", status)

    finding = found("kubernetes", sources=kubeconfig(tmp_path, httpserver.url_for("")))

    assert (finding.level, told in finding.message) == (level, True)


def test_doctor_names_the_key_of_a_kubeconfig_that_is_missing():
    """And what to set it to."""
    sources = SourcesSettings(kubernetes=KubernetesSettings(config="nowhere"))

    finding = found("kubernetes", sources=sources)

    assert finding.level is Level.FAIL
    assert "sources.kubernetes.config" in finding.message
    assert "OPSSAGE_KUBECONFIG" in finding.fix


REFUSALS = {
    "a password": (401, "", "not allowed: check the credentials (HTTP 401)", ".username and"),
    "a base path": (404, "", "check the base path of the URL", "where loki is served"),
    "TLS": (400, "Client sent an HTTP request to an HTTPS server.", "HTTPS server", "https://"),
    "a tenant": (401, "no org id", "no org id", "sources.loki.tenant"),
    "a login page": (200, "<html>", "not JSON: is this the right URL?", "sources.loki.url"),
}


@pytest.mark.parametrize("cause", REFUSALS)
def test_doctor_says_how_to_mend_each_cause(httpserver, cause):
    """In the words of the ledger, with the setting to correct."""
    status, body, told, fix = REFUSALS[cause]
    httpserver.expect_request("/loki/api/v1/labels").respond_with_data(body, status)
    sources = SourcesSettings(loki=LokiSettings(url=httpserver.url_for("")))

    finding = found("loki", sources=sources)

    assert finding.level is Level.FAIL
    assert told in finding.message
    assert fix in finding.fix


@pytest.mark.parametrize(
    ("name", "fix"), [("prometheus", "sources.prometheus.url (PROMETHEUS_URL)"), ("loki", "start")]
)
def test_doctor_says_when_nobody_listens(name, fix):
    """Whether it runs, and where it is said to be."""
    section = {"prometheus": PrometheusSettings, "loki": LokiSettings}[name]
    sources = SourcesSettings(**{name: section(url="http://127.0.0.1:1")})

    finding = found(name, sources=sources)

    assert finding.message.startswith("no connection: ")
    assert fix in finding.fix


def test_doctor_says_that_it_is_not_in_a_cluster():
    """To set it to in-cluster would be no way out: it is."""
    sources = SourcesSettings(kubernetes=KubernetesSettings(config="in-cluster"))

    finding = found("kubernetes", sources=sources)

    assert "this is no pod with a service account" in finding.message
    assert finding.fix.startswith("run it in a pod that has one, or name a kubeconfig")


def test_doctor_warns_that_kubernetes_is_not_configured():
    """It is worth having."""
    assert found("kubernetes").level is Level.WARN
