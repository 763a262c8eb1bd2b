"""Enrich: add what the team knows."""
