"""The small sizes that every configuration gets, by the name of its field."""

from __future__ import annotations

VOCABULARY = 100
POSITIONS = 64
FIRST_TEXT_TOKEN = 8
"""Ids below it are special (padding, start, end, image, ...); test inputs use the rest."""

_WIDTH = 32
_HEADS = 4
_EXPERTS = 4
_CHOSEN_EXPERTS = 2
_HEAD_DIM = 8
_INNER = 64
_LAYERS = 2
_SPAN = 6

_GROUPS: tuple[tuple[int, str], ...] = (
    (
        VOCABULARY,
        """
        vocab_size src_vocab_size tgt_vocab_size vocab_size_per_layer_input vision_vocab_size
        encoder_hash_byte_group_vocab char_vocab_size entity_vocab_size pronunciation_vocab_size
        shape_vocab_size t2u_vocab_size unit_hifi_gan_vocab_size additional_vocab_size
        max_xpath_tag_unit_embeddings max_xpath_subs_unit_embeddings unpadded_vocab_size
        """,
    ),
    (
        POSITIONS,
        """
        max_position_embeddings n_positions n_ctx max_seq_len max_source_positions
        max_encoder_position_embeddings max_decoder_position_embeddings max_2d_position_embeddings
        t2u_max_position_embeddings original_max_position_embeddings context_length floor_scale
        log_scaling_n_floor max_length left_max_position_embeddings max_window_layers
        relative_max_distance relative_attention_max_distance position_bias_max_distance max_depth
        rel_extent max_rel_pos max_rel_2d_pos max_new_tokens t2u_max_new_tokens mm_tokens_per_image
        max_num_rows max_num_columns num_hash_buckets codebook_size tpu_short_seq_length
        """,
    ),
    (
        _WIDTH,
        """
        hidden_size d_model n_embd dim emb_dim embedding_size embedding_dim lru_width
        input_embedding_size output_embedding_size encoder_hidden_size prediction_head_size
        word_embed_proj_dim entity_emb_size projection_dim embed_dim pronunciation_embed_dim
        shape_embed_dim hidden_size_global unit_embed_dim lang_embed_dim spkr_embed_dim
        xpath_unit_hidden_size cross_attention_hidden_size attention_hidden_size mamba_d_ssm
        out_hidden_size visual_embedding_dim upsample_initial_channel speech_decoder_postnet_units
        duration_predictor_channels energy_predictor_channels pitch_predictor_channels
        t2u_variance_predictor_embed_dim t2u_variance_predictor_hidden_dim
        """,
    ),
    (
        _HEADS,
        """
        num_attention_heads n_head n_heads num_heads attention_heads encoder_attention_heads
        decoder_attention_heads num_encoder_attention_heads num_decoder_attention_heads
        index_n_heads swa_num_attention_heads linear_num_heads speech_encoder_attention_heads
        t2u_encoder_attention_heads t2u_decoder_attention_heads encoder_num_attention_heads
        decoder_num_attention_heads linear_num_value_heads
        """,
    ),
    (_EXPERTS, "num_experts n_routed_experts num_local_experts moe_num_experts"),
    (_CHOSEN_EXPERTS, "num_experts_per_tok moe_topk top_k_experts moe_k"),
    (
        _HEAD_DIM,
        """
        head_dim qk_rope_head_dim qk_nope_head_dim v_head_dim d_kv attention_head_size dim_head
        kv_channels index_head_dim linear_key_head_dim linear_value_head_dim swa_head_dim
        linear_head_dim d_head mamba_head_dim mamba_d_head attention_head_dim rotary_dim d_rel
        index_kpool hidden_size_per_layer_input laurel_rank gated_norm_rank hc_lowrank
        router_hidden_size adapter_rank embedding_rank o_lora_rank ssm_state_size mamba_d_state
        state_size intra_bottleneck_size coordinate_size shape_size dim_bbox
        relative_attention_num_buckets position_bias_num_buckets num_buckets rel_pos_bins
        rel_2d_pos_bins num_speakers_embedding_dim duration_delta_embedding_dim latent_dim
        patch_size mamba_chunk_size chunk_size num_landmarks segment_means_seq_len
        max_inference_chunksize prompt_length prompt_mid_dim num_conv_pos_embeddings num_mel_bins
        dim_model_base zero_expert_num
        """,
    ),
    (
        _INNER,
        """
        intermediate_size n_inner ffn_dim d_ff dff d_inner dim_ff hidden_dim ffn_hidden_size
        encoder_ffn_dim decoder_ffn_dim moe_intermediate_size shared_expert_intermediate_size
        shared_experts_intermediate_size shared_intermediate_size moe_hidden_size
        moe_shared_expert_intermediate_size expert_ffn_hidden_size dense_intermediate_size
        intermediate_size_mlp prefix_dense_intermediate_size feed_forward_size
        speech_encoder_intermediate_size t2u_encoder_ffn_dim t2u_decoder_ffn_dim
        encoder_linear_units decoder_linear_units mlp_dim
        """,
    ),
    (
        _LAYERS,
        """
        num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers
        num_encoder_layers num_decoder_layers layers speech_encoder_layers t2u_encoder_layers
        t2u_decoder_layers depth num_global_layers linear_num_key_heads swa_num_key_value_heads
        n_group n_groups o_groups num_random_blocks
        """,
    ),
    (
        1,
        """
        num_dense_layers first_k_dense_replace n_shared_experts num_shared_experts
        moe_num_shared_experts topk_group moe_layer_start_index mamba_n_groups
        """,
    ),
    (
        _SPAN,
        """
        sliding_window sliding_window_size window_size local_attention attention_chunk_size
        attention_window attention_window_size local_attention_window_len index_topk
        keep_window_size index_block_size index_topk_blocks local_radius local_attn_chunk_length
        lsh_attn_chunk_length block_size global_block_size local_transformer_stride canvas_length
        num_global_tokens
        """,
    ),
    (16, "q_lora_rank kv_lora_rank ngram_vocab_size_base"),
    (0, "num_nextn_predict_layers num_mtp_layers"),
)

SIZES: dict[str, int] = {name: size for size, names in _GROUPS for name in names.split()}
"""Field name to small size; a field that is unset (None) or zero by default stays so."""

KEY_HEADS = (
    "num_key_value_heads",
    "num_kv_heads",
)
"""Key-head counts: 2 where grouped by default, 4 where not, 1 stays 1."""

SPECIAL_TOKENS = {
    "pad": 0,
    "bos": 1,
    "eos": 2,
    "sep": 2,
    "decoder_start": 1,
    "cls": 1,
    "mask": 3,
    "eod": 2,
}
"""Ids of special tokens by the beginning of the field's name; any other special token is 4."""
