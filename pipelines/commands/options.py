"""The command line of `favor-data build`; what is unusable is found before work begins."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from decoders import DECODERS
from pipelines.errors import UsageError
from schemas.grid import STEP_NS, FrameAt, seconds_to_ns
from schemas.reasons import Reason

KEEPS = ("frames", "audio")
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
_RESERVED_COLUMNS = {"json", "txt", "flac", "jpg"}


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would print its usage and leave."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{message} ({self.prog} --help lists the options)")


def build_parser() -> argparse.ArgumentParser:
    """Our own options; whatever it does not know must be Beam's."""
    parser = Parser(
        prog="favor-data build",
        description="Decode every source once and write aligned features as WebDataset shards.",
        epilog="Every Apache Beam option works too: --runner, --direct_num_workers, --project …",
        allow_abbrev=False,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="media file, folder, glob, manifest (.jsonl .csv .parquet) or tar of raw media",
    )
    parser.add_argument("--output", required=True, metavar="OUT", help="the corpus: a folder, gs://, s3:// …")
    parser.add_argument(
        "--whisper",
        default="large-v2",
        metavar="MODEL",
        help="openai-whisper name, .pt, CTranslate2 folder, random:SIZE, none (%(default)s)",
    )
    parser.add_argument(
        "--clip",
        default="openai/clip-vit-large-patch14",
        metavar="MODEL",
        help="Hugging Face id or folder, random:vit-b-32, none (%(default)s)",
    )
    parser.add_argument(
        "--encode",
        action="append",
        default=[],
        metavar="COLUMN=KIND:MODEL",
        help="one more column of features; may be given several times",
    )
    parser.add_argument(
        "--clip-seconds",
        type=_clip_ns,
        default=_clip_ns("30"),
        dest="clip_ns",
        metavar="S",
        help="length of the samples that rows without annotations are cut into (30)",
    )
    parser.add_argument(
        "--frame-at",
        type=_frame_at,
        default=FrameAt.CENTER,
        metavar="|".join(FrameAt),
        help="which instant of a 0.5 s step picks its frame (center)",
    )
    parser.add_argument(
        "--fit",
        choices=("crop", "squash"),
        default="crop",
        help="CLIP's own preprocessing, or FAVOR's: the whole picture (%(default)s)",
    )
    parser.add_argument(
        "--clip-tokens",
        default="patch",
        metavar="patch|cls|pool:NxN",
        help="which tokens of a frame to keep (%(default)s)",
    )
    parser.add_argument("--decoder", choices=DECODERS, default="pyav", help="what gives pixels (%(default)s)")
    parser.add_argument(
        "--keep",
        type=_keep,
        default=frozenset(),
        metavar="frames,audio",
        help="store the grid's frames as JPEG and the span's sound as FLAC too",
    )
    parser.add_argument("--transcribe", action="store_true", help="also store the words that Whisper hears")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (%(default)s)")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, float16 (%(default)s)")
    parser.add_argument(
        "--shard-size",
        type=_size,
        default=_size("512MB"),
        dest="shard_bytes",
        metavar="SIZE",
        help="a shard is closed before it outgrows this (512MB)",
    )
    parser.add_argument("--cache", metavar="DIR", help="feature cache, may be shared by corpora (OUT/cache)")
    parser.add_argument(
        "--retry",
        type=_reasons,
        default=frozenset(),
        metavar="REASON[,REASON]",
        help="look again at inputs that the ledger rejects for these reasons",
    )
    parser.add_argument(
        "--accelerator",
        metavar="HINT",
        help="Dataflow: GPUs for the stage that encodes, as type:nvidia-l4;count:1;install-nvidia-driver",
    )
    return parser


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our options, and Beam's, checked against the options that Beam knows.

    Raises:
        UsageError: unknown or unusable arguments.
    """
    ours, beams = build_parser().parse_known_args(list(argv))
    check_beam(beams)
    if not any(argument.partition("=")[0] == "--runner" for argument in beams):
        beams.append("--runner=FnApiRunner")  # DirectRunner would first try to download Prism
    return ours, beams


def check_beam(arguments: list[str]) -> None:
    """Raises:
    UsageError: an option that Beam does not know either.
    """
    parser = Parser(prog="favor-data build", allow_abbrev=False, add_help=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    _, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise UsageError(f"unknown option {unknown[0]} (--help lists the options)")


def columns(ours: argparse.Namespace) -> dict[str, str]:
    """Column -> KIND:MODEL, `--whisper` and `--clip` written out.

    Raises:
        UsageError: no column, one twice, or a name that cannot be a shard member's.
    """
    given = [("whisper", f"whisper:{ours.whisper}")] if ours.whisper != "none" else []
    given += [("clip", f"clip:{ours.clip}")] if ours.clip != "none" else []
    named = {name for name, _, _ in (text.partition("=") for text in ours.encode)}
    given = [(name, spec) for name, spec in given if name not in named]
    for text in ours.encode:
        name, equals, spec = text.partition("=")
        if not equals or not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in _RESERVED_COLUMNS:
            raise UsageError(
                f"--encode {text}: want COLUMN=KIND:MODEL, COLUMN in small letters, digits and _"
            )
        if name in dict(given):
            raise UsageError(f"--encode {text}: column {name} is given twice")
        given.append((name, spec))
    if not given:
        raise UsageError("nothing to encode: give --whisper, --clip or --encode")
    return dict(given)


def _clip_ns(text: str) -> int:
    try:
        clip_ns = seconds_to_ns(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if clip_ns <= 0 or clip_ns % STEP_NS:
        raise argparse.ArgumentTypeError(f"{text} is not a positive multiple of the 0.5 s step")
    return clip_ns


def _frame_at(text: str) -> FrameAt:
    try:
        return FrameAt(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(FrameAt)}") from error


def _keep(text: str) -> frozenset[str]:
    kept = frozenset(part for part in text.split(",") if part)
    if kept - set(KEEPS):
        raise argparse.ArgumentTypeError(f"{text!r} names something other than {', '.join(KEEPS)}")
    return kept


def _reasons(text: str) -> frozenset[str]:
    reasons = frozenset(text.split(","))
    if unknown := reasons - set(Reason):
        raise argparse.ArgumentTypeError(f"{min(unknown)!r} is none of {', '.join(Reason)}")
    return reasons


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text)
    try:
        size = int(Decimal(match[1]) * _UNITS[match[2].upper()]) if match else 0
    except (KeyError, InvalidOperation):
        size = 0
    if size <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512MB or 1GiB")
    return size
