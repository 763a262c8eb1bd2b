"""The door: webhooks, REST, OpenAPI."""
