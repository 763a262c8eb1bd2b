"""The receiver block that makes Alertmanager send here."""

import yaml

from opssage.settings import Settings

_ROUTE = """\
route:
  receiver: opssage
  group_by: [cluster, namespace]  # what fails together in one place is one incident
"""


def block(settings: Settings) -> str:
    """Return the YAML to paste into alertmanager.yml, with the token when one is wanted."""
    webhook: dict[str, object] = {
        "url": f"{settings.web.base_url}/api/v1/webhooks/alertmanager",
        "send_resolved": True,
    }
    if settings.auth.mode == "token":
        webhook["http_config"] = {"authorization": {"credentials": settings.auth.token}}
    receivers = [{"name": "opssage", "webhook_configs": [webhook]}]
    return _ROUTE + yaml.safe_dump({"receivers": receivers}, sort_keys=False)
