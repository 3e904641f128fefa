"""The models in the local Hub cache, read from its folders."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CachedModel:
    """A model of the cache: its Hub id, the class it was saved as, its size on disk."""

    name: str
    architecture: str
    revision: str
    size: int


def cache_folder() -> Path:
    """The Hub cache that the environment names, as huggingface_hub finds it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.path.expandvars(os.environ[variable])).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or str(Path(shared) / "huggingface")
    return Path(os.path.expandvars(home)).expanduser() / "hub"


def cached_models() -> list[CachedModel]:
    """Every repository of the cache with the config of a model or of an adapter, by name."""
    folders = sorted(cache_folder().glob("models--*"))
    return [found for folder in folders if (found := read_cached(folder)) is not None]


def read_cached(folder: Path) -> CachedModel | None:
    """What the newest snapshot of one cached repository holds; None when it holds no config."""
    found = (
        *folder.glob("snapshots/*/adapter_config.json"),
        *folder.glob("snapshots/*/config.json"),
    )
    configs = sorted(found, key=lambda p: p.lstat().st_mtime)
    if not configs:
        return None
    try:
        config = json.loads(configs[-1].read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    names = config.get("architectures") if isinstance(config, dict) else None
    if isinstance(config, dict) and "peft_type" in config:
        names = [f"{config['peft_type']} of {config.get('base_model_name_or_path')}"]
    snapshot = configs[-1].parent
    return CachedModel(
        name=folder.name.removeprefix("models--").replace("--", "/"),
        architecture=names[0] if names else "",
        revision=snapshot.name[:7],
        size=sum(file.stat().st_size for file in snapshot.rglob("*") if file.is_file()),
    )
