"""The names by which configs, modules and calls of models tell what they are made of.

`KNOWN` holds those of the models in transformers. A class with other names can be looked at when
they are handed in (see `handed.anatomy_of`); these are tried first.
"""

from __future__ import annotations

from dataclasses import dataclass

Names = tuple[str, ...]
# Names of a number in a config or module, or the number itself.
Numbers = tuple[str | int, ...]
# Regular expressions for what is in the path of a module, where case does not matter.
Marks = tuple[str, ...]


@dataclass(frozen=True)
class Anatomy:
    """Every fact of a model, with the names to try in turn. The types say what may be handed in."""

    # In the config: the layers of the only stack, or of both, and the heads of each, which the
    # modules that attend may tell too.
    layers: Numbers = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
    heads: Numbers = ("num_attention_heads", "num_heads", "n_heads", "n_head", "heads", "nhead")
    # The heads of keys and values, where they are fewer.
    key_value_heads: Numbers = ("num_key_value_heads", "num_kv_heads", "multi_query_group_num")
    # What one side has of its own.
    encoder_layers: Numbers = ("encoder_layers", "num_encoder_layers")
    encoder_heads: Numbers = (
        "encoder_attention_heads",
        "num_encoder_attention_heads",
        "encoder_num_attention_heads",
    )
    decoder_layers: Numbers = ("decoder_layers", "num_decoder_layers")
    decoder_heads: Numbers = ("decoder_attention_heads", "num_decoder_attention_heads")
    # The list of the kinds of all layers, and those kinds that have no softmax attention.
    layer_kinds: Names = ("layers_block_type", "layer_types")
    without_softmax: Names = (
        "linear_attention",
        "mamba",
        "mamba2",
        "recurrent",
        "conv",
        "moe",
        "mlp",
    )
    # The length of the texts that it was trained on.
    positions: Numbers = (
        "max_position_embeddings",
        "n_positions",
        "max_seq_len",
        "max_sequence_length",
    )
    # How many tokens a side knows.
    source_vocabulary: Numbers = ("src_vocab_size", "vocab_size")
    target_vocabulary: Numbers = ("decoder_vocab_size", "tgt_vocab_size", "vocab_size")
    # The ids of tokens that stand for a part of a picture, a video or a sound.
    media_tokens: Numbers = (
        "image_token_id",
        "image_token_index",
        "video_token_id",
        "video_token_index",
        "audio_token_id",
        "audio_token_index",
    )

    # In the path of a module: whose it is, and what it attends to.
    encoder: Marks = ("encoder",)
    decoder: Marks = ("decoder",)
    cross: Marks = ("cross", r"(?:^|_)enc\w*att")
    vision: Marks = ("vision", "visual", "image", "pixel", r"vit\b")
    audio: Marks = ("audio", "speech", "acoustic")
    # Modules whose queries are learned, or parts of a picture or sound: no tokens of the text.
    slots: Marks = ("qformer", "perceiver", "resampler", "connector", "projector", "abstractor")
    # What embeds entities beside the tokens.
    entities: Marks = ("entity",)
    rotary: Marks = ("rotary",)

    # The output projection, which takes all heads together: below the module that attends, or the
    # one that calls it.
    output_projection: Names = (
        "o_proj",
        "out_proj",
        "c_proj",
        "dense",
        "output.dense",
        "o",
        "wo",
        "Wo",
        "proj",
        "out_lin",
    )
    # The embeddings of tokens, where get_input_embeddings does not give them.
    word_embeddings: Names = ("embed_tokens", "word_embeddings")
    # Modules with one row for every position, and buffers that are such tables.
    position_tables: Names = (
        "wpe",
        "positions_embed",
        "embed_positions",
        "position_embedding",
        "position_embeddings",
        "char_position_embedding",
        "char_position_embeddings",
    )
    position_buffers: Names = ("embed_positions", "pos_encoding", "position_embedding.weights")
    # Attributes of those that may be read beyond their end: they grow, or repeat their last row.
    endless_tables: Names = ("make_weights", "make_weight", "max_length")

    # In a call: the states of another sequence, handed to a module that attends to it.
    other_sequence: Names = (
        "key_value_states",
        "encoder_hidden_states",
        "cross_attention_states",
    )
    # What an attention function multiplies the scores by, and the bound that it bends them to.
    scale: Names = ("scaling",)
    softcap: Names = ("softcap",)
    # The scores of learned sinks, given to it or kept by its module. Where the name of an argument
    # or parameter holds one of these words, rows may sum to less than 1.
    sinks: Names = ("s_aux", "sinks", "sink")
    # Whether a missing mask is a triangle, given to it or kept by its module; the keys in reach.
    causal: Names = ("is_causal",)
    window: Names = ("sliding_window",)
    # What modules that are no models of transformers read, and what their decoders read, with what
    # tells the padding in them.
    sources: Names = ("src", "memory", "key", "source", "encoder_hidden_states")
    targets: Names = ("tgt", "query", "target")
    source_padding: Names = (
        "src_key_padding_mask",
        "memory_key_padding_mask",
        "key_padding_mask",
    )
    target_padding: Names = ("tgt_key_padding_mask",)


KNOWN = Anatomy()
