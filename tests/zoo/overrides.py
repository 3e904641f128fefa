"""What the general shrink cannot guess, and which architectures cannot give an oracle."""

from __future__ import annotations

from typing import Any

MROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
"""Rotary sections for time, height and width, which must sum to half of the head dimension."""

MAMBA_HEADS = {"mamba_n_heads": 8, "mamba_d_head": 8}
"""Expanded width 64 = 8 heads of 8."""

OVERRIDES: dict[str, dict[str, Any]] = {
    # Hybrids whose layer kinds follow from periods or indices: both kinds must occur.
    "bamba": MAMBA_HEADS | {"attn_layer_indices": [1]},
    "granitemoehybrid": MAMBA_HEADS | {"layer_types": ["mamba", "attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "recurrent_gemma": {"num_hidden_layers": 3},
    "falcon_h1": MAMBA_HEADS | {"mamba_d_ssm": 64},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    # The last layers reuse the keys of earlier layers of both kinds.
    "gemma3n_text": {
        "num_hidden_layers": 4,
        "num_kv_shared_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
    },
    # Fields without a usable default.
    "deepseek_v2": {"num_experts_per_tok": 2, "num_key_value_heads": 4},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "deepseek_ocr2_text": {
        "mlp_layer_types": ["dense", "sparse"],
        "num_experts_per_tok": 2,
        "num_key_value_heads": 4,
    },
    "diffusion_gemma_text": {
        "global_head_dim": 16,
        "num_experts": 4,
        "top_k_experts": 2,
        "moe_intermediate_size": 64,
    },
    "t5gemma2_text": {"dropout_rate": 0.0},
    "esm": {"pad_token_id": 0, "mask_token_id": 3},
    "blt": {"num_hidden_layers": 2},  # its cache asks for it
    "granite4_vision": {
        "deepstack_layer_map": [],
        "spatial_target_layers": [],
        "downsample_rate": "1/2",
        "vision_config": {"hidden_size": 64},
    },
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
        "ffn_config": {"ffn_hidden_size": 64, "hidden_size": 32, "moe_top_k": 2},
    },
    "step3p5": {
        "layer_types": ["full_attention", "sliding_attention"],
        "mlp_layer_types": ["dense", "sparse"],
        "sliding_window": 6,
        "share_expert_dim": 64,
    },
    "xmod": {"default_language": "en_XX"},
    "qwen2_5_omni_thinker": {"vision_start_token_id": 4},
    "qwen3_omni_moe_thinker": {"vision_start_token_id": 4},
    # Key heads cannot be grouped.
    "esmc": {"num_key_value_heads": 4},
    "longcat_flash": {"num_key_value_heads": 4},
    # Learned relative positions, as in every published checkpoint (off by default).
    "deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    # Sizes that must fit one another.
    "canine": {"num_hash_functions": 4},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 8},
    "lilt": {"hidden_size": 48},
    "markuplm": {"tag_pad_id": 0, "subs_pad_id": 0},
    "mpnet": {"relative_attention_num_buckets": 32},  # the bucket count is fixed in the code
    "glm5_next_text": {"index_topk": 8, "index_kpool": 2},
    "mamba2": {"num_heads": 8, "head_dim": 8},
    "reformer": {
        "axial_pos_shape": (8, 8),
        "axial_pos_embds_dim": (16, 16),
        "num_buckets": 8,
    },
    "gradium_phonon_tts": {"flow_head_config": {"condition_dim": 32}},
    "pocket_tts": {"flow_head_config": {"condition_dim": 32}},
    "qwen4_exp_text": {
        "indexer_n_heads": 4,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 6,
        "indexer_compress_ratio": 2,
    },
    "zamba": {"layers_block_type": ["mamba", "hybrid"] * 2, "num_hidden_layers": 4},
    "neomme": {"head_dim": 16},
    "xlstm": {"hidden_size": 64, "embedding_dim": 64, "num_heads": 4, "qk_dim_factor": 1.0},
    "bros": {"hidden_size": 64},  # box coordinates get a sixteenth of it
    "dia_decoder": {
        "cross_num_attention_heads": 4,
        "cross_head_dim": 8,
        "cross_num_key_value_heads": 4,
        "cross_hidden_size": 32,
    },
    "fastspeech2_conformer_with_hifigan": {
        "vocoder_config": {"model_in_dim": 8, "upsample_initial_channel": 32},
    },
    # Only the inner layers attend, the outer ones mix by convolution.
    "sam3_lite_text_text_model": {"num_hidden_layers": 4},
    # Set for a head dimension of 64.
    "granite_docling_text": {"attention_multiplier": 0.35},
    # The image part is built although it is never run.
    "chameleon": {
        "vocabulary_map": {"<image>": 4},
        "vq_config": {"base_channels": 32, "channel_multiplier": [1, 1]},
    },
    "emu3": {
        "vocabulary_map": {"<|extra_200|>": 4, "<image>": 4},
        "vq_config": {"base_channels": 32, "channel_multiplier": [1, 1]},
    },
    # What it switches to by itself on short texts, but then it returns no maps.
    "big_bird": {"attention_type": "original_full"},
    "ernie4_5_vl_moe_text": {
        "rope_parameters": MROPE | {"mrope_section": [1, 1, 2]},
        "moe_intermediate_size": [64, 32],
    },
    # The sliding layers have sizes of their own.
    "dots3_note_text": {
        "sliding_window": 6,
        "swa_num_attention_heads": 2,
        "swa_num_key_value_heads": 2,
        "swa_q_lora_rank": 16,
        "swa_kv_lora_rank": 16,
        "swa_head_dim": 16,
        "swa_qk_nope_head_dim": 8,
        "swa_v_head_dim": 8,
    },
    "gemma4_text": {"global_head_dim": 16},
    "gemma4_unified_text": {"global_head_dim": 16},
    "embedding_gemma2_text": {"global_head_dim": 16},
    # Only half of the head dimension is rotated.
    **{
        name: {"rope_parameters": MROPE | {"partial_rotary_factor": 0.5}, "head_dim": 16}
        for name in ("glm4v_text", "glm4v_moe_text", "glm_image_text", "glm_ocr_text")
    },
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": MROPE, "sliding_attention": MROPE},
        "layer_types": ["sliding_attention", "full_attention"],
    },
    **{
        name: {"rope_parameters": MROPE}
        for name in (
            "cosmos3_edge_text",
            "hunyuan_vl_text",
            "paddleocr_vl_text",
            "qwen2_vl_text",
            "qwen2_5_vl_text",
            "qwen2_5_omni_text",
            "qwen3_5_text",
            "qwen3_5_moe_text",
            "qwen3_omni_moe_text",
            "qwen3_vl_text",
            "qwen3_vl_moe_text",
        )
    },
}

