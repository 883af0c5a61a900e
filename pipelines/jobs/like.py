"""`--like`: the options of systems whose released code says how their data were made (docs/favor.md).

An option that the user gives beside `--like` wins over the recipe's; so does a column of the same name.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.errors import UsageError

_FAVOR: Mapping[str, Any] = {
    "whisper": "large-v2",
    "clip": "none",
    "encode": ["clip_prompted=prompted:Salesforce/instructblip-vicuna-13b"],
    "clip_seconds": "60",
    "first_clip": True,
    "frame_at": "favor",
    "fit": "favor",
    "audio_channel": "first",
    "audio_tail": True,
}
_BEATS = "beats=beats:BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"  # where the authors' code runs
LIKE: Mapping[str, Mapping[str, Any]] = {
    "favor": _FAVOR,
    "video-salmonn": {**_FAVOR, "encode": [*_FAVOR["encode"], _BEATS]},
}


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options as `pipelines.settings.settings` takes them, beside them those of the recipe `like` names.

    Raises:
        UsageError: no such recipe.
    """
    name = given.get("like") or ""
    if not name:
        return dict(given)
    if name not in LIKE:
        raise UsageError(f"like {name!r} is none of {', '.join(LIKE)}")
    encode: Mapping[str, str] | Iterable[str] = given.get("encode") or ()
    texts = [f"{c}={spec}" for c, spec in encode.items()] if isinstance(encode, Mapping) else list(encode)
    return {**LIKE[name], **given, "encode": [*_columns(name, texts), *texts]}


def presets(argv: Sequence[str]) -> dict[str, Any]:
    """Defaults of the command's options, by the recipe that its arguments name; empty: none is named."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--like", default="")
    parser.add_argument("--encode", action="append", default=[])
    try:
        given, _ = parser.parse_known_args(list(argv))
    except argparse.ArgumentError:  # the command's own parser says what is wrong
        return {}
    if given.like not in LIKE:
        return {}
    return {**LIKE[given.like], "encode": _columns(given.like, given.encode)}


def _columns(name: str, given: Iterable[str]) -> list[str]:
    """The recipe's COLUMN=KIND:MODEL, less those columns that are given."""
    named = {text.partition("=")[0] for text in given}
    return [text for text in LIKE[name]["encode"] if text.partition("=")[0] not in named]
