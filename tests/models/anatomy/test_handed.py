"""Facts that are handed in for classes that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_MAPPING

import attnviz
from attnviz.errors import CaptureError, InputError, UsageError
from attnviz.inputs.limits import limits_of
from attnviz.models.anatomy.handed import KINDS, anatomy_of, missing, read_anatomy
from attnviz.models.anatomy.names import KNOWN
from attnviz.models.load import wrap
from attnviz.runs.forecast import foreseen
from attnviz.runs.request import RunRequest
from tests.models import tiny
from tests.models.anatomy.strangers import ChunkConfig, Chunky, chunky, ids

FACTS = {"heads": "n_chunks", "layers": "n_blocks"}


def own_maps(model: Chunky, tokens: Tensor) -> list[Tensor]:
    """(examples, heads, queries, keys) of every layer, as the model computes them."""
    with torch.no_grad():
        return list(model(tokens).attentions)


def largest_difference(captures: list[attnviz.Capture], maps: list[Tensor]) -> float:
    return max(
        float(np.abs(one.stacks["self"].weights(layer) - whole[example].numpy()).max())
        for example, one in enumerate(captures)
        for layer, whole in enumerate(maps)
    )


HINT = "hand in its name or number: attnviz.load(…, anatomy={'heads': …}), or --anatomy FILE.toml"


@pytest.mark.parametrize("examples", [1, 3])
def test_heads_of_an_unknown_name_are_missed(examples: int) -> None:
    why = rf"blocks\.\*, whose softmax has shape \({4 * examples}, 6, 6\): how many heads it has"
    with pytest.raises(CaptureError, match=rf"no attention of Chunky can be shown: {why}") as error:
        attnviz.captures(chunky(), {"input_ids": ids(examples)})
    assert error.value.hint == HINT


@pytest.mark.parametrize("examples", [1, 3])
@pytest.mark.parametrize("facts", [FACTS, {"heads": 4}, {"heads": ("absent", "n_chunks")}])
def test_heads_that_are_handed_in_are_those_of_the_model(
    facts: dict[str, Any], examples: int
) -> None:
    model, tokens = chunky(), ids(examples)
    captures = attnviz.captures(model, {"input_ids": tokens}, anatomy=facts)
    assert largest_difference(captures, own_maps(model, tokens)) <= 1e-6
    assert (captures[0].model.heads, captures[0].model.layers) == (4, 2)


def test_what_was_left_out_beside_other_attention_is_noted() -> None:
    model = chunky()
    known = nn.MultiheadAttention(32, 2, batch_first=True).eval()
    model.blocks[1].mix.register_forward_hook(lambda _, __, out: known(out, out, out)[0])
    model.known = known
    found = attnviz.capture(model, {"input_ids": ids()})
    (note,) = (one for one in found.notes if "not shown" in one)
    assert note == (
        "not shown: blocks.*, whose softmax has shape (4, 6, 6): how many heads it has is not "
        f"known; {HINT}"
    )


@pytest.fixture
def registered() -> Iterator[None]:
    AutoConfig.register("chunky", ChunkConfig)
    AutoModel.register(ChunkConfig, Chunky)
    yield
    CONFIG_MAPPING._extra_content.pop("chunky")
    MODEL_MAPPING._extra_content.pop(ChunkConfig)


@pytest.mark.usefixtures("registered")
def test_a_folder_is_loaded_with_facts(tmp_path: Path) -> None:
    model, tokens = chunky(), ids()
    tiny.save(tmp_path, model)
    assert attnviz.load(str(tmp_path), offline=True).facts.heads == 0
    loaded = attnviz.load(str(tmp_path), offline=True, anatomy=FACTS)
    assert (loaded.facts.layers, loaded.facts.heads) == (2, 4)
    found = attnviz.capture(loaded, {"input_ids": tokens})
    assert largest_difference([found], own_maps(model, tokens)) <= 1e-6


def test_facts_of_a_loaded_model_can_be_handed_in_later() -> None:
    loaded = wrap(chunky())
    known = wrap(loaded, anatomy=FACTS)
    assert (loaded.anatomy, loaded.facts.heads) == (KNOWN, 0)
    assert (known.anatomy.heads[0], known.facts.heads) == ("n_chunks", 4)
    assert wrap(known) is known


def test_the_plan_knows_what_was_handed_in() -> None:
    from attnviz.inputs.tensors import from_tensors

    plans = []
    for facts in (None, FACTS):
        loaded = wrap(chunky(), anatomy=facts)
        plans.append(foreseen(loaded, from_tensors(loaded.model, ids()), RunRequest()))
    assert [plan.maps for plan in plans] == [0, 2 * 4 * 6 * 6 * 4]


def test_an_output_projection_that_is_handed_in_is_applied() -> None:
    """‖v W‖ of every key is weighed by the projection that the model uses."""
    model, tokens = chunky(fused=True), {"input_ids": ids()}
    norms = [
        attnviz.capture(model, tokens, anatomy=facts).stacks["self"].by_layer[0].kept["score.norm"]
        for facts in (None, {"output_projection": "mix"})
    ]
    assert np.isnan(norms[0]).all()
    block = model.blocks[0]
    with torch.no_grad():
        states = model.words(tokens["input_ids"])
        value = block.split(block.hold(states))[0]  # (heads, keys, d)
        written = value @ block.mix.weight.T.unflatten(0, (4, -1))  # (heads, keys, width)
        added = (block(states)[1][0] * written.norm(dim=-1)[:, None]).mean(dim=(1, 2))
    assert norms[1] / norms[1].sum() == pytest.approx((added / added.sum()).numpy(), rel=1e-4)


def test_the_trace_says_that_the_projection_is_missing() -> None:
    from attnviz.inputs.tensors import from_tensors
    from attnviz.tracing.head import head_steps

    model = chunky(fused=True)
    layer = attnviz.capture(model, {"input_ids": ids()}).stacks["self"].by_layer[0]
    steps = {}
    for name, facts in (("unknown", None), ("known", {"output_projection": "mix"})):
        loaded = wrap(model, anatomy=facts)
        steps[name] = head_steps(loaded, from_tensors(loaded.model, ids()), layer, 1, 5)
    assert steps["unknown"].written is None
    assert steps["unknown"].unwritten.endswith(missing("output_projection"))
    assert steps["known"].written is not None


def test_the_length_of_training_may_be_handed_in() -> None:
    assert limits_of(wrap(chunky())).trained is None
    assert limits_of(wrap(chunky(), anatomy={"positions": "longest"})).trained == 20
    assert limits_of(wrap(chunky(), anatomy={"positions": 12})).trained == 12


class Reader(nn.Module):
    """A question that reads a context, which is no model of transformers."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, question: Tensor, context: Tensor) -> Tensor:
        out: Tensor = self.attention(question, context, context)[0]
        return out


