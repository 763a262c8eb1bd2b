from pathlib import Path

import yaml

from cli import receiver
from opssage.settings import AuthSettings, Settings, WebSettings


def test_receiver_block_is_what_alertmanager_reads():
    """Route and receiver, resolved alerts included."""
    settings = Settings(folder=Path(), web=WebSettings(port=8001))

    assert yaml.safe_load(receiver.block(settings)) == {
        "route": {"receiver": "opssage"},
        "receivers": [
            {
                "name": "opssage",
                "webhook_configs": [
                    {
                        "url": "http://localhost:8001/api/v1/webhooks/alertmanager",
                        "send_resolved": True,
                    }
                ],
            }
        ],
    }


def test_receiver_block_carries_the_token_when_one_is_wanted():
    """Alertmanager sends it as a bearer token."""
    settings = Settings(folder=Path(), auth=AuthSettings(mode="token", token="sesame"))

    (named,) = yaml.safe_load(receiver.block(settings))["receivers"]

    (webhook,) = named["webhook_configs"]
    assert webhook["http_config"] == {"authorization": {"credentials": "sesame"}}
