"""The fixtures of tiny models."""

from tests.models.fixtures import folder, loaded, private_cache

__all__ = ["folder", "loaded", "private_cache"]