def test_arguments_of_a_module_may_be_handed_in() -> None:
    given = {"question": torch.randn(1, 3, 8), "context": torch.randn(1, 5, 8)}
    known = {"sources": "context", "targets": "question"}
    found = attnviz.capture(Reader().eval(), given, anatomy=known).stacks["cross"]
    assert [axis.kind for axis in (found.queries(0), found.keys(0))] == ["slot", "slot"]
    assert (len(found.queries(0)), len(found.keys(0))) == (3, 5)


def test_without_facts_everything_is_as_it_is_known() -> None:
    assert anatomy_of(None) is KNOWN
    assert anatomy_of({}) is KNOWN
    known = anatomy_of({"softcap": "bound"})
    assert known.softcap == ("bound", *KNOWN.softcap)
    assert known.heads == KNOWN.heads


@pytest.mark.parametrize(
    ("facts", "message", "hint"),
    [
        ({"head": "n"}, "anatomy knows no 'head'", f"there are {', '.join(KINDS)}"),
        ({"heads": True}, "anatomy takes no True for 'heads'", "give its name, several names or"),
        ({"heads": 0}, "anatomy takes no 0 for 'heads'", "or the number"),
        ({"heads": " "}, "anatomy takes no ' ' for 'heads'", "give its name"),
        ({"heads": []}, r"anatomy takes no \[\] for 'heads'", "give its name"),
        ({"softcap": 30}, "anatomy takes no 30 for 'softcap'", "give its name or several names"),
        ({"cross": "("}, r"a regular expression for 'cross': '\(' is none", ""),
    ],
)
def test_facts_that_cannot_be(facts: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        attnviz.load("anything", anatomy=facts)
    assert hint in error.value.hint


def test_facts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "chunky.toml"
    path.write_text('heads = "n_chunks"\nlayers = 2\noutput_projection = ["mix", "out"]\n')
    facts = read_anatomy(path)
    assert facts == {"heads": "n_chunks", "layers": 2, "output_projection": ["mix", "out"]}
    assert anatomy_of(facts).output_projection[:2] == ("mix", "out")


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (b"heads = ", InputError, "is no TOML: Invalid value"),
        (b'heads = "\xff"', InputError, "is no TOML: 'utf-8' codec"),
        (b'haeds = "n"', UsageError, "anatomy knows no 'haeds'"),
        (b'[heads]\nname = "n"', UsageError, "anatomy takes no {'name': 'n'} for 'heads'"),
    ],
)
def test_files_that_hand_in_nothing(
    tmp_path: Path, text: bytes, kind: type[Exception], message: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(text)
    with pytest.raises(kind, match=re.escape(f"{path}") + ".*" + re.escape(message)):
        read_anatomy(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_anatomy(tmp_path / "none.toml")


def test_every_fact_is_of_a_kind() -> None:
    """The annotation of a fact says what may be handed in for it."""
    assert set(KINDS.values()) == {"Names", "Numbers", "Marks"}
