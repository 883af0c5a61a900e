"""Trains FAVOR on a corpus: `python -m examples.favor.train CORPUS --llm MODEL --output RUN`.

Stopped at any step, by Ctrl-C, SIGTERM or a crash, and started again with the same command, it goes on from
its last checkpoint as if it had never stopped. On several GPUs: `torchrun --nproc-per-node N -m
examples.favor.train …`.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import torch

from examples.favor import checkpoint
from examples.favor.checkpoint import RunError
from examples.favor.language_model import LanguageModelError
from examples.favor.prompt import ConversationError
from examples.favor.selection import SelectionError, held_out_share, held_out_where, open_selected
from examples.favor.settings import ModelSettings, SettingsError
from examples.favor.training.evaluation import HeldOut
from examples.favor.training.options import PRECISIONS, parse, settings_of
from examples.favor.training.ranks import Ranks, joined
from examples.favor.training.steps import NotFiniteError, Rate, Step, Training
from examples.favor.training.stop import Stop
from loaders.corpus import Corpus
from loaders.extent import ExtentError
from loaders.loader import CheckpointError, CorpusLoader
from loaders.opening import CorpusError
from loaders.schedule.agreement import RanksDifferError
from storage.errors import StorageError

EVERY_SECONDS = 10  # between lines of progress
UNUSABLE = (
    CheckpointError,
    ConversationError,
    CorpusError,
    LanguageModelError,
    RanksDifferError,
    RunError,
    SelectionError,
    SettingsError,
)


class Run:
    """One command's work: everything between its options and its checkpoints."""

    def __init__(self, options: argparse.Namespace, ranks: Ranks) -> None:
        self.options, self.ranks = options, ranks
        corpus = open_selected(options.corpus, options.where)
        training_part, held_out = _parts(corpus, options)
        self.settings = settings_of(options, corpus)
        collate = self.settings.collate(corpus)
        self.loader = CorpusLoader(
            training_part,
            options.batch_size,
            collate=collate,
            seed=options.seed,
            rank=ranks.rank,
            world_size=ranks.size,
            num_workers=options.workers,
        )
        self.held_out = held_out and HeldOut(
            held_out, collate, options.batch_size, self.settings, options.held_out_answers
        )
        self.say(
            f"{len(training_part)} samples to learn from, {len(held_out) if held_out else 0} held out; "
            f"reading {options.llm}"
        )
        self.taken, self.seconds_before = 0, 0.0
        self.training = self._training()
        self.first, self.began = self.taken, time.monotonic()
        self.told: float | None = None

    def _training(self) -> Training:
        """Model and optimizer, as the run's checkpoint has them where there is one."""
        options = self.options
        precision = PRECISIONS[options.precision]
        found = checkpoint.read(options.output)
        if found:
            _check_same(found["settings"], self.settings, options.output)
        model = self.settings.build(frozen_dtype=precision)
        if found:
            checkpoint.put(found["model"], model)
        model.to(self.ranks.device)
        optimizer = torch.optim.AdamW(
            (p for p in model.parameters() if p.requires_grad), options.learning_rate
        )
        if found:
            state = found["state"]
            optimizer.load_state_dict(state["optimizer"])
            self.loader.load_state_dict(state["loader"])
            self.taken, self.seconds_before = state["steps"], state["seconds"]
            self.say(f"going on after step {self.taken}")
        self.steps_an_epoch = math.ceil(len(self.loader) / options.accumulate)
        steps = self.steps_an_epoch * options.epochs
        rate = Rate(options.learning_rate, options.schedule, steps, round(options.warmup * steps))
        return Training(model, optimizer, rate, self.ranks, precision, options.accumulate, options.seed)

    def work(self, stop: Stop) -> None:
        """Trains until the last epoch's end, or until `stop` has a signal on any rank."""
        options = self.options
        if self.ranks.first:
            options.output.mkdir(parents=True, exist_ok=True)
            checkpoint.cut_log(options.output, self.taken)
        saved = self.taken
        with ExitStack() as stack:
            log = stack.enter_context(self._log()) if self.ranks.first else None
            for step in self.training.steps(self.loader, options.epochs, self.taken):
                self.taken = step.step
                self._note(log, step)
                [stopped] = self.ranks.total(stop.signal)
                if stopped or step.step % options.checkpoint_every == 0:
                    self.save()
                    saved = step.step
                if stopped:
                    stop.signal = stop.signal or signal.SIGTERM  # it came to another rank alone
                    return
        if saved != self.taken:
            self.save()

    def save(self) -> None:
        if not self.ranks.first:
            return
        state = {
            "steps": self.taken,
            "seconds": self.seconds,
            "loader": self.loader.state_dict(),
            "optimizer": self.training.optimizer.state_dict(),
            "options": {name: str(value) for name, value in vars(self.options).items()},
        }
        checkpoint.save(self.options.output, self.settings, checkpoint.trained(self.training.model), state)

    @property
    def seconds(self) -> float:
        """Of training, earlier commands' too."""
        return round(self.seconds_before + time.monotonic() - self.began, 2)

    def say(self, line: str) -> None:
        if self.ranks.first:
            print(f"train: {line}", file=sys.stderr, flush=True)

    def _note(self, log: TextIO | None, step: Step) -> None:
        """The step's line, and at its time that of the held-out part."""
        self._write(log, {**step._asdict(), "seconds": self.seconds})
        every, epoch_ended = self.options.evaluate_every, self.loader.epoch != step.epoch
        if self.held_out and (step.step % every == 0 if every else epoch_ended):
            loss = self.held_out.loss(self.training)
            self._write(log, {"step": step.step, "held_out": loss, "seconds": self.seconds})
            if log and self.options.held_out_answers:
                self.held_out.write_answers(
                    self.training, self.options.output / "answers" / f"{step.step:06d}.jsonl"
                )
            self.say(f"step {step.step}: loss {loss:.4f} on the held-out part")
        now = time.monotonic()
        of = self.steps_an_epoch * self.options.epochs
        if self.told is None or now - self.told > EVERY_SECONDS or step.step == of:
            self.told = now
            left = (now - self.began) / (step.step - self.first) * (of - step.step)
            lasting = f"{left / 60:.0f} min" if left >= 60 else f"{left:.0f} s"
            self.say(
                f"step {step.step} of {of}, epoch {step.epoch + 1} of {self.options.epochs}: "
                f"loss {step.answer:.4f}, about {lasting} left"
            )

    def _log(self) -> TextIO:
        """A line is in the file as soon as it is written."""
        path: Path = self.options.output / checkpoint.LOG_NAME
        return path.open("a", buffering=1, encoding="utf-8")

    def _write(self, log: TextIO | None, line: dict[str, Any]) -> None:
        if log:
            figures = {n: float(f"{v:.7g}") if isinstance(v, float) else v for n, v in line.items()}
            log.write(json.dumps(figures) + "\n")


