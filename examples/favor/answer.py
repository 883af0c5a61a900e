"""Asks a trained model about a corpus: `python -m examples.favor.answer CORPUS --run RUN`.

Without --question each sample is asked what its own conversations ask: their turns up to the last answer,
which is the reference. `favor-data score --task T --answers answers.jsonl` gives the numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from examples.favor import checkpoint
from examples.favor.checkpoint import RunError
from examples.favor.language_model import LanguageModelError
from examples.favor.model import Favor
from examples.favor.prompt import ConversationError, Turns
from examples.favor.selection import SelectionError, open_selected
from examples.favor.settings import SettingsError
from loaders.extent import ExtentError
from loaders.loader import CorpusLoader
from loaders.opening import CorpusError
from loaders.sample import TrainingSample
from loaders.schedule.mixture import mixture_of
from loaders.schedule.phase import Conversations
from storage.errors import StorageError

EVERY_SECONDS = 10  # between lines of progress
METADATA = ("type", "options")  # what scoring wants to know beside the references


def answers(
    model: Favor,
    loader: CorpusLoader,
    generation: Mapping[str, Any],
    device: torch.device,
    question: str | None = None,
) -> Iterator[dict[str, Any]]:
    """A line for each item of the loader's epoch, as `favor-data score` reads it: id, answer, references.

    An id that several samples have is followed by the sample's key, a further conversation by its number.

    Raises:
        ConversationError: a sample without a question of its own.
    """
    corpora = mixture_of(loader.corpus).corpora
    ids = Counter(name for corpus in corpora for name in corpus.table["id"].to_pylist())
    for batch in loader:
        asked = [_asked(sample, question) for sample in batch.samples]
        texts = model.generate(batch.to(device), [turns for turns, _ in asked], **generation)
        for sample, text, (_, references) in zip(batch.samples, texts, asked, strict=True):
            name = sample.id if ids[sample.id] == 1 else f"{sample.id}/{sample.key}"
            number = 0 if question else _number(sample)
            line = {"id": f"{name}#{number + 1}" if number else name, "answer": text}
            line["references"] = references
            yield line | {key: sample.metadata[key] for key in METADATA if sample.metadata.get(key)}


def _asked(sample: TrainingSample, question: str | None) -> tuple[Turns, list[str]]:
    """The turns to be answered, and what would be right. A row's own `references` win over its answer."""
    if question:
        return [{"from": "human", "value": question}], []
    turns = sample.conversation or ()
    if not turns:
        raise ConversationError(f"sample {sample.id} ({sample.key}) asks nothing: give a --question")
    last = turns[-1]
    right = [] if last["from"] == "human" else [last["value"]]
    listed = sample.metadata.get("references")
    if listed and len(sample.conversations) == 1:
        right = [listed] if isinstance(listed, str) else list(listed)
    return (turns if last["from"] == "human" else turns[:-1]), right


def _number(sample: TrainingSample) -> int:
    """Which of its conversations was drawn."""
    return next((n for n, turns in enumerate(sample.conversations) if turns is sample.conversation), 0)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.favor.answer", description=__doc__)
    parser.add_argument("corpus", help="what favor-data build wrote")
    parser.add_argument("--run", type=Path, required=True, help="folder that train or convert wrote")
    parser.add_argument("--question", help="asked of every sample (its own conversations' questions)")
    parser.add_argument("--output", type=Path, help="JSON lines for favor-data score (standard output)")
    parser.add_argument("--where", metavar="SQL", help='ask these samples alone, as in "steps >= 20"')
    parser.add_argument("--visual", help="column of the pictures (the run's)")
    parser.add_argument("--audio", help="column of the sound (the run's)")
    parser.add_argument("--llm", help="where the run's language model lies now (as it was trained)")
    parser.add_argument("--batch-size", type=int, default=8, help="samples at once (%(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=256, help="longest answer (%(default)s)")
    parser.add_argument("--beams", type=int, help="of the search (the run's: 5 as released; 1 is greedy)")
    parser.add_argument("--repetition-penalty", type=float, help="(the run's: 1.5 as released; 1 is none)")
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)"
    )
    return parser.parse_args(arguments)


def load(options: argparse.Namespace) -> tuple[Favor, dict[str, Any], Any]:
    """The run's model, how it generates, and its settings.

    Raises:
        RunError, LanguageModelError, SettingsError: one line each.
    """
    content = checkpoint.read(options.run)
    if content is None:
        raise RunError(f"{options.run} holds no {checkpoint.CHECKPOINT_NAME}: is it a run's --output?")
    settings = content["settings"].moved(options.visual, options.audio, options.llm)
    on_gpu = torch.device(options.device).type == "cuda"
    model = settings.build(torch.bfloat16 if on_gpu else torch.float32)
    checkpoint.put(content["model"], model)
    generation = {**settings.generation, "max_new_tokens": options.max_new_tokens}
    chosen = {"num_beams": options.beams, "repetition_penalty": options.repetition_penalty}
    generation |= {name: value for name, value in chosen.items() if value is not None}
    return model.to(options.device).eval(), generation, settings


def run(options: argparse.Namespace) -> None:
    corpus = open_selected(options.corpus, options.where, conversations=options.question is None)
    model, generation, settings = load(options)
    collate = settings.collate(corpus)
    asked: Conversations = "draw" if options.question else "expand"
    loader = CorpusLoader(corpus, options.batch_size, collate=collate, shuffle=False, conversations=asked)
    device = torch.device(options.device)
    lines, told = [], time.monotonic()
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        for line in answers(model, loader, generation, device, options.question):
            lines.append(line)
            if options.output is None:
                print(json.dumps(line, ensure_ascii=False), flush=True)
            elif time.monotonic() - told > EVERY_SECONDS:
                told = time.monotonic()
                print(f"{len(lines)} answers, {len(corpus)} samples", file=sys.stderr, flush=True)
    if options.output is not None:
        checkpoint.write_lines(options.output, lines)
        print(f"{len(lines)} answers: {options.output}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 unusable arguments, 3 storage failed."""
    options = parse(arguments)
    try:
        run(options)
    except (
        CorpusError,
        SelectionError,
        RunError,
        LanguageModelError,
        SettingsError,
        ConversationError,
    ) as error:
        print(f"answer: {error}", file=sys.stderr)
        return 2
    except (ExtentError, StorageError, OSError) as error:
        print(f"answer: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
