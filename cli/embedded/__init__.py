"""Servers that `opssage up` brings along: a broker and, on request, PostgreSQL."""
