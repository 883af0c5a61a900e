"""Conversations in the field's forms, as turns {"from": "human" | "gpt", "value": text}.

LLaVA      [{"from": "human", "value": "<image>\\nWhat …?"}, {"from": "gpt", "value": "…"}]
ShareGPT   the same with user, assistant, chatgpt …; "system" turns
OpenAI     [{"role": "user", "content": "…" or [{"type": "text", "text": "…"}, {"type": "image_url", …}]}, …]
VideoChat  [{"q": "…", "a": "…"}, …], "i" an instruction before the question
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.forms.errors import FormError

_SPEAKERS = {
    "human": "human",
    "user": "human",
    "gpt": "gpt",
    "assistant": "gpt",
    "chatgpt": "gpt",
    "bing": "gpt",
    "bard": "gpt",
}
_SYSTEM = ("system", "developer")
_MARK = r"<(?:image|video|audio|speech)>"
_AT_AN_END = re.compile(rf"\A(?:\s*{_MARK})+\s*|\s*(?:{_MARK}\s*)+\Z")
_PARTS = {"image": "image", "image_url": "image", "video": "video", "video_url": "video", "audio": "audio",
          "audio_url": "audio", "input_audio": "audio"}  # fmt: skip


@dataclass
class Talk:
    """Turns, what was said to the model beforehand, and the media named on the way (modality -> names)."""

    turns: list[dict[str, str]] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    media: dict[str, list[str]] = field(default_factory=dict)


def is_talk(value: Any) -> bool:
    """Whether a column holds one conversation of any of these forms."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(
            isinstance(turn, Mapping) and ({"from", "value"} <= set(turn) or {"role", "content"} <= set(turn))
            for turn in value
        )
    )


def talk_of(value: Sequence[Mapping[str, Any]], column: str) -> Talk:
    """A conversation of LLaVA's, ShareGPT's or OpenAI's form.

    Raises:
        FormError: a speaker or a part that this cannot hold.
    """
    talk = Talk()
    for number, turn in enumerate(value):
        place = f"field '{column}.{number}'"
        speaker, said = (turn["from"], turn["value"]) if "from" in turn else (turn["role"], turn["content"])
        text = _text(said, talk, place)
        if speaker in _SYSTEM:
            talk.system.append(text)
        elif speaker in _SPEAKERS:
            name = _SPEAKERS[speaker]
            talk.turns.append({"from": name, "value": without_tokens(text) if name == "human" else text})
        else:
            raise FormError(f"{place}: speaker {speaker!r} is none of {', '.join(_SPEAKERS)}, system")
    return talk


def is_questions(value: Any) -> bool:
    """Whether a column holds VideoChat's questions and answers."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(pair, Mapping) and {"q", "a"} <= set(pair) for pair in value)
    )


def questions_of(value: Sequence[Mapping[str, Any]], column: str) -> list[dict[str, str]]:
    """VideoChat's pairs as one conversation.

    Raises:
        FormError: a question or an answer is no text.
    """
    turns: list[dict[str, str]] = []
    for number, pair in enumerate(value):
        if not isinstance(pair["q"], str) or not isinstance(pair["a"], str):
            raise FormError(f"field '{column}.{number}': 'q' and 'a' must be texts")
        question = " ".join(filter(None, (str(pair.get("i") or "").strip(), without_tokens(pair["q"]))))
        turns += [{"from": "human", "value": question}, {"from": "gpt", "value": pair["a"]}]
    return turns


def without_tokens(text: str) -> str:
    """Without <image>, <video>, <audio> at its ends: they mark where a model puts the row's own medium. A
    text that is nothing else stays."""
    return _AT_AN_END.sub("", text) or text


def _text(said: Any, talk: Talk, place: str) -> str:
    if isinstance(said, str):
        return said
    if not isinstance(said, Sequence):
        raise FormError(f"{place}: says neither a text nor a list of parts")
    words: list[str] = []
    for part in said:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
            words.append(part["text"])
        elif kind in _PARTS:
            talk.media.setdefault(_PARTS[kind], []).append(_named(part.get(kind), place))
        else:
            raise FormError(f"{place}: a part of type {kind!r} cannot be read")
    return "\n".join(words)


def _named(value: Any, place: str) -> str:
    """A medium by its name: text, or {"url": text}."""
    name = value.get("url") if isinstance(value, Mapping) else value
    if not isinstance(name, str) or name.startswith("data:"):
        raise FormError(f"{place}: media must be named, not written into the text: save them to files")
    return name.removeprefix("file://")
