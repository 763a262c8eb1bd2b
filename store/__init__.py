"""The memory: rows, one verb = one transaction, migrations. Rows never leave this package."""
