"""The command line of examples.favor.train."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from examples.favor.language_model import RANDOM
from examples.favor.model import VICUNA_ATTENTION, InputConfig
from examples.favor.qformer import CausalMask
from examples.favor.settings import RELEASED_GENERATION, ModelSettings
from examples.favor.training.steps import SCHEDULES
from loaders.corpus import Corpus
from loaders.synchronise import Synchronise

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def parse(arguments: Sequence[str] | None, description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.favor.train", description=description)
    parser.add_argument("corpus", help="what favor-data build wrote")
    parser.add_argument(
        "--llm", required=True, help=f"causal language model: a Hugging Face id, a folder, {RANDOM}tiny"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of the run: checkpoint, log, answers"
    )
    _add_data(parser)
    _add_model(parser)
    _add_optimisation(parser)
    _add_running(parser)
    options = parser.parse_args(arguments)
    for name in ("epochs", "batch_size", "accumulate", "checkpoint_every", "evaluate_every", "width"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.held_out is not None and not 0 < options.held_out < 1:
        parser.error("--held-out is a share between 0 and 1")
    if options.held_out and options.held_out_where:
        parser.error("give --held-out or --held-out-where, not both")
    if not 0 <= options.warmup < 1:
        parser.error("--warmup is a share of the steps, at least 0 and below 1")
    if options.lora_rank is None:  # nothing is to be had from adapters of random weights
        options.lora_rank = 0 if options.llm.startswith(RANDOM) else 32
    return options


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what it learns from")
    group.add_argument(
        "--where",
        metavar="SQL",
        help='these samples alone, as in "steps >= 20": DuckDB\'s SQL over '
        "the index's columns, and metadata (JSON, read from the samples)",
    )
    group.add_argument(
        "--held-out",
        type=float,
        metavar="SHARE",
        help="of the samples, never trained on; samples of one medium stay together",
    )
    group.add_argument(
        "--held-out-where", metavar="SQL", help="hold these out, as in \"metadata->>'split' = 'test'\""
    )
    group.add_argument("--visual", default="clip", help="column of the pictures, or none (%(default)s)")
    group.add_argument("--audio", default="whisper", help="column of the sound, or none (%(default)s)")


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the model")
    group.add_argument("--width", type=int, default=768, help="of the Q-Former; 12 divides it (%(default)s)")
    group.add_argument(
        "--no-visual-projection",
        action="store_true",
        help="pictures go in as they are, as in FAVOR: vectors as wide as the Q-Former",
    )
    group.add_argument(
        "--mask",
        type=CausalMask,
        choices=list(CausalMask),
        default=CausalMask.PAPER,
        help="steps that a step sees: those before (paper), after (released), all (off)",
    )
    group.add_argument(
        "--multi-resolution", action="store_true", help="video-SALMONN's windows of 1 and 10 steps"
    )
    group.add_argument(
        "--lora-rank", type=int, help="0: the whole language model is trained (32; 0 where it is random:)"
    )
    group.add_argument(
        "--lora-targets",
        nargs="+",
        default=VICUNA_ATTENTION,
        metavar="MODULE",
        help="linear layers that get adapters (%(default)s)",
    )


def _add_optimisation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("optimisation")
    group.add_argument("--epochs", type=int, default=1, help="(%(default)s)")
    group.add_argument("--batch-size", type=int, default=8, help="samples a rank reads at once (%(default)s)")
    group.add_argument(
        "--accumulate", type=int, default=1, help="such batches in an optimizer step (%(default)s)"
    )
    group.add_argument("--learning-rate", type=float, default=1e-4, help="its peak (%(default)s)")
    group.add_argument(
        "--schedule",
        choices=SCHEDULES,
        default="cosine",
        help="how it falls until the last epoch's end (%(default)s)",
    )
    group.add_argument(
        "--warmup", type=float, default=0.03, help="share of the steps in which it rises (%(default)s)"
    )
    on_gpu = torch.cuda.is_available()
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="bfloat16" if on_gpu else "float32",
        help="of the forward pass; what is trained, and the loss, are float32 (%(default)s)",
    )
    group.add_argument(
        "--seed", type=int, default=0, help="of the weights, the order and dropout (%(default)s)"
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("running; under torchrun on every rank's own device")
    group.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)"
    )
    group.add_argument("--workers", type=int, default=2, help="processes that read ahead (%(default)s)")
    group.add_argument("--checkpoint-every", type=int, default=200, metavar="STEPS", help="(%(default)s)")
    group.add_argument(
        "--evaluate-every", type=int, metavar="STEPS", help="on the held-out part (an epoch's end)"
    )
    group.add_argument(
        "--held-out-answers",
        type=int,
        default=8,
        metavar="N",
        help="written to RUN/answers each time (%(default)s)",
    )


def column(name: str) -> str | None:
    return None if name == "none" else name


def settings_of(options: argparse.Namespace, corpus: Corpus) -> ModelSettings:
    """Raises:
    CorpusError: the corpus lacks a column.
    """
    visual, audio = column(options.visual), column(options.audio)
    collate = Synchronise.of(corpus, visual=visual, audio=audio)
    return ModelSettings(
        llm=options.llm,
        visual=visual,
        audio=audio,
        inputs=InputConfig.of(collate, not options.no_visual_projection),
        lora_rank=options.lora_rank,
        lora_targets=tuple(options.lora_targets),
        width=options.width,
        mask=options.mask,
        multi_resolution=options.multi_resolution,
        seed=options.seed,
        # a repeated letter is no fault where a token is a letter
        generation={} if options.llm.startswith(RANDOM) else RELEASED_GENERATION,
    )
