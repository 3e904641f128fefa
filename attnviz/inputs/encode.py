"""From texts to the tensors that a model reads, and the axes that name their positions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError
from attnviz.inputs.axes import axis_of, padded
from attnviz.inputs.batch import batch_tensors, pad_axis, require_ends
from attnviz.inputs.decoder import rereads_source
from attnviz.inputs.embedded import require_embedded
from attnviz.inputs.languages import sides_of
from attnviz.inputs.packed import TokenizedText, packed
from attnviz.inputs.part_writer import Writer
from attnviz.inputs.text import Text, without_surrogates
from attnviz.models.reads import require_text
from attnviz.models.translate import naming_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis
    from attnviz.models.loaded import LoadedModel
    from attnviz.models.sides import Sides


@dataclass(frozen=True)
class ModelInputs:
    """A batch that the model can run on.

    `tensors` are the keyword arguments of its forward: tensors, on its device, and settings.
    `sources` has one axis per example for the main or encoder side, `targets` one for the decoder
    side (None without a decoder). `encoder_only`: no target was given, so that the decoder reads
    only a start token. `notes` are what the picture must say of the input.
    """

    tensors: dict[str, Any]
    sources: tuple[Axis, ...]
    targets: tuple[Axis, ...] | None = None
    texts: tuple[Text, ...] = ()
    encoder_only: bool = False
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the first example; empty when only tensors were given."""
        return self.texts[0].text if self.texts else ""

    @property
    def pair(self) -> str | None:
        """The pair of the first example."""
        return self.texts[0].pair if self.texts else None

    @property
    def target_text(self) -> str | None:
        """The target of the first example."""
        return self.texts[0].target if self.texts else None

    @property
    def source(self) -> Axis:
        """The main axis of the first example."""
        return self.sources[0]

    @property
    def target(self) -> Axis | None:
        """The decoder's axis of the first example."""
        return self.targets[0] if self.targets else None


def encode(
    loaded: LoadedModel,
    text: str,
    *,
    pair: str | None = None,
    target: str | None = None,
    bos: bool | None = None,
    truncate: bool = False,
    source_lang: str | None = None,
    target_lang: str | None = None,
) -> ModelInputs:
    """One input, ready to run. See `encode_batch`."""
    given = Text(text, pair, target, source_lang=source_lang, target_lang=target_lang)
    return encode_batch(loaded, [given], bos=bos, truncate=truncate)


def encode_batch(
    loaded: LoadedModel,
    texts: Sequence[Text],
    *,
    bos: bool | None = None,
    truncate: bool = False,
    side: str | None = None,
) -> ModelInputs:
    """The texts as one batch, filled up on this side (None: that which the tokenizer fills).

    `bos` forces (True) or suppresses (False) the token that begins a sequence. Raises InputError
    for a text that is empty, longer than the model takes (unless `truncate`), or of a form or
    language that this model does not read.
    """
    sides = read_sides(loaded, texts)
    tokenized = [tokenize_text(loaded, text, sides, bos, truncate) for text in texts]
    return assemble(loaded, tokenized, sides, side)


@naming_tokenizer
def read_sides(loaded: LoadedModel, texts: Sequence[Text]) -> Sides:
    """The tokenizers that read these texts, which are of one form and language.

    Raises InputError for a model that does not read them.
    """
    require_text(loaded)
    if loaded.tokenizer is None:
        raise InputError(
            f"{loaded.facts.name} has no tokenizer",
            "give tensors: attnviz.capture(model, {'input_ids': …})",
        )
    for text in texts:
        check_form(loaded, text)
    return sides_of(loaded, loaded.tokenizer, texts)


@naming_tokenizer
def tokenize_text(
    loaded: LoadedModel, text: Text, sides: Sides, bos: bool | None, truncate: bool
) -> TokenizedText:
    """The tokens of one text. See `encode_batch`."""
    check_form(loaded, text)
    notes: dict[str, None] = {}
    text = cleaned(text, notes)
    notes |= dict.fromkeys(sides.notes)
    writer = Writer(loaded, sides, bos, truncate, notes)
    source = writer.source(text)
    target = writer.target(text, source)
    return TokenizedText(
        text, packed(source), None if target is None else packed(target), tuple(notes)
    )


