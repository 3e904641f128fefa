"""The Hugging Face Hub: what is cached already, and whether it can be reached at all."""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.errors import ModelError
from attnviz.models.tokenizer import has_files

if TYPE_CHECKING:
    from attnviz.models.find.source import Source

PROBE_SECONDS = 3.0
WEIGHTS = ("*.safetensors", "*.bin")


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids to contact the Hub."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def snapshot(repo: str, revision: str | None, file: str = "config.json") -> Path | None:
    """The folder of the cache with this file of this revision; its name is the commit."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, file, revision=revision)
    return Path(found.removesuffix(file)) if isinstance(found, str) else None


def is_whole(source: Source, revision: str | None) -> bool:
    """Whether config, weights and tokenizer of this revision are in the cache.

    An adapter without a model, and a file that is a model, need nothing else.
    """
    repo = source.path_or_id
    if source.file:
        return snapshot(repo, revision, source.file) is not None
    folder = snapshot(repo, revision)
    if folder is None:
        folder = snapshot(repo, revision, "adapter_config.json")
        return folder is not None and any(folder.glob("adapter_model.*"))
    return has_files(folder) and any(True for weight in WEIGHTS for _ in folder.glob(weight))


def page(repo: str, part: str = "") -> str:
    """The address of a repository on the Hub."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{repo}{part}"


def is_reachable() -> bool:
    """Whether the Hub answers soon; its own client would retry for long."""
    from huggingface_hub import constants

    return reachable(constants.ENDPOINT)


def not_cached(repo: str, why: str) -> ModelError:
    """The error for a model that is neither here nor to be had."""
    return ModelError(
        f"{repo} is not in the local cache and {why}",
        f"where there is a network: hf download {repo}",
    )


def reachable(endpoint: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether anything answers at `endpoint` within the time, looking up its name included."""
    answers: list[bool] = []
    probe = threading.Thread(
        target=lambda: answers.append(answers_http(endpoint, seconds)), daemon=True
    )
    probe.start()
    probe.join(seconds)
    return bool(answers and answers[0])


def answers_http(endpoint: str, seconds: float) -> bool:
    """Whether a HEAD request gets any answer; a refused certificate is one too."""
    if not endpoint.startswith(("http://", "https://")):
        return False
    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=seconds).close()
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)
    except (OSError, ValueError):
        return False
    return True
