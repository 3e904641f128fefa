"""The names of the text architectures of transformers."""

from __future__ import annotations

import inspect

from transformers import CONFIG_MAPPING
from transformers.models.auto import modeling_auto

from tests.zoo.overrides import NO_ORACLE, NOT_ATTENTION, OTHER_INPUT, UNBUILDABLE, VARIANTS
from tests.zoo.shrink import CLASS_TABLES, base_name, model_class

_MODEL_TYPES = """
    afmoe albert apertus arcee aria_text axk1 axk2 bailing_hybrid bamba bart beam bert
    bert-generation big_bird bigbird_pegasus biogpt bitnet blenderbot blenderbot-small bloom
    blt bros camembert canine chameleon clip_text_model codegen cohere cohere2 cohere2_moe
    cohere_compass_text convbert cosmos3_edge_text cpmant ctrl cwm data2vec-text dbrx
    deberta deberta-v2 deepseek_ocr2 deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 dia
    diffllama diffusion_gemma distilbert doge dots1 dots3_note_text dpr electra
    embedding_gemma2_text emu3 encoder-decoder ernie ernie4_5 ernie4_5_moe ernie4_5_vl_moe
    esm esmc eurobert exaone4 exaone_moe falcon falcon_h1 falcon_mamba fastspeech2_conformer
    fastspeech2_conformer_with_hifigan flaubert flava flex_olmo flint fnet fsmt funnel gemma
    gemma2 gemma3_text gemma3n_text gemma4_text gemma4_unified_text git glm glm4 glm4_moe
    glm4_moe_lite glm4v_moe_text glm4v_text glm5_next_text glm_image_text glm_moe_dsa
    glm_ocr_text gpt-sw3 gpt2 gpt_bigcode gpt_neo gpt_neox gpt_neox_japanese gpt_oss gptj
    gradium_phonon_tts granite granite4_vision granite_docling_text granite_swa granitemoe
    granitemoe_swa granitemoehybrid granitemoeshared gte helium higgs_audio_v2 hrm_text
    hunyuan_v1_dense hunyuan_v1_moe hunyuan_vl_text hy_v3 hy_v4 hyperclovax ibert imagegpt
    inkling2_text inkling_text internlm3 iquestcoder jais2 jamba jetmoe jina_embeddings_v3
    kimi_linear kolibri1 kosmos-2.5 laguna layoutlm layoutlmv3 led lfm2 lfm2_moe lfm3 lilt
    llama llama4_text longcat_flash longformer longt5 luke m2m_100 mamba mamba2 marian
    markuplm mbart megatron-bert mellum mimo_v2_flash minicpm3 minimax minimax_m2
    minimax_m3_vl_text ministral ministral3 mistral mistral4 mistral_large4_text mixtral
    mllama mobilebert modernbert modernbert-decoder molmo2_text moshi mpnet mpt mra mt5
    muse_glimmer_text muse_spark_text mvp nanochat nemotron nemotron_h neomme nllb-moe
    nomic_bert nystromformer olmo olmo2 olmo3 olmo_hybrid olmoe openai-gpt
    openai_privacy_filter opt paddleocr_vl pegasus pegasus_x persimmon phi phi3
    phi4_multimodal phimoe plbart pocket_tts prophetnet qwen2 qwen2_5_omni_thinker
    qwen2_5_vl_text qwen2_moe qwen2_vl_text qwen3 qwen3_5_moe_text qwen3_5_text qwen3_moe
    qwen3_next qwen3_omni_moe_thinker qwen3_vl_moe_text qwen3_vl_text qwen4_exp_text
    recurrent_gemma reformer rembert roberta roberta-prelayernorm roc_bert roformer rwkv
    sam3_lite_text_text_model seamless_m4t seamless_m4t_v2 seed_oss smollm3 solar_open
    splinter squeezebert stablelm starcoder2 step3p7 switch_transformers t5 t5gemma t5gemma2
    t5gemma2_encoder tapas tipsv2_text_model trocr udop ultrabert umt5 unlimited_ocr
    vaultgemma visual_bert vits voxtral_realtime_text xglm xlm xlm-roberta xlm-roberta-xl
    xlnet xlstm xmod yoso youtu zamba zamba2 zaya
"""

ALL_TEXT: list[str] = sorted(
    name for name in (*_MODEL_TYPES.split(), *VARIANTS) if base_name(name) in CONFIG_MAPPING
)
"""Every `model_type` and variant that runs on text alone, as far as this transformers has it."""

CASES: list[str] = sorted(set(ALL_TEXT) - set(NO_ORACLE) - set(NOT_ATTENTION) - set(UNBUILDABLE))
"""The architectures whose own eager attention is an oracle."""


def unlisted() -> list[str]:
    """Model types of the installed transformers that take `input_ids` and stand in no list.

    A model type whose text part is a model type of its own is listed as that part only. Imports
    every model of transformers.
    """
    known = set(_MODEL_TYPES.split()) | set(OTHER_INPUT)
    return [name for name in sorted(set().union(*CLASS_TABLES) - known) if _takes_text(name)]


def _takes_text(name: str) -> bool:
    """Whether the model takes token ids and is not a wrapper around a listed text model."""
    parts = getattr(CONFIG_MAPPING[name], "sub_configs_defaults", {})
    text = parts.get("text_config")
    if text is not None and text.model_type in modeling_auto.MODEL_MAPPING_NAMES:
        return False
    try:
        return "input_ids" in inspect.signature(model_class(name).forward).parameters
    except (ImportError, AttributeError):  # needs a library that is not installed
        return False
