"""What the training scripts of the sample models share."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

Model = TypeVar("Model", bound="PreTrainedModel")


@dataclass(frozen=True, slots=True)
class Run:
    """How a training run went."""

    seed: int
    steps: int
    seconds: float


def parser_of(doc: str | None, name: str, seed: int, steps: int) -> argparse.ArgumentParser:
    """The options of a script that makes the sample model `name`."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    output = Path(__file__).resolve().parent.parent / name
    parser.add_argument("--output", type=Path, default=output, metavar="DIR")
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this long")
    return parser


def deterministic(seed: int) -> None:
    """Nothing; from now on the same seed gives the same weights."""
    torch.set_num_threads(1)  # sums in one order
    torch.manual_seed(seed)


def arguments(doc: str | None, name: str, seed: int, steps: int) -> argparse.Namespace:
    """The command line of such a script, read; torch is made deterministic."""
    args = parser_of(doc, name, seed, steps).parse_args()
    deterministic(args.seed)
    return args


def optimise(
    model: PreTrainedModel,
    loss_of: Callable[[int], Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    steps: int,
    seconds: float,
    largest: float = float("inf"),
) -> int:
    """Step for `steps` steps or `seconds` seconds, whichever ends first; gives the steps made.

    `loss_of` takes the number of the step. Gradients are clipped to a norm of `largest`.
    """
    start, done = time.perf_counter(), 0
    model.train()
    while done < steps and time.perf_counter() - start < seconds:
        loss = loss_of(done)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
        optimizer.step()
        schedule.step()
        done += 1
        if done % 200 == 0:
            print(f"step {done:6}  loss {loss.item():.4f}", flush=True)
    return done


def save(model: Model, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Model:
    """Write the weights in float16, to be computed in float32; gives the model as it was read back.

    What is measured afterwards is what is shipped.
    """
    model.half().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    back = type(model).from_pretrained(folder)
    assert back.dtype == torch.float32
    return back.eval()
