"""Rows of the attention batch are shown for the example that they belong to, or for none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import (
    BlipConfig,
    BlipForQuestionAnswering,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    MusicgenConfig,
    MusicgenForConditionalGeneration,
    PatchTSTConfig,
    PatchTSTModel,
    PreTrainedModel,
    SwinConfig,
    SwinModel,
)

import attnviz
from attnviz.attention.axis import slots
from attnviz.attention.selection import Selection
from attnviz.errors import CaptureError, InputError
from attnviz.models.load import wrap
from attnviz.observe.engine import Observation, observe
from tests.observe.runs import made, whole
from tests.zoo.shrink import quiet

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
         "intermediate_size": 16}  # fmt: skip
PICTURE, WORD = 4, 20  # tokens
PATCHES = 16  # of a picture of 32 × 32, 8 a side; a picture stands for 4 tokens in the text


def pixels(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def reads_pictures() -> PreTrainedModel:
    """Its pictures, of all texts one after the other, are the rows of the vision attention."""
    text = {"model_type": "llama", "vocab_size": 100, "num_key_value_heads": 4, "pad_token_id": 0}
    vision = SIZES | {"image_size": 32, "patch_size": 8}
    config = Idefics3Config(
        text_config=SIZES | text, vision_config=vision, scale_factor=2, image_token_id=PICTURE,
        pad_token_id=0,
    )  # fmt: skip
    return made(Idefics3ForConditionalGeneration, config)


def texts(*pictures: int) -> dict[str, Tensor]:
    """One text with as many pictures each, all of the same length."""
    most = max(pictures)
    ids = [[10, *[PICTURE] * (4 * n), *[WORD] * (4 * (most - n)), 11, 12] for n in pictures]
    found = pixels(len(pictures), most, 3, 32, 32)
    for text, count in enumerate(pictures):
        found[text, count:] = 0  # the model leaves out what is all zero
    return {"input_ids": torch.tensor(ids), "pixel_values": found}


def eager_vision(model: PreTrainedModel, picture: Tensor) -> Tensor:
    """(layers, heads, patches, patches) of one picture alone, by the model's own eager function."""
    model.set_attn_implementation("eager")
    with torch.no_grad():
        found = model.model.vision_model(picture[None], output_attentions=True).attentions
    model.set_attn_implementation("sdpa")
    return torch.cat(list(found))


def assert_vision_is(model: PreTrainedModel, capture: attnviz.Capture, picture: Tensor) -> None:
    expected = eager_vision(model, picture)
    for layer in (0, 1):
        own = torch.from_numpy(capture.stacks["vision"].weights(layer))
        torch.testing.assert_close(own, expected[layer], rtol=0, atol=1e-6)


def test_one_picture_a_text_is_its_own() -> None:
    model, given = reads_pictures(), texts(1, 1)
    for example, capture in enumerate(attnviz.captures(model, given)):
        assert_vision_is(model, capture, given["pixel_values"][example, 0])
        assert capture.notes == ()


@pytest.mark.parametrize("pictures", [(2, 2), (2, 0), (0, 2), (1, 2), (3, 1)])
def test_no_text_is_given_the_picture_of_another(pictures: tuple[int, int]) -> None:
    """(2, 0) has as many pictures as texts, and so has (0, 2)."""
    for capture in attnviz.captures(reads_pictures(), texts(*pictures)):
        assert list(capture.stacks) == ["text"]
        [note] = capture.notes
        assert note.startswith("not shown: stack vision, layers 0-1, with ")
        assert f"{sum(pictures)} rows" in note


def test_of_several_pictures_of_one_text_the_first_is_shown() -> None:
    model, given = reads_pictures(), texts(3)
    capture = attnviz.capture(model, given)
    assert_vision_is(model, capture, given["pixel_values"][0, 0])
    [note] = capture.notes
    assert note.startswith("stack vision, layers 0-1: of up to 3 rows")
    assert note.endswith("the first is shown")


def seen(model: PreTrainedModel, examples: int, **given: Tensor) -> Observation:
    with quiet():
        return observe(wrap(model), given, [slots(1)] * examples, None, whole)


def swin() -> PreTrainedModel:
    return made(SwinModel, SwinConfig(image_size=32, patch_size=4, embed_dim=16, depths=[2, 2],
                                      num_heads=[2, 4], window_size=4))  # fmt: skip


def channels() -> PreTrainedModel:
    return made(PatchTSTModel, PatchTSTConfig(
        num_input_channels=3, context_length=32, patch_length=8, patch_stride=8, d_model=16,
        num_hidden_layers=2, num_attention_heads=2, ffn_dim=16))  # fmt: skip


@pytest.mark.parametrize(
    ("model", "name", "shape", "rows"),
    [(swin(), "pixel_values", (3, 32, 32), 4), (channels(), "past_values", (32, 3), 3)],
)
def test_windows_and_channels_do_not_vanish_without_a_note(
    model: PreTrainedModel, name: str, shape: tuple[int, ...], rows: int
) -> None:
    one = seen(model, 1, **{name: pixels(1, *shape)})
    assert any(f"up to {rows} rows" in note for note in one.notes)
    assert one.stacks(0)
    alone = [layer.place.layer for layer in one.layers if layer.rows == 1]
    two = seen(model, 2, **{name: pixels(2, *shape)})
    for example in (0, 1):
        layers = [layer for stack in two.stacks(example).values() for layer in stack.layers]
        assert layers == alone  # Swin's last stage is one window
    assert any(note.startswith("not shown: stack") for note in two.notes)


