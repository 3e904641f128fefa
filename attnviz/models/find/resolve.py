"""From the name of a model to the place it is loaded from, without importing anything heavy."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from attnviz.errors import ModelError
from attnviz.models.find.samples import sample_models
from attnviz.models.find.source import Source

DEFAULT_MODEL = "sample:english"
MODEL_VARIABLE = "ATTNVIZ_MODEL"

GGUF = ".gguf"
# A folder with one of these is that of a model or of an adapter.
CONFIGS = ("config.json", "adapter_config.json")

HUB_ID = re.compile(r"(?:[\w.-]{1,96}/)?[\w.-]{1,96}", re.ASCII)


def resolve(name: str | None = None) -> Source:
    """Where `name` is loaded from; without a name, $ATTNVIZ_MODEL or the bundled sample.

    What exists as a path, or is written as one, is a path and nothing else. Raises ModelError.
    """
    if name is None:
        name = os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL
    if name.startswith("sample:"):
        return sample_source(name)
    if name.startswith((".", "/", "~")) or os.path.exists(name):  # noqa: PTH110 Path.exists raises
        return local_source(name)
    return hub_source(name)


def sample_source(name: str) -> Source:
    """The bundled model called `sample:NAME`."""
    known = {sample.name: sample for sample in sample_models()}
    found = known.get(name.removeprefix("sample:"))
    if found is None:
        raise ModelError(
            f"{name} is not a bundled sample",
            "the samples are " + (", ".join(f"sample:{one}" for one in known) or "not installed"),
        )
    return Source("sample", name, str(found.path))


def local_source(name: str) -> Source:
    """The folder `name`, which must look like a saved model or adapter, or the GGUF file."""
    path = Path(os.path.expanduser(name))  # noqa: PTH111 Path.expanduser raises
    if not os.path.exists(path):  # noqa: PTH110
        raise ModelError(f"{name} does not exist", "give a folder with a config.json, or a Hub id")
    if path.suffix == GGUF and not os.path.isdir(path):  # noqa: PTH112 Path.is_dir raises
        return Source("local", name, str(path.parent), path.name)
    if not os.path.isdir(path):  # noqa: PTH112
        raise ModelError(
            f"{name} is a file, not a model",
            "give the folder that holds config.json, the weights and the tokenizer",
        )
    if holds_model(path):
        return Source("local", name, str(path))
    files = sorted(one.name for one in path.glob(f"*{GGUF}"))
    if len(files) == 1:
        return Source("local", name, str(path), files[0])
    if files:
        raise several(name, files)
    hint = "give the folder that `save_pretrained` wrote"
    if inside := folders_of_models(path):
        hint = "it holds a model: " if len(inside) == 1 else f"it holds {len(inside)} models: "
        hint += ", ".join(f"-m {one}" for one in inside[:8])
    elif not name.startswith((".", "/", "~")) and HUB_ID.fullmatch(name):
        hint += f"; for {name} on the Hub, run where no folder has that name"
    raise ModelError(f"{name} is a folder without config.json", hint)


def several(name: str, files: list[str]) -> ModelError:
    """The error for a place that holds more GGUF files than one."""
    shown = ", ".join(files[:8]) + (", …" if len(files) > 8 else "")
    return ModelError(
        f"{name} holds {len(files)} GGUF files: {shown}", f"-m {name.rstrip('/')}/{files[0]}"
    )


def holds_model(path: Path) -> bool:
    """Whether this is the folder of a model or of an adapter, as far as it may be read."""
    return any(os.path.isfile(path / config) for config in CONFIGS)  # noqa: PTH113 Path.is_file raises


def folders_of_models(path: Path) -> list[Path]:
    """The models in a folder: that of sentence-transformers, or checkpoints, the newest first."""
    inside = [one for one in path.glob("*") if holds_model(one)]
    if os.path.isfile(path / "modules.json"):  # noqa: PTH113
        first = [one for one in inside if "Transformer" in one.name]
        inside = first or inside

    def age(path: Path) -> tuple[int, str]:
        number = path.name.rpartition("-")[2]
        return (-int(number) if number.isdecimal() else 0, path.name)

    return sorted(inside, key=age)


def hub_source(name: str) -> Source:
    """The Hub repository `name`, whose form must be that of an id, or a GGUF file in one."""
    parts = name.split("/")
    if name.endswith(GGUF) and len(parts) > 2 and not {"", ".", ".."} & set(parts):
        return replace(hub_source("/".join(parts[:2])), name=name, file="/".join(parts[2:]))
    well_formed = (
        HUB_ID.fullmatch(name)
        and not any(part[0] in "-." or part[-1] in "-." for part in parts)
        and not any(mark in name for mark in ("--", ".."))
        and not name.endswith(".git")
    )
    if not well_formed:
        raise ModelError(
            f"{name!r} is neither a folder that exists nor a Hub id",
            "a Hub id looks like gpt2 or google-bert/bert-base-uncased; a path starts with ./ or /",
        )
    return Source("hub", name, name)
