"""The receiver block that makes Alertmanager send here."""

import yaml

from opssage.settings import Settings

TOKEN_FILE = "/etc/alertmanager/opssage.token"  # noqa: S105 (a path)
"""Where our examples keep a token with the scope `ingest`, for Alertmanager alone to read."""

_ROUTE = """\
route:
  receiver: opssage
  group_by: [cluster, namespace]  # what fails together in one place is one incident
"""


def block(settings: Settings) -> str:
    """Return the YAML to paste into alertmanager.yml, with the file of a token if one is wanted."""
    webhook: dict[str, object] = {
        "url": f"{settings.web.base_url}/api/v1/webhooks/alertmanager",
        "send_resolved": True,
    }
    if settings.auth.mode == "token":
        webhook["http_config"] = {"authorization": {"credentials_file": TOKEN_FILE}}
    receivers = [{"name": "opssage", "webhook_configs": [webhook]}]
    return _ROUTE + yaml.safe_dump({"receivers": receivers}, sort_keys=False)
