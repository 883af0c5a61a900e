"""The command `favor-data`: one word a subcommand."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NoReturn

from pipelines.commands import afresh, stopping
from pipelines.commands.parser import meant
from pipelines.errors import StorageError, UsageError

USAGE = """\
usage: favor-data COMMAND …

  build SOURCE… --output OUT   decode, align, encode: videos in, a corpus out
  verify OUT                   check a corpus against itself, byte for byte
  report OUT                   the corpus as a page for a browser
  show OUT KEY                 one sample: members, source, words, frames
  list OUT [--urls]            its states; the exact shards of the present one
  status OUT                   the builds at work on it, and how far each is
  select OUT --where SQL …     samples by their signals and metadata: a manifest, or a view
  duplicates OUT               samples that are copies of others: by bytes, hash, features
  keep OUT NAME                pin the present state by a name
  remove OUT INPUT…            take inputs and their samples out, for good
  prune OUT                    delete what no state needs
  pack OUT                     base and column shards written together
  drop OUT --column X          take a column out
  migrate OUT                  version 1 becomes version 2
  index OUT --for LOADER       what Energon or lhotse wants beside the shards
  card OUT                     README.md as Hugging Face's hub reads it
  push OUT hf://…              the corpus onto the hub
  cache stats|prune OUT…       what the feature cache holds; drop what no corpus needs
  completion bash|zsh|fish     what a shell completes: commands, options, files
  doctor                       whether this machine can build, and what to do where not
  estimate PILOT --hours N     what a corpus of that size takes, from a small one
  recipe NAME …                a public set as downloaded: its manifest, for build
  score --task T --answers F   a model's answers: AVEB's numbers

favor-data COMMAND --help says more; favor-data --version says which this is."""
# Module -> the extra that brings it; with none of them a corpus can be read, and nothing else.
EXTRAS = {
    **dict.fromkeys(
        (
            "aiohttp",
            "apache_beam",
            "av",
            "decord",
            "duckdb",
            "faiss",
            "huggingface_hub",
            "ijson",
            "langcodes",
            "pdqhash",
            "PIL",
            "pillow_heif",
            "pillow_jxl",
            "shtab",
            "silero_vad",
            "torchaudio",
            "tqdm",
            "transformers",
            "whisper",
        ),
        "build",
    ),
    "lhotse": "lhotse",
    "megatron": "energon",
    **dict.fromkeys(("jiwer", "pycocoevalcap", "whisper_normalizer"), "score"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 nothing written or a fault found, 2 unusable arguments."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"favor-data {version('favor-data')}")
        return 0
    command, *rest = arguments
    commands: dict[str, Callable[[list[str]], int]] = {
        "build": _build,
        "verify": _verify,
        "report": _report,
        "show": _show,
        "select": _select,
        "duplicates": _duplicates,
        "list": _list,
        "status": _status,
        "keep": _keep,
        "remove": _remove,
        "prune": _prune,
        "pack": _pack,
        "drop": _drop,
        "migrate": _migrate,
        "index": _index,
        "card": _card,
        "push": _push,
        "cache": _cache,
        "completion": lambda arguments: _completion(arguments, commands),
        "doctor": _doctor,
        "estimate": _estimate,
        "plan": _plan,
        "recipe": _recipe,
        "score": _score,
    }
    if command not in commands:
        print(f"favor-data: unknown command {command!r}{meant(command, commands)}", file=sys.stderr)
        return 2
    _quiet()
    try:
        return commands[command](rest)
    except UsageError as error:
        print(f"favor-data: {error}", file=sys.stderr)
        return 2
    except StorageError as error:
        print(f"favor-data: {error}", file=sys.stderr)
        return 3
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(str(error.name).partition(".")[0])
        if extra is None:
            raise
        print(f"favor-data: {command} needs {error.name}, which is not installed: "
              f"pip install 'favor-data[{extra}]'", file=sys.stderr)  # fmt: skip
        return 2
    except OSError as error:
        return _ended_by(error)


def _ended_by(error: OSError) -> int:
    """Raises it if the system does not say it of itself."""
    if isinstance(error, BrokenPipeError):  # the reader of our output has gone: not an error of ours
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 (stands until the process ends)
        return 0
    from pipelines.jobs import faults

    if (fault := faults.of(error)) is None:
        raise error
    print(f"favor-data: {fault}", file=sys.stderr)
    return 3


def entry() -> NoReturn:
    """The command as a process of its own: `main`, then its end at once.

    All is written and closed by then. Native threads of the libraries (Arrow's, gRPC's) that call back into
    an interpreter which takes itself down abort the process, now and then, after a build that went well.
    """
    stopping.listen()
    afresh.allow()
    try:
        status = main()
    except BaseException as error:
        if stopping.received():
            stopping.leave(error)
        raise
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _quiet() -> None:
    """Libraries' chatter hides what matters; their errors come through."""
    logging.basicConfig(level=logging.ERROR, format="favor-data: %(name)s: %(message)s")
    # Beam logs an exception, and raises it: we print what is raised.
    logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)
    logging.getLogger("apache_beam.runners.worker.sdk_worker").setLevel(logging.CRITICAL)
    logging.getLogger("storage").setLevel(logging.WARNING)  # that it waits for a store
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


