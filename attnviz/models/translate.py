"""From what transformers and the Hub client raise to one clear error."""

from __future__ import annotations

import json
import pickle
import re
import traceback
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from attnviz.errors import AttnvizError, ModelError
from attnviz.models.find.hub import not_cached, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attnviz.models.find.source import Source

Taken = ParamSpec("Taken")
Given = TypeVar("Given")
# What is said of tensors that are not of the size that a config asks for.
UNFIT = (
    "size mismatch",
    "mismatched sizes",
    "ignore_mismatched_sizes",
    "Storage size calculation overflowed",
)
# The hint for an error that nobody foresaw.
REST = "ATTNVIZ_DEBUG=1 shows where it was raised"


class MissingError(ModelError):
    """A file of a repository is not here: fetching it from the Hub could help."""

    def __init__(self, message: str, hint: str, repo: str) -> None:
        super().__init__(message, hint)
        self.repo = repo


@contextmanager
def told(
    source: Source,
    revision: str | None = None,
    offline: bool = False,
    quantize: str | None = None,
    part: str = "",
) -> Iterator[None]:
    """Whatever loading from this source raises inside comes out as one clear ModelError.

    `part` is what is loaded of it: "the tokenizer of ".
    """
    try:
        yield
    except AttnvizError:
        raise
    except BaseException as error:
        if not is_failure(error):
            raise
        found = translate(error, source, revision, offline, quantize)
        if found is None:
            found = ModelError(f"{part}{source.name} cannot be loaded: {cause(error)}", REST)
        raise found from error


def naming_tokenizer(read: Callable[Taken, Given]) -> Callable[Taken, Given]:
    """The function, whose first argument is a loaded model; what its tokenizer raises in there
    comes out as a ModelError.
    """

    @wraps(read)
    def told_of(*args: Taken.args, **kwargs: Taken.kwargs) -> Given:
        try:
            return read(*args, **kwargs)
        except AttnvizError:
            raise
        except BaseException as error:
            if not is_failure(error):
                raise
            *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
            if innermost.f_globals.get("__name__", "").startswith("attnviz."):
                raise  # our own fault
            name = args[0].facts.name  # type: ignore[attr-defined]
            raise ModelError(f"the tokenizer of {name} failed: {cause(error)}", REST) from error

    return told_of


