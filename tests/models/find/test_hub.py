"""Loading over HTTP, from a Hub on this machine, in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import transformers

from tests.models import gguf_file
from tests.models.adapters import lora, say
from tests.models.find.fake_hub import COMMIT, hub

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS: dict[str, tuple[str, dict[str, object]]] = {
    "first": ("org/tiny", {}),
    "again": ("org/tiny", {}),
    "offline": ("org/tiny", {"offline": True}),
    "commit": ("org/tiny", {"revision": COMMIT}),
    "gated": ("org/gated", {}),
    "missing": ("org/missing", {}),
    "revision": ("org/tiny", {"revision": "nope"}),
    "uncached": ("org/second", {"offline": True}),
    "partly": ("org/partly", {}),
    "adapter": ("org/lora", {}),
    "adapter again": ("org/lora", {"offline": True}),
    "asked": ("org/base", {"adapter": "org/lora", "offline": True}),
    "alone": ("org/lora", {"adapter": "none"}),
    "gguf": ("org/gguf", {}),
    "gguf again": ("org/gguf", {"offline": True}),
}
SCRIPT = """
import json, sys
import torch
torch.set_num_threads(1)
from attnviz.errors import ModelError
from attnviz.models.load import load
out = {}
for key, (name, options) in json.loads(sys.argv[1]).items():
    try:
        found = load(name, **options)
        facts = found.facts
        out[key] = [facts.name, facts.revision, facts.architecture, found.tokenizer is not None]
    except ModelError as error:
        out[key] = [error.message, error.hint]
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def answers(
    folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    """What each call gave: facts of the model, or message and hint."""
    home = tmp_path_factory.mktemp("hub")
    config = home / "hub" / "models--org--partly" / "snapshots" / COMMIT / "config.json"
    config.parent.mkdir(parents=True)
    config.write_bytes((folder("bert") / "config.json").read_bytes())
    (config.parent / "model.safetensors").write_bytes(
        (folder("bert") / "model.safetensors").read_bytes()
    )
    refs = config.parents[3] / "refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    lora(folder("gpt2")).save_pretrained(home / "lora")
    say(home / "lora", base_model_name_or_path="org/base")
    (home / "gguf").mkdir()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder("llama"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder("llama"))
    gguf_file.write(home / "gguf" / "tiny.gguf", model, tokenizer)
    repositories = {name: folder("bert") for name in ("org/tiny", "org/partly")} | {
        "org/base": folder("gpt2"),
        "org/lora": home / "lora",
        "org/gguf": home / "gguf",
    }
    with hub(repositories) as url:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
        env |= {
            "HF_ENDPOINT": url,
            "HF_HOME": str(home),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        }
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, json.dumps(CALLS)],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("call", ["first", "again", "offline", "commit"])
def test_loaded_with_its_commit(answers: dict[str, list[str]], call: str) -> None:
    assert answers[call] == ["tiny", COMMIT[:7], "BertForMaskedLM", True]


def test_what_a_cached_model_lacks_is_fetched(answers: dict[str, list[str]]) -> None:
    assert answers["partly"] == ["partly", COMMIT[:7], "BertForMaskedLM", True]


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        ("gated", "org/gated is gated", "hf auth login"),
        ("missing", "org/missing is not on the Hub, or is private", "hf auth login"),
        ("revision", "org/tiny has no revision nope", "/org/tiny/commits"),
        ("uncached", "org/second is not in the local cache", "hf download org/second"),
    ],
)
def test_refusals(answers: dict[str, list[str]], call: str, message: str, hint: str) -> None:
    assert message in answers[call][0]
    assert hint in answers[call][1]


def test_adapters_are_fetched_with_their_base(answers: dict[str, list[str]]) -> None:
    applied = ["base + lora", COMMIT[:7], "GPT2LMHeadModel", True]
    assert answers["adapter"] == answers["adapter again"] == answers["asked"] == applied
    assert answers["alone"] == ["base", *applied[1:]]


def test_a_repository_of_one_gguf_file(answers: dict[str, list[str]]) -> None:
    expected = ["tiny.gguf", COMMIT[:7], "LlamaForCausalLM", True]
    assert answers["gguf"] == answers["gguf again"] == expected
