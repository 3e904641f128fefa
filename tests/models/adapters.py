"""Adapters of peft for tiny models, with weights that change what they do."""

from __future__ import annotations

import json
import shutil
import warnings
from typing import TYPE_CHECKING, Any

import torch

from tests.models.find.fake_hub import COMMIT

if TYPE_CHECKING:
    from pathlib import Path


def lora(base: Path, **settings: Any) -> Any:
    """The model in `base` with a LoRA of random weights in its attention, as peft wraps it."""
    import peft
    import transformers

    task = settings.pop("task_type", "CAUSAL_LM")
    auto = {
        "CAUSAL_LM": transformers.AutoModelForCausalLM,
        "SEQ_CLS": transformers.AutoModelForSequenceClassification,
        "FEATURE_EXTRACTION": transformers.AutoModel,
    }[task]
    labels = {"num_labels": settings.pop("labels")} if "labels" in settings else {}
    model = auto.from_pretrained(base, **labels)
    torch.manual_seed(3)
    chosen = {"r": 4, "target_modules": ["c_attn", "c_proj"], "init_lora_weights": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = peft.get_peft_model(model, peft.LoraConfig(task_type=task, **chosen | settings))
    return found.eval()


def say(folder: Path, **changes: Any) -> None:
    """Change keys of a folder's adapter_config.json."""
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cached(cache: Path, name: str, folder: Path) -> None:
    """Put a folder into a Hub cache as the repository of this name."""
    home = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, home / "snapshots" / COMMIT)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
