"""Models in one GGUF file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import ModelError
from attnviz.models.adapter import fetched
from attnviz.models.find.resolve import several

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from transformers import PreTrainedConfig, PreTrainedModel

    from attnviz.models.find.source import Source


def whole(source: Source, options: Mapping[str, Any]) -> Source:
    """The source; of a repository that holds nothing but one GGUF file, that file.

    Raises ModelError where there are several to choose from.
    """
    if source.kind != "hub" or source.file or fetched(source, "config.json", options) is not None:
        return source
    files = files_of(source, options)
    if len(files) > 1:
        raise several(source.name, files)
    return replace(source, file=files[0]) if files else source


def files_of(source: Source, options: Mapping[str, Any]) -> list[str]:
    """The GGUF files of a repository: on the Hub, or where only that may be asked, in the cache."""
    import huggingface_hub as hub

    repo, revision = source.path_or_id, options["revision"]
    if not options["local_files_only"]:
        names = hub.HfApi().list_repo_files(repo, revision=revision)
        return sorted(name for name in names if name.endswith(".gguf"))
    try:
        folder = Path(hub.snapshot_download(repo, revision=revision, local_files_only=True))
    except hub.errors.LocalEntryNotFoundError:
        return []
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*.gguf"))


def require_gguf(source: Source) -> None:
    """Raise ModelError unless the packages that read these files are installed."""
    missing = [package for package in ("gguf", "accelerate") if find_spec(package) is None]
    if missing:
        raise ModelError(
            f"{source.name} is a GGUF file: reading it needs the package {' and '.join(missing)}",
            "pip install 'attnviz[gguf]'",
        )


@contextmanager
def silently(source: Source) -> Iterator[None]:
    """Reading a GGUF file draws no bar of its own inside, which transformers cannot turn off."""
    if not source.file:
        yield
        return
    reader: Any = import_module("transformers.modeling_gguf_pytorch_utils")
    bar = reader.tqdm
    reader.tqdm = partial(bar, disable=True)
    try:
        yield
    finally:
        reader.tqdm = bar


def language_model(config: PreTrainedConfig) -> str:
    """The end of the class name of a model in a GGUF file, which does not tell its head."""
    return "ForConditionalGeneration" if config.is_encoder_decoder else "ForCausalLM"


def file_notes(model: PreTrainedModel, source: Source) -> list[str]:
    """A note of what the weights of a GGUF file were turned into."""
    if not source.file:
        return []
    dtype = str(model.dtype).removeprefix("torch.")
    return [f"read from {source.file}: its weights are dequantized to {dtype}"]