FRAMES = "its positions are frames of sound, not tokens"

DROPPED: dict[str, dict[str, str]] = {
    "minimax": {"attentions:layers.1.*": "the blocks of lightning attention: linear, no softmax"},
    "prophetnet": {"cross_attentions:*": "scores of the main and the predicting streams at once"},
    "pegasus_x": {
        "encoder_attentions:*": "blocks of tokens plus global positions that are no token"
    },
    "longt5+transient_global": {"encoder_attentions:*": "neighbours plus summaries of blocks"},
    "fastspeech2_conformer": {"decoder_attentions:*": FRAMES},
    "fastspeech2_conformer_with_hifigan": {"decoder_attentions:*": FRAMES},
}
"""Eager maps that are not token by token softmax weights: "field:module" pattern to reason."""

NO_ORACLE: dict[str, str] = {
    "big_bird+block_sparse": "the map is put together from blocks of which later ones overwrite "
    "earlier ones, so rows do not sum to 1; its random blocks come from numpy's global state",
    "canine": "characters attend in chunks, of which only the first is returned; the deep layers "
    "attend between groups of 4 characters",
    "cpmant": "8 prompt positions are put in front and cut from both axes of the maps, not "
    "renormalised; padding must be on the left, since it ignores the attention mask",
    "deepseek_v4": "compressed blocks of keys are appended to the keys of the tokens",
    "diffusion_gemma": "rows are the canvas; keys are the last keys of the prompt, then the canvas",
    "funnel": "queries and keys are pooled from block to block",
    "reformer": "local layers return chunks of neighbours; hashed layers return chunks of tokens "
    "sorted by their hash",
}
"""Builds and runs, but its eager maps are absent or not token by token: name to reason."""

