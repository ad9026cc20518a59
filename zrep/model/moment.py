"""Moments as people and programs read them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: int) -> str:
    """Epoch seconds in ISO 8601, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
