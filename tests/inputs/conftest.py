"""The fixtures of tiny models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.models import translators
from tests.models.fixtures import folder, loaded, private_cache

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.models.loaded import LoadedModel

__all__ = ["folder", "loaded", "private_cache", "translator"]


@pytest.fixture(scope="session")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LoadedModel]:
    """A tiny translation model by the name of its maker, loaded at the first call."""
    from attnviz.models.load import load

    ready: dict[str, LoadedModel] = {}

    def get(name: str) -> LoadedModel:
        if name not in ready:
            folder = getattr(translators, name)(tmp_path_factory.mktemp("translators") / name)
            ready[name] = load(str(folder), offline=True)
        return ready[name]

    return get
