"""Tiny models made once per run, and an environment without the user's caches and network."""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING

import pytest

from tests.models import tiny, translators

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from attnviz.models.loaded import LoadedModel


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hub cache of the test's own, also for the Hub client that is imported already."""
    from huggingface_hub import constants

    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model by the name of its maker, saved at the first call."""
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            path = tmp_path_factory.mktemp("models") / name
            maker, _, head = name.partition(".")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made[name] = getattr(tiny, maker)(path, *([head] if head else []))
        return made[name]

    return get


@pytest.fixture(scope="session")
def loaded(folder: Callable[[str], Path]) -> Callable[[str], LoadedModel]:
    """A tiny model by the name of its maker, loaded at the first call."""
    ready: dict[str, LoadedModel] = {}

    def get(name: str) -> LoadedModel:
        from attnviz.models.load import load

        if name not in ready:
            ready[name] = load(str(folder(name)), offline=True)
        return ready[name]

    return get


@pytest.fixture
def copy(tmp_path: Path, folder: Callable[[str], Path]) -> Callable[[str], Path]:
    """A tiny model's folder that a test may damage."""

    def get(name: str) -> Path:
        return shutil.copytree(folder(name), tmp_path / name)

    return get


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
