"""The way to an API server: from a kubeconfig, or from a pod's own service account."""

import json
from collections.abc import Generator
from pathlib import Path

import httpx2
import yaml
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.kubeconfig import SERVICE_ACCOUNT, KubeConfig, SingleConfig
from lightkube.config.models import NameValue, User, UserExec
from lightkube.core.exceptions import ConfigError

from opssage.errors import SettingsError
from opssage.settings import KubernetesSettings

IN_CLUSTER = "in-cluster"

# how lightkube tells what is wrong with a file: missing, not YAML, not a kubeconfig, no certificate
_FAULTS = (
    ConfigError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    yaml.YAMLError,
)
_EXEC_VERSION = "client.authentication.k8s.io/v1beta1"


def cluster(
    settings: KubernetesSettings, folder: Path, *, service_account: str = SERVICE_ACCOUNT
) -> tuple[str, httpx2.Client]:
    """Return the address of the API server and a client that it lets in.

    The client follows no redirects and uses no proxy. A path is relative to `folder`. Raises
    SettingsError, which names the key, when the configuration cannot be used.
    """
    try:
        config = _config(settings, folder, service_account)
        made = ConnectionParams(trust_env=False, timeout=None).httpx_params(config)
        auth = made["auth"]
        client = httpx2.Client(
            headers={"Accept": "application/json, */*"},
            auth=None if auth is None else _Credentials(auth),
            verify=made["verify"],
            trust_env=False,
            follow_redirects=False,
        )
    except _FAULTS as error:
        told = _told(error, in_cluster=settings.config == IN_CLUSTER)
        raise SettingsError(
            [f"sources.kubernetes.config: {settings.config} cannot be used: {told}"]
        ) from error
    return config.cluster.server, client


def _told(error: Exception, *, in_cluster: bool) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    if in_cluster:
        return f"this is no pod with a service account: {words}"
    if isinstance(error, OSError) and error.filename is None:
        return f"a certificate or key that it names: {words}"
    if isinstance(error, KeyError):
        return f"it is not a kubeconfig: {words} is missing"
    if isinstance(error, TypeError | AttributeError):
        return "it is not a kubeconfig: clusters, contexts and users are not there as lists"
    return words


def _config(settings: KubernetesSettings, folder: Path, service_account: str) -> SingleConfig:
    if settings.config == IN_CLUSTER:
        found = KubeConfig.from_service_account(service_account)
    else:
        found = KubeConfig.from_file(folder / Path(str(settings.config)).expanduser())
    if settings.context is not None and settings.context not in found.contexts:
        known = ", ".join(sorted(found.contexts)) or "none"
        told = f"no {settings.context} in {settings.config}; known there: {known}"
        raise SettingsError([f"sources.kubernetes.context: {told}"])
    single = found.get(settings.context)
    if single is None:
        raise ConfigError("it has no current context")
    return single._replace(user=_user(single.user))


def _user(user: User | None) -> User:
    if user is None:
        return User()
    if user.exec is not None:
        user.exec = _exec(user.exec)
    return user


def _exec(plugin: UserExec) -> UserExec:
    """Return the plugin as lightkube runs it; versions differ in what the plugin is told only."""
    told = {"apiVersion": plugin.apiVersion, "kind": "ExecCredential"}
    info = json.dumps({**told, "spec": {"interactive": False}})
    return UserExec(
        apiVersion=_EXEC_VERSION,
        command=plugin.command,
        args=plugin.args,
        env=[*(plugin.env or ()), NameValue(name="KUBERNETES_EXEC_INFO", value=info)],
    )


class _Credentials(httpx2.Auth):
    """Credentials whose faults are faults of the request."""

    def __init__(self, auth: httpx2.Auth) -> None:
        self._auth = auth

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        try:
            yield from self._auth.sync_auth_flow(request)
        except (ConfigError, OSError, ValueError, KeyError, TypeError) as error:
            raise httpx2.RequestError(f"no credentials: {error}", request=request) from error