def _build(arguments: list[str]) -> int:
    from pipelines.commands.make.build import run  # torch and Beam take seconds to import

    return run(arguments)


def _verify(arguments: list[str]) -> int:
    from pipelines.commands.look.verify import run

    return run(arguments)


def _report(arguments: list[str]) -> int:
    from pipelines.commands.draw.report import run

    return run(arguments)


def _show(arguments: list[str]) -> int:
    from pipelines.commands.draw.show import run

    return run(arguments)


def _list(arguments: list[str]) -> int:
    from pipelines.commands.look.states import run

    return run(arguments)


def _status(arguments: list[str]) -> int:
    from pipelines.commands.look.status import run

    return run(arguments)


def _keep(arguments: list[str]) -> int:
    from pipelines.commands.keep.keep import run

    return run(arguments)


def _remove(arguments: list[str]) -> int:
    from pipelines.commands.keep.remove import run

    return run(arguments)


def _prune(arguments: list[str]) -> int:
    from pipelines.commands.keep.prune import run

    return run(arguments)


def _pack(arguments: list[str]) -> int:
    from pipelines.commands.keep.pack import run

    return run(arguments)


def _drop(arguments: list[str]) -> int:
    from pipelines.commands.keep.drop import run

    return run(arguments)


def _migrate(arguments: list[str]) -> int:
    from pipelines.commands.keep.migrate import run

    return run(arguments)


def _select(arguments: list[str]) -> int:
    from pipelines.commands.make.select import run

    return run(arguments)


def _duplicates(arguments: list[str]) -> int:
    from pipelines.commands.look.duplicates import run

    return run(arguments)


def _index(arguments: list[str]) -> int:
    from pipelines.commands.share.index import run

    return run(arguments)


def _card(arguments: list[str]) -> int:
    from pipelines.commands.share.card import run

    return run(arguments)


def _push(arguments: list[str]) -> int:
    from pipelines.commands.share.push import run

    return run(arguments)


def _cache(arguments: list[str]) -> int:
    from pipelines.commands.keep.cache import run

    return run(arguments)


def _completion(arguments: list[str], commands: dict[str, Callable[[list[str]], int]]) -> int:
    from pipelines.commands.share.completion import run

    return run(arguments, {name: one for name, one in commands.items() if name != "plan"})


def _doctor(arguments: list[str]) -> int:
    from pipelines.commands.look.doctor import run

    return run(arguments)


def _estimate(arguments: list[str]) -> int:
    from pipelines.commands.make.estimate import run

    return run(arguments)


def _plan(arguments: list[str]) -> int:
    print("favor-data: plan is called estimate now; the old name goes with the next version", file=sys.stderr)
    return _estimate(arguments)


def _recipe(arguments: list[str]) -> int:
    from pipelines.commands.make.recipe import run

    return run(arguments)


def _score(arguments: list[str]) -> int:
    from pipelines.commands.look.score import run

    return run(arguments)


if __name__ == "__main__":
    entry()
