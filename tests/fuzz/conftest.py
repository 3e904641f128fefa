"""The tiny models of the other tests."""

from __future__ import annotations

from tests.models.fixtures import folder, private_cache

__all__ = ["folder", "private_cache"]