def answers_about_pictures() -> PreTrainedModel:
    text = SIZES | {"vocab_size": 100, "encoder_hidden_size": 16, "pad_token_id": 0,
                    "bos_token_id": 1, "eos_token_id": 2, "sep_token_id": 2}  # fmt: skip
    vision = SIZES | {"image_size": 32, "patch_size": 8}
    return made(BlipForQuestionAnswering, BlipConfig(text_config=text, vision_config=vision))


def test_stacks_of_one_name_do_not_overwrite_each_other() -> None:
    """A question of as many tokens as there are patches and tokens of the answer."""
    model, count = answers_about_pictures(), PATCHES + 1
    ids = torch.arange(10, 10 + count)[None]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids),
             "decoder_input_ids": ids + 30, "pixel_values": pixels(1, 3, 32, 32)}  # fmt: skip
    capture = attnviz.capture(model, given)
    assert {name: stack.layers for name, stack in capture.stacks.items()} == {
        "vision": [0, 1],
        "encoder": [0, 1],
        "text_encoder.cross": [0, 1],
        "decoder": [0, 1],
        "text_decoder.bert.cross": [0, 1],
    }
    question, answer = (tuple(str(i) for i in row.tolist()) for row in (ids[0], ids[0] + 30))
    labels = {name: (stack.queries(0), stack.keys(0)) for name, stack in capture.stacks.items()}
    assert [axis.labels for axis in labels["encoder"]] == [question, question]
    assert [axis.labels for axis in labels["decoder"]] == [answer, answer]
    assert [axis.labels for axis in labels["text_decoder.bert.cross"]] == [answer, question]
    assert labels["text_encoder.cross"][0].labels == question
    assert labels["text_encoder.cross"][1].kind == "slot"
    assert [axis.kind for axis in labels["vision"]] == ["slot", "slot"]


def test_florence_reads_its_picture_in_windows() -> None:
    vision = {"embed_dim": [8, 16, 32, 32], "depths": [1] * 4, "num_heads": [1, 2, 4, 4],
              "num_groups": [1, 2, 4, 4], "window_size": 4, "projection_dim": 16,
              "drop_path_rate": 0.0}  # fmt: skip
    text = {"model_type": "bart", "vocab_size": 100, "d_model": 16, "encoder_layers": 1,
            "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
            "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}  # fmt: skip
    config = Florence2Config(text_config=text, vision_config=vision, image_token_id=PICTURE)
    model = made(Florence2ForConditionalGeneration, config)
    ids = torch.tensor([[10, *[PICTURE] * 5, *range(11, 18)]])
    given = {
        "input_ids": ids,
        "decoder_input_ids": ids[:, :3],
        "pixel_values": pixels(1, 3, 64, 64),
    }
    capture = attnviz.capture(model, given)
    assert set(capture.stacks) == {"vision", "encoder", "decoder", "cross"}
    assert any("of up to 16 rows" in note for note in capture.notes)
    assert any("channel_attn" in note for note in capture.notes)


def musicgen() -> PreTrainedModel:
    text = {"model_type": "t5", "vocab_size": 60, "d_model": 16, "d_kv": 8, "num_heads": 2,
            "num_layers": 2, "d_ff": 16}  # fmt: skip
    audio = {"model_type": "encodec", "num_filters": 2, "hidden_size": 8, "codebook_size": 16,
             "codebook_dim": 8, "upsampling_ratios": [2, 2], "num_lstm_layers": 1}  # fmt: skip
    decoder = {"vocab_size": 16, "num_hidden_layers": 2, "ffn_dim": 16, "num_attention_heads": 2,
               "hidden_size": 16, "num_codebooks": 2, "pad_token_id": 15,
               "bos_token_id": 15}  # fmt: skip
    config = MusicgenConfig(text_encoder=text, audio_encoder=audio, decoder=decoder)
    return made(MusicgenForConditionalGeneration, config)


def test_codebooks_are_read_together_at_every_step() -> None:
    """decoder_input_ids has a row for every codebook of every text."""
    ids = torch.arange(3, 15).view(2, 6)
    codes = torch.randint(0, 15, (4, 5), generator=torch.Generator().manual_seed(0))
    found = attnviz.captures(musicgen(), {"input_ids": ids, "decoder_input_ids": codes})
    for example, capture in enumerate(found):
        cross = capture.stacks["cross"]
        assert cross.layers == [0, 1]
        assert cross.keys(0).labels == tuple(str(i) for i in ids[example].tolist())
        assert (cross.queries(0).kind, len(cross.queries(0))) == ("slot", 5)
        assert capture.stacks["decoder"].queries(0).kind == "slot"


def test_sides_with_different_numbers_of_examples_are_refused() -> None:
    ids = torch.arange(3, 15).view(2, 6)
    with pytest.raises(InputError, match="2 examples, decoder_input_ids 3"):
        attnviz.captures(musicgen(), {"input_ids": ids, "decoder_input_ids": ids[[0, 0, 0]]})


def test_where_nothing_can_be_shown_it_says_how() -> None:
    """Two texts whose pictures cannot be told apart, and only these were asked for."""
    with pytest.raises(CaptureError, match="run the examples one by one"):
        attnviz.captures(reads_pictures(), texts(2, 2), selection=Selection(stack="vision"))
