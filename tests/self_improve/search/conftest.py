"""Fixtures of a search whose models are scripted."""

from __future__ import annotations

from tests.self_improve.scripted_search import rows, search

__all__ = ["rows", "search"]
