"""The fixtures of tiny models."""

from tests.models.fixtures import copy, folder, loaded, private_cache

__all__ = ["copy", "folder", "loaded", "private_cache"]