def _parts(corpus: Corpus, options: argparse.Namespace) -> tuple[Corpus, Corpus | None]:
    if options.held_out_where:
        return held_out_where(corpus, options.held_out_where)
    if options.held_out:
        return held_out_share(corpus, options.held_out)
    return corpus, None


def _check_same(before: ModelSettings, now: ModelSettings, output: Path) -> None:
    """Raises:
    RunError: names what differs.
    """
    old, new = before.to_json(), now.to_json()
    for name in new:
        if old[name] != new[name]:
            raise RunError(
                f"the run in {output} was begun with {name} {old[name]!r}, not {new[name]!r}: "
                "start with an empty --output, or as before"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 the loss was no number, 2 unusable arguments, 3 storage; 128 + the signal."""
    options = parse(arguments, __doc__)
    with joined(options.device) as ranks, Stop() as stop:
        return _train(options, ranks, stop)


def _train(options: argparse.Namespace, ranks: Ranks, stop: Stop) -> int:
    """A function of its own, so that the model is gone when `joined` leaves the other ranks."""
    try:
        run = Run(options, ranks)
        run.work(stop)
    except UNUSABLE as error:
        return _failed(error, 2)
    except (ExtentError, StorageError, OSError) as error:
        return _failed(error, 3)
    except NotFiniteError as error:
        return _failed(error, 1)
    where = options.output / checkpoint.CHECKPOINT_NAME
    if stop.signal:
        run.say(f"stopped after step {run.taken}: {where}; the same command goes on")
        return 128 + stop.signal
    if ranks.first:
        print(f"{run.taken} steps, {run.loader.epoch} epochs: {where}")
    return 0


def _failed(error: Exception, status: int) -> int:
    print(f"train: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
