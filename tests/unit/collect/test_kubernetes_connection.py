"""From the settings to a client of an API server."""

import sys

import httpx2
import pytest
import yaml
from unit.collect.kubernetes_stand_ins import RECORDED

from opssage.errors import SettingsError
from opssage.settings import KubernetesSettings, Settings, SourcesSettings
from tasks.collect import build_sources
from tasks.collect.kubernetes import cluster


def kubeconfig(tmp_path, *, name="config", **user):
    """A kubeconfig with two contexts."""
    document = {
        "current-context": "one",
        "clusters": [
            {"name": each, "cluster": {"server": f"http://{each}:6443/base"}}
            for each in ("one", "two")
        ],
        "users": [{"name": "me", "user": user}],
        "contexts": [
            {"name": each, "context": {"cluster": each, "user": "me"}} for each in ("one", "two")
        ],
    }
    (tmp_path / name).write_text(yaml.safe_dump(document))


def sent(client, url, *, answers=(200,)):
    """The credentials of each request that the client makes to get one answer."""
    seen, left = [], list(answers)

    def handle(request):
        seen.append(request.headers.get("Authorization"))
        return httpx2.Response(left.pop(0))

    client._transport, client._mounts = httpx2.MockTransport(handle), {}
    client.get(url)
    return seen


def connect(tmp_path, **settings):
    return cluster(KubernetesSettings(**{"config": "config", **settings}), tmp_path)


def test_kubeconfig_beside_the_settings_is_read(tmp_path):
    """Its current context, unless the settings name another."""
    kubeconfig(tmp_path, token="t0ken")

    url, client = connect(tmp_path)

    assert url == "http://one:6443/base"
    assert connect(tmp_path, context="two")[0] == "http://two:6443/base"
    assert sent(client, url) == ["Bearer t0ken"]
    assert client.follow_redirects is False


def test_kubeconfig_without_credentials_is_taken(tmp_path):
    """A proxy of kubectl asks for none."""
    kubeconfig(tmp_path)

    url, client = connect(tmp_path)

    assert sent(client, url) == [None]


def test_token_in_a_file_is_read_again_when_it_was_replaced(tmp_path):
    """The kubelet rotates it."""
    token = tmp_path / "token"
    token.write_text("old")
    kubeconfig(tmp_path, tokenFile=str(token))
    url, client = connect(tmp_path)
    sent(client, url)
    token.write_text("new")

    assert sent(client, url, answers=(401, 200)) == ["Bearer old", "Bearer new"]


def test_service_account_of_the_pod_is_taken(tmp_path, monkeypatch):
    """Its folder is where Kubernetes mounts it."""
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "namespace").write_text("opssage")
    (tmp_path / "ca.crt").write_bytes((RECORDED / "ca.crt").read_bytes())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    settings = KubernetesSettings(config="in-cluster")
    url, client = cluster(settings, tmp_path, service_account=str(tmp_path))

    assert (url, sent(client, url)) == ("https://10.0.0.1:443", ["Bearer t0ken"])


def test_outside_of_a_cluster_there_is_no_service_account(tmp_path):
    """The key is named."""
    settings = KubernetesSettings(config="in-cluster")

    with pytest.raises(SettingsError, match=r"sources\.kubernetes\.config: in-cluster cannot be"):
        cluster(settings, tmp_path, service_account=str(tmp_path / "none"))


@pytest.mark.parametrize(
    "content",
    ["", "{", "- 1", "clusters: []", "clusters: []\ncontexts: []", "clusters: {}\ncontexts: 1"],
)
def test_file_that_is_no_kubeconfig_is_told_with_its_key(tmp_path, content):
    """Whatever is wrong with it."""
    (tmp_path / "config").write_text(content)

    with pytest.raises(SettingsError, match=r"sources\.kubernetes\.config: config cannot be used"):
        connect(tmp_path)


def test_file_that_is_missing_is_told_with_its_key(tmp_path):
    """The path is relative to the settings' folder."""
    with pytest.raises(SettingsError, match=r"sources\.kubernetes\.config: .* not found"):
        connect(tmp_path)


def test_context_that_is_not_there_is_told_with_those_that_are(tmp_path):
    """A typo is seen at once."""
    kubeconfig(tmp_path)

    with pytest.raises(SettingsError, match=r"sources\.kubernetes\.context: no three .*one, two"):
        connect(tmp_path, context="three")


def test_plugin_is_run_for_the_token(tmp_path):
    """Also one of the version that lightkube does not know: it is told its own."""
    script = "import json, os; told = json.loads(os.environ['KUBERNETES_EXEC_INFO'])['apiVersion'];"
    script += "print(json.dumps({'status': {'token': told.rpartition('/')[2]}}))"
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", script],
    }
    kubeconfig(tmp_path, exec=plugin)

    url, client = connect(tmp_path)

    assert sent(client, url) == ["Bearer v1"]


def test_plugin_that_fails_is_a_fault_of_the_request(tmp_path):
    """So it is a line of the ledger."""
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "/nowhere/plugin"}
    kubeconfig(tmp_path, exec=plugin)
    url, client = connect(tmp_path)

    with pytest.raises(httpx2.RequestError, match=r"no credentials: .*/nowhere/plugin"):
        sent(client, url)


def test_kubernetes_that_is_not_configured_names_its_key(tmp_path):
    """It has no URL of its own."""
    sources = build_sources(Settings(folder=tmp_path, sources=SourcesSettings()))

    (source,) = (each for each in sources if each.name == "kubernetes")
    (report,) = source.ask(None, 0).reports
    assert report.error == "sources.kubernetes.config is not set"
