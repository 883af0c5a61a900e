"""The command line of `favor-data build`: our options beside Beam's, in any order."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from decoders import DECODERS
from pipelines.commands.parser import Parser, meant
from pipelines.errors import UsageError
from pipelines.jobs.again import recorded_settings
from pipelines.jobs.like import LIKE, presets
from pipelines.settings import (
    CHANNELS,
    FITS,
    SIGNAL_WAYS,
    Settings,
    at_most,
    clip_length,
    frame_instant,
    kept,
    rate,
    reasons,
    settings,
    share,
    size,
    sound_track,
)
from pipelines.storage.beam_options import adopt
from pipelines.storage.uris import URIS
from schemas.cuts import CutAt
from schemas.grid import FrameAt
from storage import files


def warn(line: str) -> None:
    """What a user should know before the work begins."""
    print(f"favor-data: WARNING: {line}", file=sys.stderr)


class BuildOptions(PipelineOptions):
    """Our options as Beam's own: a runner's page shows them.

    Values are the texts that were given, checked; `settings_of` says what they mean.
    """

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--output", metavar="OUT", help="the corpus: a folder, gs://, s3:// …")
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
            "--store",
            action="append",
            default=[],
            metavar="COLUMN=int8",
            help="half the bytes: whole numbers and a scale a token (float16); the loader gives float16 back",
        )
        parser.add_argument(
            "--clip-seconds",
            type=_checked(clip_length),
            default="30",
            metavar="S",
            help="length of the samples that rows without annotations are cut into (%(default)s); with --cut "
            "the longest",
        )
        parser.add_argument(
            "--cut",
            choices=tuple(CutAt),
            default=CutAt.CLIPS,
            help="where they are cut: evenly, between scenes, or where nobody speaks (%(default)s)",
        )
        parser.add_argument(
            "--shortest-clip",
            type=_checked(clip_length),
            default="2",
            metavar="S",
            help="with --cut scenes or speech: no sample shorter than this (%(default)s)",
        )
        parser.add_argument(
            "--frame-at",
            type=_checked(frame_instant),
            default="center",
            metavar="|".join(FrameAt),
            help="which instant of a 0.5 s step picks its frame (%(default)s)",
        )
        parser.add_argument(
            "--fit",
            choices=FITS,
            default="crop",
            help="CLIP's own preprocessing, the whole picture, or that as FAVOR resizes it (%(default)s)",
        )
        parser.add_argument(
            "--clip-tokens",
            default="patch",
            metavar="patch|cls|all|pool:NxN",
            help="which tokens of a frame to keep (%(default)s)",
        )
        parser.add_argument(
            "--audio-track",
            type=_checked(sound_track),
            default="",
            metavar="N|LANG",
            help="which sound of media with several: its number, from 1, or language (the main one)",
        )
        parser.add_argument(
            "--no-sound", action="store_true", help="leave out the sound of every input, and Whisper with it"
        )
        parser.add_argument(
            "--uris",
            choices=URIS,
            default="full",
            help="where media lie, as KEY.json says it: all, the name below the SOURCE, a hash (%(default)s)",
        )
        parser.add_argument(
            "--skip-bad-rows",
            action="store_true",
            help="a manifest's rows that are wrong go into the ledger as bad_row, and the others are built",
        )
        parser.add_argument(
            "--audio-channel",
            choices=CHANNELS,
            default="mix",
            help="all channels mixed, or the first alone as FAVOR hears it (%(default)s)",
        )
        parser.add_argument(
            "--audio-tail",
            action="store_true",
            help="sound as FAVOR hears it: cut at 30 s, the vectors of its padding kept",
        )
        parser.add_argument(
            "--prompt",
            default="",
            metavar="TEXT",
            help="what a Q-Former reads beside pictures that nobody asks about (nothing)",
        )
        parser.add_argument(
            "--first-clip", action="store_true", help="of every row only the first --clip-seconds"
        )
        parser.add_argument(
            "--like",
            choices=LIKE,
            default="",
            help="frames, sound, pictures and encoders as these systems' released code has them",
        )
        parser.add_argument(
            "--decoder", choices=DECODERS, default="pyav", help="what gives pixels (%(default)s)"
        )
        parser.add_argument(
            "--keep",
            type=_checked(kept),
            default="",
            metavar="frames,audio",
            help="store the grid's frames as JPEG and the span's sound as FLAC too",
        )
        parser.add_argument(
            "--transcribe", action="store_true", help="also store the words that Whisper hears"
        )
        parser.add_argument(
            "--language",
            type=str.lower,
            metavar="L",
            help="spoken in all files, as Whisper names it: en, de … (detected once a file)",
        )
        parser.add_argument(
            "--where",
            metavar="SQL",
            help='write only samples whose index row passes, as DuckDB has it: "speech_share > 0.5"',
        )
        parser.add_argument(
            "--signals",
            nargs="?",
            choices=SIGNAL_WAYS,
            const="grid",
            default="",
            metavar="full",
            help="measure sound and pictures too; full: every frame, and sound against picture "
            "(docs/signals.md)",
        )
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (%(default)s)")
        parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, float16 (%(default)s)")
        parser.add_argument(
            "--shard-size",
            type=_checked(size),
            default="512MB",
            metavar="SIZE",
            help="a shard is closed before it outgrows this (%(default)s)",
        )
        parser.add_argument(
            "--cache", metavar="DIR", help="feature cache, may be shared by corpora (OUT/cache)"
        )
        parser.add_argument(
            "--retry",
            type=_checked(reasons),
            default="",
            metavar="REASON[,REASON]",
            help="look again at inputs that the ledger rejects for these reasons, whole or in part",
        )
        parser.add_argument(
            "--least-rate",
            type=_checked(rate),
            default="8",
            metavar="B",
            help="media longer than a minute with fewer bytes a second than this are too_large (%(default)s)",
        )
        parser.add_argument(
            "--max-rejected",
            type=_checked(share),
            metavar="P%",
            help="exit with 4, after the commit, if more of the inputs than this are rejected",
        )
        parser.add_argument(
            "--mirror", action="store_true", help="take out of the corpus what the SOURCEs no longer name"
        )
        parser.add_argument(
            "--again",
            action="store_true",
            help="the corpus that OUT says: its SOURCEs, encoders and options (build --again OUT)",
        )
        parser.add_argument("--yes", action="store_true", help="also where that is over a tenth of it")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be looked at and taken out, and do nothing"
        )
        parser.add_argument(
            "--limit", type=_checked(at_most), metavar="N", help="only the first N inputs: to try it out"
        )
        parser.add_argument(
            "--quiet", action="store_true", help="no progress and no summary: only what goes wrong"
        )
        parser.add_argument("--json", action="store_true", help="the summary as one line of JSON")
        parser.add_argument(
            "--accelerator",
            metavar="HINT",
            help="Dataflow: GPUs for the stage that encodes, as type:nvidia-l4;count:1;install-nvidia-driver",
        )


def parse(argv: Sequence[str]) -> tuple[Settings, PipelineOptions]:
    """What `favor-data build` is asked for, and Beam's options (ours among them).

    Raises:
        UsageError: unknown or unusable arguments.
    """
    parser = Parser(
        prog="favor-data build",
        description="Decode every source once and write aligned features as WebDataset shards.",
        epilog="Every Apache Beam option works too: --runner, --direct_num_workers, --project …",
        allow_abbrev=False,
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="media file, folder, glob, tar of raw media, or manifest: .jsonl .json .csv .tsv .txt .parquet, "
        "- for standard input",
    )
    BuildOptions._add_argparse_args(parser)
    parser.set_defaults(**presets(argv))
    given, beams = parse_with_beam(parser, list(_signals_said(argv)))
    ours = beams.view_as(BuildOptions)
    sources = tuple(given.sources)
    if given.again:
        return _again(sources, ours), beams
    if not sources:
        raise UsageError("name at least one SOURCE: a media file, a folder, a glob, a manifest or a tar")
    if not given.output:  # Beam parses our options wherever this module is known: it cannot be required there
        raise UsageError("--output OUT is missing: the folder of the corpus")
    return settings_of(sources, ours), beams


def _signals_said(argv: Sequence[str]) -> Iterator[str]:
    """A SOURCE behind `--signals` is not its value."""
    for word, after in zip(argv, [*argv[1:], ""], strict=True):
        yield "--signals=grid" if word == "--signals" and after not in SIGNAL_WAYS else word


_WITH_AGAIN = {
    "accelerator", "cache", "dry_run", "json", "least_rate", "limit", "max_rejected", "mirror", "quiet",
    "retry", "skip_bad_rows", "yes",
}  # fmt: skip


def _again(sources: tuple[str, ...], given: BuildOptions) -> Settings:
    """`--again OUT`, or `SOURCE… --output OUT --again`."""
    values = given.get_all_options(drop_default=True, current_only=True)
    output = values.pop("output", None)
    if output is None:
        if len(sources) != 1:
            raise UsageError("--again takes one corpus: favor-data build --again OUT")
        (output,), sources = sources, ()
    values.pop("again")
    if others := set(values) - _WITH_AGAIN:
        option = f"--{min(others).replace('_', '-')}"
        raise UsageError(f"--again takes what shaped {output} from there: leave out {option}")
    return recorded_settings(output, sources=sources, **values)


def settings_of(sources: tuple[str, ...], given: BuildOptions) -> Settings:
    """What the texts mean."""
    return settings(sources=sources, **given.get_all_options(current_only=True))


def parse_with_beam(
    parser: argparse.ArgumentParser, argv: Sequence[str]
) -> tuple[argparse.Namespace, PipelineOptions]:
    """A command's own arguments and all options that Beam knows, in any order.

    Only a parser that knows them all can tell an option's value from a SOURCE. Beam's are left out of
    --help.

    Raises:
        UsageError: an option that neither knows.
    """
    own = list(parser._actions)
    usage = parser.format_usage().removeprefix("usage: ")
    for options in PipelineOptions.__subclasses__():
        if options is not BuildOptions:
            options._add_argparse_args(parser)
    for action in parser._actions:
        if action not in own:
            action.help = argparse.SUPPRESS
    parser.usage = usage.replace("%", "%%")
    parser.set_defaults(runner="FnApiRunner")  # DirectRunner would first try to download Prism
    given, unknown = parser.parse_known_intermixed_args(list(argv))
    if unknown:
        known = [option for action in parser._actions for option in action.option_strings]
        raise UsageError(f"unknown option {unknown[0]}{meant(unknown[0].partition('=')[0], known)}")
    positional = {action.dest for action in parser._actions if not action.option_strings}
    return given, PipelineOptions([], **{k: v for k, v in vars(given).items() if k not in positional})


def parse_of_corpus(
    parser: argparse.ArgumentParser, argv: Sequence[str]
) -> tuple[argparse.Namespace, PipelineOptions, str]:
    """As `parse_with_beam`, and the whole name of the argument `corpus`; what the options say of storage
    holds from here on."""
    given, beams = parse_with_beam(parser, argv)
    adopt(beams, warn)
    return given, beams, files.absolute(given.corpus)


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    def text(given: str) -> str:
        try:
            check(given)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return given

    return text
