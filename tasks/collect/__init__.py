"""Collect: ask every configured source what it saw."""
