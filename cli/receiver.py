"""The receiver block that makes Alertmanager send here."""

import yaml

from opssage.settings import Settings


def block(settings: Settings) -> str:
    """Return the YAML to paste into alertmanager.yml, with the token when one is wanted."""
    webhook: dict[str, object] = {
        "url": f"{settings.web.base_url}/api/v1/webhooks/alertmanager",
        "send_resolved": True,
    }
    if settings.auth.mode == "token":
        webhook["http_config"] = {"authorization": {"credentials": settings.auth.token}}
    document = {
        "route": {"receiver": "opssage"},
        "receivers": [{"name": "opssage", "webhook_configs": [webhook]}],
    }
    return yaml.safe_dump(document, sort_keys=False)
