"""Made-up samples and a tiny language model with a word-level tokenizer, all in memory."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from loaders.sample import TrainingSample

WORDS = ["USER", ":", "<", "Img", ">", "/", "ASSISTANT", "what", "is", "this", "?"]
WORDS += ["a", "drum", "bell", "and", "then", "nothing"]


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: number for number, word in enumerate(["<s>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.fixture
def llm(tokenizer) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


@pytest.fixture(scope="session")
def sample():
    def make(steps, audio=None, visual=None, *, image=False, audio_mask=None, visual_mask=None, fill=False):
        features = {
            name: value for name, value in (("whisper", audio), ("clip", visual)) if value is not None
        }
        ones, zeros = [1] * steps, [0] * steps
        return TrainingSample(
            key="key",
            id="id",
            steps=steps,
            span_ns=(0, steps * 500_000_000),
            features={name: value.to(torch.float16) for name, value in features.items()},
            audio_mask=torch.tensor(audio_mask or (ones if audio is not None else zeros), dtype=torch.bool),
            visual_mask=torch.tensor(
                visual_mask or (ones if visual is not None else zeros), dtype=torch.bool
            ),
            frame_times=[None] * steps,
            conversations=[],
            metadata={},
            media={"image": {}} if image else {"video": {}},
            fill=fill,
        )

    return make
