"""The words of a file, each with its times, and the share of them that lies in one span."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from schemas.grid import STEP_NS, Span, ns_to_seconds, seconds_to_ns
from schemas.shard import json_bytes

UNDETERMINED = "und"  # BCP 47: no language was heard


@dataclass(frozen=True, slots=True)
class Word:
    """`text` as Whisper writes it, with the space before it where its language has spaces; times in the
    media's own time, in hundredths of a second; `confidence`: the mean probability of its tokens."""

    text: str
    start_ns: int
    end_ns: int
    confidence: float

    @property
    def middle_ns(self) -> int:
        """The instant that decides to which span and step it belongs."""
        return (self.start_ns + self.end_ns) // 2


@dataclass(frozen=True)
class Transcript:
    """What was said in a file, in order of time.

    Attributes:
        language: Whisper's code ("en"), or UNDETERMINED.
        windows, extra_windows: 30 s windows that were decoded, and those of them whose start is no multiple
            of 30 s, so that an encoder of its own had to see them.
    """

    language: str
    words: tuple[Word, ...] = ()
    windows: int = 0
    extra_windows: int = 0

    def to_bytes(self) -> bytes:
        """The cache entry of a file."""
        said = [
            [w.text, ns_to_seconds(w.start_ns), ns_to_seconds(w.end_ns), w.confidence] for w in self.words
        ]
        counted = {"windows": self.windows, "extra_windows": self.extra_windows}
        return json_bytes({"language": self.language, **counted, "words": said})

    def within(self, span: Span) -> Iterator[Word]:
        """The words whose middle lies in the span."""
        return (word for word in self.words if span.start_ns <= word.middle_ns < span.end_ns)

    def members(self, span: Span) -> dict[str, bytes]:
        """`txt` and `words.json` of a sample."""
        text = "".join(word.text for word in self.within(span)).strip()
        return {"txt": text.encode(), "words.json": json_bytes(self.record(span))}

    def record(self, span: Span) -> dict[str, Any]:
        """What `words.json` says: {"language", "words": [{"word", "start", "end", "confidence", "step"}, …]},
        times in seconds of the media's own time, steps counted from the span's start."""
        return {"language": self.language, "words": [_record(word, span) for word in self.within(span)]}

    def later(self, by_ns: int) -> Transcript:
        """The same said later in the media."""
        words = (
            replace(word, start_ns=word.start_ns + by_ns, end_ns=word.end_ns + by_ns) for word in self.words
        )
        return replace(self, words=tuple(words))


def spoken_share(words: Iterable[Mapping[str, Any]], span: Span) -> float:
    """The share of a span that the words of its `words.json` cover."""
    start, end = ns_to_seconds(span.start_ns), ns_to_seconds(span.end_ns)
    spoken, until = 0.0, start
    for word in sorted(words, key=lambda word: word["start"]):
        first, last = max(word["start"], until), min(word["end"], end)
        spoken += max(last - first, 0.0)
        until = max(until, last)
    return round(spoken / (end - start), 6)


def _record(word: Word, span: Span) -> dict[str, Any]:
    return {
        "word": word.text.strip(),
        "start": ns_to_seconds(word.start_ns),
        "end": ns_to_seconds(word.end_ns),
        "confidence": word.confidence,
        "step": (word.middle_ns - span.start_ns) // STEP_NS,
    }


@lru_cache(maxsize=2)
def transcript(entry: bytes) -> Transcript:
    """Inverse of `to_bytes`; the samples of a file come one after another, so the last ones are kept."""
    values = json.loads(entry)
    words = tuple(
        Word(text, seconds_to_ns(a), seconds_to_ns(b), sure) for text, a, b, sure in values["words"]
    )
    return Transcript(values["language"], words, values["windows"], values["extra_windows"])
