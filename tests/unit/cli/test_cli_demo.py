"""How `opssage demo` sets its service up."""

from cli.commands.demo import _kubeconfig
from opssage.settings import KubernetesSettings
from tasks.collect.kubernetes import cluster


def test_the_demo_lets_its_service_in_without_credentials(tmp_path):
    """The kubeconfig is one that the Kubernetes source takes."""
    path = tmp_path / "kubeconfig"
    path.write_text(str(_kubeconfig("http://127.0.0.1:4711")))

    url, client = cluster(KubernetesSettings(config=str(path)), tmp_path)

    assert url == "http://127.0.0.1:4711"
    assert client.auth is None