def is_failure(error: BaseException) -> bool:
    """Whether this is an error, and no request to stop: a panic in Rust is no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from, each once."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def translate(
    error: BaseException,
    source: Source,
    revision: str | None = None,
    offline: bool = False,
    quantize: str | None = None,
) -> ModelError | None:
    """The ModelError that says it plainly; None for an error that nobody foresaw."""
    errors = list(chain(error))
    return (
        from_hub(errors, source, revision, offline)
        or from_memory(errors, source)
        or from_files(errors, source)
        or from_code(errors, source, quantize)
    )


def from_hub(
    errors: list[BaseException], source: Source, revision: str | None, offline: bool
) -> ModelError | None:
    """Errors of the Hub client, which knows best why a download failed."""
    from huggingface_hub import errors as hub

    name = source.path_or_id

    def any_of(*kinds: type[BaseException]) -> bool:
        return any(isinstance(error, kinds) for error in errors)

    if any_of(hub.GatedRepoError):
        return ModelError(
            f"{name} is gated: its owner must grant you access",
            f"ask for it at {page(name)}, then run: hf auth login",
        )
    if any_of(hub.RepositoryNotFoundError):
        return ModelError(
            f"{name} is not on the Hub, or is private",
            "check the spelling; for a private model run: hf auth login",
        )
    if any_of(hub.RevisionNotFoundError):
        return ModelError(
            f"{name} has no revision {revision}",
            f"its branches, tags and commits are listed at {page(name, '/commits')}",
        )
    if any_of(hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled):
        why = "nothing is fetched while offline" if offline else "the Hub cannot be reached"
        plain = not_cached(name, why)
        return MissingError(plain.message, plain.hint, name)
    if any_of(hub.HFValidationError):
        return ModelError(f"{name!r} is not a Hub id", "a Hub id looks like gpt2 or org/name")
    if any_of(hub.HfHubHTTPError, ConnectionError, TimeoutError):
        return ModelError(f"fetching {name} failed: {first_line(errors[-1])}", "try again")
    return None


def from_memory(errors: list[BaseException], source: Source) -> ModelError | None:
    """Errors of a machine that is too small."""
    import torch

    short = any(
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or "can't allocate memory" in str(error)
        for error in errors
    )
    if not short:
        return None
    return ModelError(
        f"{source.display} does not fit into memory",
        "try --dtype bfloat16, --device cpu, or a smaller model",
    )


def from_files(errors: list[BaseException], source: Source) -> ModelError | None:
    """Errors of files that are missing, cut short or damaged."""
    from safetensors import SafetensorError

    name = source.name
    again = "copy or download the model again"
    text = " ".join(str(error) for error in errors)
    broken = (SafetensorError, pickle.UnpicklingError, EOFError)
    if any(isinstance(one, broken) for one in errors) or "PytorchStreamReader" in text:
        return ModelError(f"the weights of {name} are damaged: {first_line(errors[-1])}", again)
    if "no file named" in text or "does not appear to have" in text:
        if "model.safetensors" in text or "pytorch_model.bin" in text:
            return lacking(source, f"{name} holds no weights for PyTorch")
        return lacking(source, f"a file of {name} is missing: {first_line(errors[0])}")
    if any(sign in text for sign in UNFIT):
        return ModelError(f"the weights of {name} do not fit its config.json", again)
    if "is not a valid JSON file" in text or any(
        isinstance(one, json.JSONDecodeError) for one in errors
    ):
        what = name if source.file else f"a JSON file of {name}"
        return ModelError(f"{what} is damaged: {first_line(errors[0])}", again)
    if gone := next((one for one in errors if isinstance(one, FileNotFoundError)), None):
        return lacking(source, f"a file of {name} is missing: {first_line(gone)}")
    if denied := next((one for one in errors if isinstance(one, PermissionError)), None):
        return ModelError(f"{denied.filename or name} may not be read", "check its permissions")
    return None


def lacking(source: Source, message: str) -> ModelError:
    """The error for a file that is not there, which may be fetched where the source is the Hub."""
    again = "copy or download the model again"
    if source.kind == "hub":
        return MissingError(message, again, source.path_or_id)
    return ModelError(message, again)


def from_code(
    errors: list[BaseException], source: Source, quantize: str | None
) -> ModelError | None:
    """Errors of models and tokenizers that this installation cannot build."""
    name = source.name
    text = " ".join(str(error) for error in errors)
    if found := re.search(
        r"GGUF model with architecture (\S+)|Unknown gguf model_type: (\S+)", text
    ):
        from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES as KNOWN

        return ModelError(
            f"{name} is of an architecture that transformers does not read from GGUF: "
            f"{found[1] or found[2]}",
            "it reads " + ", ".join(sorted(one for one in KNOWN if one != "general")),
        )
    if "trust_remote_code" in text:
        return ModelError(
            f"{name} brings its own code",
            "read it, and allow it with --trust-remote-code: it runs on this machine",
        )
    if found := re.search(r"model type `([^`]+)`", text):
        return ModelError(
            f"{name} is of a kind that this transformers does not know: {found[1]}",
            "upgrade transformers, or allow the model's own code with --trust-remote-code",
        )
    if "Unrecognized model" in text or "model_type" in text:
        return ModelError(
            f"the config.json of {name} does not say which model it is",
            "its key model_type is missing",
        )
    for package in ("sentencepiece", "protobuf", "tiktoken", "mistral_common", "mistral-common"):
        if re.search(rf"\b{package}\b", text, re.IGNORECASE):
            return ModelError(
                f"the tokenizer of {name} needs the package {package}", f"pip install {package}"
            )
    quantized = re.search("bitsandbytes|quantiz", text, re.IGNORECASE)
    if quantized and quantize is not None:
        return ModelError(
            f"{name} cannot be quantized here: {first_line(errors[0])}", "leave --quantize out"
        )
    what = f"the quantized weights of {name}" if quantized else name
    needed = next((one for one in errors if isinstance(one, ImportError)), None)
    if needed is not None and not re.search("requires? a GPU", text):
        need = "need" if quantized else "needs"
        return ModelError(f"{what} {need} a package: {first_line(needed)}", installs(needed, text))
    if quantized:
        return ModelError(
            f"{what} cannot be read here: {first_line(errors[0])}",
            "another machine may, or a checkpoint of it that is not quantized",
        )
    return None


def installs(error: ImportError, text: str) -> str:
    """The command that installs what an error and its text say is missing."""
    told = re.search(r"pip3? install (?:-\S+ )*'?([A-Za-z][^\s`'\")]*)", text)
    package = told[1].rstrip(".,;:") if told else error.name
    if not package:
        return "install it"
    own = {"bitsandbytes": "quantize", "accelerate": "big", "gguf": "gguf", "peft": "peft"}
    extra = own.get(re.split(r"[\[<>=]", package)[0])
    if extra is not None:
        package = f"attnviz[{extra}]"
    return (
        f"pip install '{package}'" if re.search(r"[\[<>=]", package) else f"pip install {package}"
    )


def cause(error: BaseException) -> str:
    """The type and the first line of an error."""
    kind, text = type(error).__name__, first_line(error)
    return kind if text == kind else f"{kind}: {text}"


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something, cut to a readable length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[: 1 + lines[0].endswith(":")]) if lines else type(error).__name__
    return text if len(text) <= 160 else text[:159] + "…"
