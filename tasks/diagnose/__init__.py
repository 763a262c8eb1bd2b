"""Diagnose: turn evidence into a cited answer."""
