"""The `opssage` command: up and demo run the whole stack."""