@naming_tokenizer
def assemble(
    loaded: LoadedModel, texts: Sequence[TokenizedText], sides: Sides, side: str | None = None
) -> ModelInputs:
    """The tokenized texts as one batch, with axes that name their tokens. See `encode_batch`."""
    check_batch(loaded, texts)
    rows = [text.source.unpacked() for text in texts]
    targets = [text.target.unpacked() for text in texts if text.target is not None]
    clean = tuple(text.text for text in texts)
    pad, side = pad_axis(loaded, sides.source), side or sides.source.padding_side
    target_pad = pad_axis(loaded, sides.target, target=True)
    sources = [
        axis_of(sides.source, row, (text.text, text.pair or ""))
        for row, text in zip(rows, clean, strict=True)
    ]
    decoded = [
        axis_of(sides.target, row, decoder_texts(loaded, text))
        for row, text in zip(targets, clean if targets else (), strict=True)
    ]
    require_embedded(loaded.model, loaded.facts.name, sources, loaded.anatomy, decoder=False)
    require_embedded(loaded.model, loaded.facts.name, decoded, loaded.anatomy, decoder=True)
    return ModelInputs(
        tensors=batch_tensors(loaded, rows, targets, (pad.ids[0], target_pad.ids[0]), side),
        sources=level(sources, pad, side),
        targets=level(decoded, target_pad, "right") if decoded else None,
        texts=clean,
        encoder_only=bool(targets) and not reads_target(loaded, clean),
        notes=tuple(dict.fromkeys(note for text in texts for note in text.notes)),
    )


def check_batch(loaded: LoadedModel, texts: Sequence[TokenizedText]) -> None:
    """Raise InputError for texts that cannot be run together."""
    if len(texts) > 1:
        require_ends(loaded)
    lacking = [text.text for text in texts if text.text.target is None]
    if 0 < len(lacking) < len(texts):
        raise InputError(
            f"{lacking[0].where or 'one of the texts'} has no target, but others have",
            "give every text a target, or none",
        )


def reads_target(loaded: LoadedModel, texts: Sequence[Text]) -> bool:
    """Whether the decoder has anything to read but its start token."""
    return rereads_source(loaded) or texts[0].target is not None


def level(axes: Sequence[Axis], pad: Axis, side: str) -> tuple[Axis, ...]:
    """The axes, all as long as the longest."""
    length = max(len(axis) for axis in axes)
    return tuple(padded(axis, pad, length, side) for axis in axes)


def decoder_texts(loaded: LoadedModel, text: Text) -> tuple[str, str]:
    """The texts that the spans of the decoder's axis point into."""
    if rereads_source(loaded):
        return text.text, text.pair or ""
    return text.target or "", ""


def cleaned(text: Text, notes: dict[str, None]) -> Text:
    """The text without lone surrogates, which no tokenizer reads."""
    changed: dict[str, str] = {}
    for name in ("text", "pair", "target"):
        given = getattr(text, name) or ""
        clean, count = without_surrogates(given)
        if count:
            notes[f"the {name} holds half a character (a lone surrogate): read as U+FFFD"] = None
        if clean != given:
            changed[name] = clean
    return replace(text, **changed) if changed else text


def check_form(loaded: LoadedModel, text: Text) -> None:
    """Raise InputError when a part is empty, or a target is given to a model without a decoder."""
    prefix = f"{text.where}: " if text.where else ""
    for name in ("text", "pair", "target"):
        if getattr(text, name) == "":
            raise InputError(f"{prefix}the {name} is empty", "give at least one character")
    if text.target is None:
        return
    if not loaded.encoder_decoder:
        raise InputError(
            f"{prefix}{loaded.facts.name} takes no target: it is not an encoder-decoder model",
            "put everything into the text; --target is for translation-like models such as T5",
        )
    if rereads_source(loaded):
        raise InputError(
            f"{prefix}{loaded.facts.name} takes no target: its decoder reads the text once more",
            "leave --target out",
        )