ROWS_BELOW_ONE: dict[str, str] = {
    **dict.fromkeys(
        [
            "deepseek_v4",
            "flint",
            "gpt_oss",
            "hy_v4",
            "inkling2_text",
            "mimo_v2_flash",
            "openai_privacy_filter",
        ],
        "a sink takes the rest",
    ),
    "t5gemma2": "one softmax over the decoder's and the encoder's keys, returned in two parts",
}
"""Where the rows of a map rightly sum to less than 1: name to reason."""

NOT_ATTENTION: dict[str, str] = {
    "falcon_mamba": "state space only",
    "fnet": "Fourier transform instead of attention",
    "mamba": "state space only",
    "mamba2": "state space only",
    "rwkv": "linear recurrence; its attentions are hidden states",
    "xlstm": "recurrent cells only",
    "yoso": "collision probabilities of hashes instead of a softmax; its attentions are contexts",
}
"""No softmax over keys anywhere: name to what it does instead."""

UNBUILDABLE: dict[str, str] = {
    "mra": "its attention is a CUDA kernel; without it the layer puts out zeros",
}
"""Runs on text, but cannot be built or run here: name to the exact obstacle."""

OTHER_INPUT: dict[str, str] = {
    **dict.fromkeys(
        [
            "aimv2",
            "align",
            "altclip",
            "blip",
            "bridgetower",
            "chinese_clip",
            "clipseg",
            "groupvit",
            "idefics",
            "kosmos-2",
            "layoutlmv2",
            "lxmert",
            "metaclip_2",
            "owlv2",
            "owlvit",
            "siglip",
            "siglip2",
            "tvp",
            "videoprism",
            "vilt",
            "xclip",
        ],
        "needs an image",
    ),
    **dict.fromkeys(["clap", "clvp"], "needs sound"),
    **dict.fromkeys(
        ["csm", "kyutai_speech_to_text", "musicgen", "musicgen_melody"],
        "its ids are codes of sound",
    ),
    "pi0": "needs the state of a robot",
    "evolla": "needs a protein",
}
"""Takes `input_ids`, but not as text alone: name to what it needs. No text architecture."""

VARIANTS: dict[str, dict[str, Any]] = {
    "bert+decoder": {"is_decoder": True},
    "big_bird+block_sparse": {"attention_type": "block_sparse", "block_size": 2},
    "deberta+absolute": {"relative_attention": False, "pos_att_type": None},
    "deepseek_v3+full_query": {"q_lora_rank": None},
    "esm+rotary": {"position_embedding_type": "rotary"},
    "falcon+alibi": {"alibi": True},
    "falcon+grouped": {"new_decoder_architecture": True, "num_kv_heads": 2},
    "falcon+multi_head": {"multi_query": False, "num_kv_heads": 4},
    "gemma3_text+bidirectional": {"use_bidirectional_attention": True},
    "gpt2+upcast": {"reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True},
    "gpt_bigcode+multi_head": {"multi_query": False},
    "longt5+transient_global": {"encoder_attention_type": "transient-global"},
    "phi3+sliding": {"sliding_window": 6},
    "qwen2+sliding": {"use_sliding_window": True, "max_window_layers": 1},
    "reformer+local": {"attn_layers": ["local", "local"]},
    "xlm+causal": {"causal": True},
}
"""Architectures with a second way to attend, as "model_type+variant"."""
