"""The held-out part while training: its loss over all ranks, and a few answers to read."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import torch

from examples.favor.answer import answers
from examples.favor.checkpoint import write_lines
from examples.favor.settings import ModelSettings
from examples.favor.training.steps import Training
from loaders.corpus import Corpus
from loaders.loader import CorpusLoader
from loaders.synchronise import Synchronise

LONGEST_ANSWER = 64  # tokens: they are for reading while training


class HeldOut:
    """Args:
    shown: how many answers are written.
    """

    def __init__(
        self, corpus: Corpus, collate: Synchronise, batch_size: int, settings: ModelSettings, shown: int
    ) -> None:
        self.corpus, self.collate, self.batch_size = corpus, collate, batch_size
        self.settings, self.shown = settings, shown

    @torch.no_grad()
    def loss(self, training: Training) -> float:
        """Mean over the answers' tokens of every conversation, once each. A collective."""
        loader = CorpusLoader(
            self.corpus, self.batch_size, collate=self.collate, shuffle=False, conversations="expand"
        )
        model, ranks = training.model.eval(), training.ranks
        summed = tokens = 0.0
        for batch in loader:
            turns = [sample.conversation for sample in batch.samples]
            tokens += model.answer_tokens(batch, turns)
            with training.autocast():
                summed += model(batch.to(ranks.device), turns, 1.0).answer.item()
        summed, tokens = ranks.total(summed, tokens)
        return summed / max(tokens, 1.0)

    def write_answers(self, training: Training, path: Path) -> None:
        """JSON lines as `favor-data score` reads them, of the first conversations; by one rank alone."""
        loader = CorpusLoader(
            self.corpus,
            self.batch_size,
            collate=self.collate,
            shuffle=False,
            conversations="expand",
            rank=0,
            world_size=1,
        )
        options = {**self.settings.generation, "max_new_tokens": LONGEST_ANSWER}
        with training.autocast():
            given = answers(training.model.eval(), loader, options, training.ranks.device)
            write_lines(path, list(islice(given, self.shown)))
