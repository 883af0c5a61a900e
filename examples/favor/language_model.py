"""The language model that answers: any of Hugging Face's causal ones, or a small untrained one."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

RANDOM = "random:"
# hidden width, layers, heads
SIZES = {"tiny": (64, 2, 4)}


class LanguageModelError(ValueError):
    """A language model that cannot be had: one line that says why."""


def load_language_model(
    name: str, dtype: torch.dtype, seed: int = 0
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """`name`: a Hugging Face id, a folder, or `random:tiny`: untrained weights, drawn with `seed`.

    `dtype` is what its weights are held in, whatever they were saved in: a model that is trained in float16
    (Vicuna's) gives NaN after one step of AdamW.

    Raises:
        LanguageModelError: no such model, or not one of this kind.
    """
    if name.startswith(RANDOM):
        return _untrained(name.removeprefix(RANDOM), dtype, seed)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        llm = AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
    except (OSError, ValueError, KeyError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise LanguageModelError(
            f"--llm {name}: {reason.strip()} (want a Hugging Face id of a causal language model, a folder "
            f"that holds one, or {RANDOM}tiny)"
        ) from error
    if tokenizer.eos_token_id is None:
        raise LanguageModelError(f"--llm {name}: its tokenizer has no end-of-text token")
    return llm, tokenizer


def _untrained(size: str, dtype: torch.dtype, seed: int) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if size not in SIZES:
        raise LanguageModelError(f"--llm {RANDOM}{size}: there is {', '.join(RANDOM + s for s in SIZES)}")
    width, layers, heads = SIZES[size]
    tokenizer = _bytes_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).to(dtype), tokenizer


def _bytes_tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte: it writes any text."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<s>", "</s>", *letters])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **{"bos_token": "<s>", "eos_token": "</s>"})
