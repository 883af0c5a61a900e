"""FAVOR's prompt: `<s>USER: <Img>{av tokens}</Img> {question}\\nASSISTANT:{answer}</s>`; loss on answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

PREFIX = "USER: <Img>"
IGNORED = -100
_PLACEHOLDER = re.compile(r"\s*<(?:image|video|audio|speech)>\s*")


class ConversationError(ValueError):
    """A conversation that cannot be learnt from: one line that says why."""


Turns = Sequence[Mapping[str, str]]


class Prompt(NamedTuple):
    """Token ids before and after the audio-visual tokens; `labels` go with `after`, -100: no loss."""

    before: torch.Tensor
    after: torch.Tensor
    labels: torch.Tensor


def build_prompt(tokenizer: PreTrainedTokenizerBase, turns: Turns) -> Prompt:
    """One conversation as FAVOR's published code writes it. A last human turn is left open, to be answered.

    LLaVA's placeholders (<image>, <video>) are dropped: the tokens' place is fixed.

    Raises:
        ConversationError: no turn at all, or turns that do not alternate, beginning with the human.
    """
    if not turns:
        raise ConversationError("a conversation without turns")
    bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    before = bos + _ids(tokenizer, PREFIX)
    after: list[int] = []
    labels: list[int] = []
    for number, turn in enumerate(turns):
        if turn["from"] != ("human", "gpt")[number % 2]:
            raise ConversationError("the turns of a conversation must alternate, human first")
        if turn["from"] == "human":
            opening = "USER: " if number else "</Img> "
            ids = _ids(tokenizer, f"{opening}{_PLACEHOLDER.sub(' ', turn['value']).strip()}\nASSISTANT:")
            labels += [IGNORED] * len(ids)
        else:
            ids = [*_ids(tokenizer, turn["value"]), tokenizer.eos_token_id]
            labels += ids
        after += ids
    return Prompt(torch.tensor(before), torch.tensor(after), torch.tensor(labels))


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids
