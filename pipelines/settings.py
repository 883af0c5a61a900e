"""What a build is asked for, each setting in its own type; unusable ones are found before work begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from decoders import DECODERS
from pipelines.errors import UsageError
from pipelines.storage.uris import URIS
from schemas.cuts import CutAt, Cutting
from schemas.features import FLOAT16, STORES
from schemas.forms.plain import is_whole
from schemas.grid import STEP_NS, FrameAt, ns_to_seconds, seconds_to_ns
from schemas.manifest import InputRow
from schemas.media import Modality
from schemas.reasons import Reason
from signals.registry import versions
from storage import files

KEEPS = ("frames", "audio")
FITS = ("crop", "squash", "favor")
CHANNELS = ("mix", "first")
SIGNAL_WAYS = ("grid", "full")  # of the grid's frames, or of every frame
_UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KIB": 1 << 10,
    "MIB": 1 << 20,
    "GIB": 1 << 30,
}
# Shard members, products and outputs of steps.
_RESERVED_COLUMNS = {
    "json", "txt", "signals", "flac", "jpg", "jpeg", "npy", "text", "words", "placement", "outcomes", "main",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of one build; the command's options say what each of them does (favor-data build --help).

    Attributes:
        encode: texts COLUMN=KIND:MODEL, beside `whisper` and `clip`.
        store: texts COLUMN=int8 (or float16, as all others are stored).
        clip_ns: a positive multiple of the 0.5 s step.
        cut: a name of schemas.cuts.CutAt; `shortest_ns`: what it leaves, a multiple of the step.
        retry: reasons of the ledger to look at again.
        least_rate: bytes a second (decoders/limits.py).
        max_rejected: the part of the inputs, from 0 to 1, above which the command says that it failed.
        signals: one of SIGNAL_WAYS; empty: none are measured.
        language: Whisper's code of what is spoken; None: detected once a file.
        like: whose recipe the other settings are of (pipelines.jobs.like.py); recorded only.
        mirror: what the SOURCEs no longer name leaves the corpus; `yes`: also over a tenth of it.
        dry_run: nothing is written.
        limit: only so many inputs are looked at; None: all.
        quiet: nothing is said but what goes wrong.
        json: the summary is one line of JSON.
        again: the corpus's own encoders and no others.
        no_sound: sound is left out, and Whisper's column with it.
        uris: what KEY.json says of where media lie: one of pipelines.storage.uris.URIS.
        skip_bad_rows: a manifest's row that is wrong is rejected, not an error.

    Raises:
        UsageError: a decoder or a fit that does not exist; a language of words that nobody asked for; a
            folder or a model whose name is not UTF-8.
    """

    output: str
    sources: tuple[str, ...] = ()
    whisper: str = "large-v2"
    clip: str = "openai/clip-vit-large-patch14"
    encode: tuple[str, ...] = ()
    store: tuple[str, ...] = ()
    clip_ns: int = 60 * STEP_NS
    cut: str = CutAt.CLIPS
    shortest_ns: int = 4 * STEP_NS
    frame_at: FrameAt = FrameAt.CENTER
    fit: str = "crop"
    clip_tokens: str = "patch"
    decoder: str = "pyav"
    keep: frozenset[str] = frozenset()
    transcribe: bool = False
    language: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    shard_bytes: int = 512 * 10**6
    cache: str | None = None
    retry: frozenset[str] = frozenset()
    max_rejected: float | None = None
    least_rate: float = 8.0
    accelerator: str | None = None
    audio_track: str = ""
    signals: str = ""
    where: str | None = None
    audio_channel: str = "mix"
    audio_tail: bool = False
    prompt: str = ""
    first_clip: bool = False
    like: str = ""
    mirror: bool = False
    yes: bool = False
    dry_run: bool = False
    limit: int | None = None
    quiet: bool = False
    json: bool = False
    again: bool = False
    no_sound: bool = False
    skip_bad_rows: bool = False
    uris: str = "full"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("decoder", self.decoder, DECODERS),
            ("fit", self.fit, FITS),
            ("cut", self.cut, tuple(CutAt)),
            ("uris", self.uris, URIS),
            ("audio_channel", self.audio_channel, CHANNELS),
        ):
            if value not in choices:
                raise UsageError(f"{name} {value!r} is none of {', '.join(choices)}")
        for name, text in (
            ("output", files.absolute(self.output)),
            ("cache", files.absolute(self.cache) if self.cache else ""),
            *(("encode", spec) for spec in (self.whisper, self.clip, *self.encode)),
        ):
            if not is_whole(text):
                raise UsageError(f"{name} {text!r} is not UTF-8: no table can hold that name: give another")
        if self.language and not self.transcribe:
            raise UsageError("language is that of the words: give --transcribe too")
        if self.cut != CutAt.CLIPS and 2 * self.shortest_ns > self.clip_ns:
            raise UsageError(
                f"--shortest-clip {ns_to_seconds(self.shortest_ns):g}: at most half of --clip-seconds "
                f"({ns_to_seconds(self.clip_ns):g}), the longest"
            )
        if self.signals and self.signals not in SIGNAL_WAYS:
            raise UsageError(f"signals {self.signals!r} is none of {', '.join(SIGNAL_WAYS)}")
        if self.signals == "full" and self.decoder != "pyav":
            raise UsageError(
                f"--signals full reads every frame with pyav: leave out --decoder {self.decoder}"
            )
        if self.limit is not None and self.mirror:
            raise UsageError("mirror takes out what no SOURCE names: leave out --limit")

    @property
    def named(self) -> tuple[str, ...]:
        """Every uri that the user named himself."""
        return (*self.sources, self.output, *([self.cache] if self.cache else []))

    def cutting(self) -> Cutting:
        """How media are cut."""
        return Cutting(self.clip_ns, CutAt(self.cut), self.shortest_ns, self.first_clip)

    def columns(self) -> dict[str, str]:
        """Column -> KIND:MODEL, `whisper` and `clip` written out.

        Raises:
            UsageError: no column, one twice, or a name that cannot be a shard member's.
        """
        hears = self.whisper != "none" and not self.no_sound
        given = [("whisper", f"whisper:{self.whisper}")] if hears else []
        given += [("clip", f"clip:{self.clip}")] if self.clip != "none" else []
        named = {name for name, _, _ in (text.partition("=") for text in self.encode)}
        given = [(name, spec) for name, spec in given if name not in named]
        for text in self.encode:
            name, equals, spec = text.partition("=")
            if name in _RESERVED_COLUMNS or name.startswith("frame_"):
                raise UsageError(f"--encode {text}: {name}: favor-data uses that name itself")
            if not equals or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise UsageError(
                    f"--encode {text}: want COLUMN=KIND:MODEL, COLUMN in small letters, digits and _"
                )
            if name in dict(given):
                raise UsageError(f"--encode {text}: column {name} is given twice")
            given.append((name, spec))
        if not given:
            raise UsageError("nothing to encode: give --whisper, --clip or --encode")
        return dict(given)

    def heard(self, row: InputRow) -> InputRow:
        """The row without its sound, where none is wanted."""
        if not self.no_sound:
            return row
        named: dict[Modality, str] = {**row.named}
        named.pop(Modality.AUDIO, None)
        if row.uris and not (named or row.media):
            return replace(row, named={}, refusal=(Reason.MISSING_MODALITY, "sound alone, and --no-sound"))
        return replace(row, named=named, silent=True)

    def stores(self) -> dict[str, str]:
        """Column -> how it is stored, where that is not float16.

        Raises:
            UsageError: no such column, or no such way.
        """
        found, known = {}, self.columns()
        for text in self.store:
            name, _, way = text.partition("=")
            if name not in known or way not in STORES:
                raise UsageError(
                    f"--store {text}: want COLUMN={'|'.join(STORES)}, COLUMN one of {', '.join(known)}"
                )
            found[name] = way
        return {name: way for name, way in sorted(found.items()) if way != FLOAT16}

    def recorded(self) -> dict[str, Any]:
        """What shaped the corpus, for corpus.json; where it was run and from where is not part of it."""
        return {
            "columns": self.columns(),
            "clip_seconds": ns_to_seconds(self.clip_ns),
            **({} if self.cut == CutAt.CLIPS else self._cut_recorded()),
            "frame_at": str(self.frame_at),
            "fit": self.fit,
            "clip_tokens": self.clip_tokens,
            "decoder": self.decoder,
            **({"store": self.stores()} if self.stores() else {}),
            "keep": sorted(self.keep),
            "transcribe": self.transcribe,
            **({"language": self.language} if self.transcribe else {}),
            "device": self.device,
            "dtype": self.dtype,
            "shard_bytes": self.shard_bytes,
            **({"audio_track": self.audio_track} if self.audio_track else {}),
            **({"signals": versions(full=self.signals == "full")} if self.signals else {}),
            **({"where": self.where} if self.where else {}),
            **({"no_sound": True} if self.no_sound else {}),
            **({"uris": self.uris} if self.uris != "full" else {}),
            **({"audio_channel": self.audio_channel} if self.audio_channel != "mix" else {}),
            **({"audio_tail": True} if self.audio_tail else {}),
            **({"prompt": self.prompt} if self.prompt else {}),
            **({"first_clip": True} if self.first_clip else {}),
            **({"like": self.like} if self.like else {}),
        }

    def _cut_recorded(self) -> dict[str, Any]:
        return {"cut": str(self.cut), "shortest_clip": ns_to_seconds(self.shortest_ns)}


def settings(
    *,
    clip_seconds: str | float = 30,
    shortest_clip: str | float = 2,
    frame_at: str = "center",
    encode: Mapping[str, str] | Iterable[str] | None = None,
    store: Mapping[str, str] | Iterable[str] | None = None,
    keep: str | Iterable[str] = (),
    shard_size: str | int = "512MB",
    retry: str | Iterable[str] = (),
    max_rejected: str | float | None = None,
    least_rate: str | float = 8,
    audio_track: str | int = "",
    limit: str | int | None = None,
    signals: str | bool = "",
    sources: Iterable[str] = (),
    **others: Any,
) -> Settings:
    """From the options as a user writes them; `others` are those that Settings has under the same names.

    Raises:
        UsageError: what is wrong with which of them.
    """
    given: dict[str, tuple[str, Callable[[Any], Any], Any]] = {
        "clip_ns": ("clip_seconds", clip_length, clip_seconds),
        "shortest_ns": ("shortest_clip", clip_length, shortest_clip),
        "frame_at": ("frame_at", frame_instant, frame_at),
        "keep": ("keep", kept, keep),
        "shard_bytes": ("shard_size", size, shard_size),
        "retry": ("retry", reasons, retry),
        "max_rejected": ("max_rejected", lambda given: None if given is None else share(given), max_rejected),
        "least_rate": ("least_rate", rate, least_rate),
        "audio_track": ("audio_track", sound_track, audio_track),
        "limit": ("limit", at_most, limit),
        "signals": ("signals", lambda given: "grid" if given is True else given or "", signals),
    }
    typed: dict[str, Any] = {}
    for name, (option, parse, value) in given.items():
        try:
            typed[name] = parse(value)
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from error
    try:
        return Settings(sources=tuple(sources), encode=_texts(encode), store=_texts(store), **typed, **others)
    except TypeError as error:
        raise UsageError(str(error).partition("() ")[2]) from error


def at_most(given: str | int | None) -> int | None:
    """How many inputs; None: all.

    Raises:
        ValueError: no number of them.
    """
    if given is None:
        return None
    if not str(given).isdecimal() or not int(given):
        raise ValueError(f"{given!r} is not a number of inputs")
    return int(given)


def _texts(given: Mapping[str, str] | Iterable[str] | None) -> tuple[str, ...]:
    """NAME=VALUE each."""
    if isinstance(given, Mapping):
        return tuple(f"{name}={value}" for name, value in given.items())
    return tuple(given or ())


def clip_length(seconds: str | float) -> int:
    """Nanoseconds of a clip's length.

    Raises:
        ValueError: not a positive multiple of the step.
    """
    clip_ns = seconds_to_ns(seconds)
    if clip_ns <= 0 or clip_ns % STEP_NS:
        raise ValueError(f"{seconds} is not a positive multiple of the 0.5 s step")
    return clip_ns


def frame_instant(text: str) -> FrameAt:
    """Raises:
    ValueError: no such instant.
    """
    try:
        return FrameAt(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is none of {', '.join(FrameAt)}") from error


def sound_track(given: str | int) -> str:
    """A number that counts from 1, or a language; "" for the main track.

    Raises:
        ValueError: neither.
    """
    text = str(given)
    if text.isdecimal():
        if not int(text):
            raise ValueError("tracks are counted from 1")
        return str(int(text))
    from decoders.timeline.choice import language

    return language(text) if text else ""


def kept(names: str | Iterable[str]) -> frozenset[str]:
    """What to keep beside the features: names, or a text of them with commas between.

    Raises:
        ValueError: something other than KEEPS.
    """
    found = _names(names)
    if found - set(KEEPS):
        raise ValueError(f"{names!r} names something other than {', '.join(KEEPS)}")
    return found


def reasons(names: str | Iterable[str]) -> frozenset[str]:
    """Raises:
    ValueError: no such reason.
    """
    found = _names(names)
    if unknown := found - set(Reason):
        raise ValueError(f"{min(unknown)!r} is none of {', '.join(Reason)}")
    return found


def share(given: str | float) -> float:
    """From 0 to 1, of "5%", or of a number of per cent.

    Raises:
        ValueError: none from 0 to 100.
    """
    try:
        found = float(str(given).removesuffix("%"))
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise ValueError(f"{given!r} is not a part such as 5%")
    return found / 100


def rate(given: str | float) -> float:
    """Bytes a second.

    Raises:
        ValueError: no number from 0 on.
    """
    try:
        found = float(given)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise ValueError(f"{given!r} is not a number of bytes a second")
    return found


def size(given: str | int) -> int:
    """Bytes of "512MB", "1GiB", or a number.

    Raises:
        ValueError: no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(given))
    try:
        found = int(Decimal(match[1]) * _UNITS[match[2].upper()]) if match else 0
    except (KeyError, InvalidOperation):
        found = 0
    if found <= 0:
        raise ValueError(f"{given!r} is not a size such as 512MB or 1GiB")
    return found


def _names(names: str | Iterable[str]) -> frozenset[str]:
    parts = names.split(",") if isinstance(names, str) else names
    return frozenset(part for part in parts if part)
