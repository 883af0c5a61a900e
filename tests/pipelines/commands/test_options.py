import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, S3Options, StandardOptions, WorkerOptions

from pipelines.commands import options
from pipelines.commands.command import main
from pipelines.errors import UsageError
from pipelines.settings import Settings
from schemas.grid import FrameAt

ORDERS = {
    "options first": ["--runner", "FlinkRunner", "--output", "out", "--num_workers", "3", "a/", "b.mp4"],
    "sources first": ["a/", "b.mp4", "--output=out", "--runner=FlinkRunner", "--num_workers=3"],
    "between": ["a/", "--runner", "FlinkRunner", "b.mp4", "--num_workers", "3", "--output", "out"],
}


@pytest.mark.parametrize("order", ORDERS)
def test_sources_and_options_come_in_any_order(order: str) -> None:
    asked, beams = options.parse(ORDERS[order])
    assert asked == Settings(sources=("a/", "b.mp4"), output="out")
    assert beams.view_as(StandardOptions).runner == "FlinkRunner"
    assert beams.view_as(WorkerOptions).num_workers == 3


def test_our_options_are_pipeline_options() -> None:
    given = ["--frame-at", "favor", "--keep", "audio", "--shard-size", "1MiB", "--retry=timed_out,corrupt"]
    asked, beams = options.parse(["a", "--output", "o", *given])
    assert (asked.frame_at, asked.keep, asked.shard_bytes) == (FrameAt.FAVOR, frozenset({"audio"}), 1 << 20)
    assert asked.retry == {"timed_out", "corrupt"}
    shown = beams.get_all_options(drop_default=True)  # what a runner's page shows
    assert (shown["frame_at"], shown["shard_size"], shown["output"]) == ("favor", "1MiB", "o")
    again = options.settings_of(("a",), PipelineOptions(["--output=o", *given]).view_as(options.BuildOptions))
    assert again == asked


def test_the_runner_is_in_process_unless_one_is_named() -> None:
    _, beams = options.parse(["a", "--output", "o"])
    assert beams.view_as(StandardOptions).runner == "FnApiRunner"
    _, named = options.parse(["a", "--output", "o", "--runner=DirectRunner"])
    assert named.view_as(StandardOptions).runner == "DirectRunner"


def test_every_command_takes_beams_options_before_its_own(corpus: Path, capsys) -> None:
    assert main(["verify", "--s3_endpoint_url", "http://localhost:1", str(corpus)]) == 0
    assert main(["cache", "--s3_endpoint_url", "http://localhost:1", "stats", str(corpus)]) == 0
    assert "no fault found" in capsys.readouterr().out
    parser = options.Parser(prog="p")
    _, beams = options.parse_with_beam(parser, ["--s3_endpoint_url", "http://localhost:1"])
    assert beams.view_as(S3Options).s3_endpoint_url == "http://localhost:1"


def test_help_lists_our_options_alone(capsys) -> None:
    with pytest.raises(SystemExit):
        options.parse(["--help"])
    shown = capsys.readouterr().out
    assert "--clip-seconds" in shown
    assert "--num_workers" not in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--output", "o"], "SOURCE"),
        (["a"], "--output"),
        (["a", "--output", "o", "--no-such", "x"], "unknown option --no-such"),
        (["a", "--output", "o", "--clip-sec", "1"], "unknown option --clip-sec"),
        (["a", "--output", "o", "--runner"], "--runner: expected one argument"),
    ],
)
def test_what_cannot_be_used_is_named(arguments: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        options.parse(arguments)


WITHOUT_BEAM = """
import sys
from pipelines.commands.command import main
status = main(sys.argv[1:])
loaded = {"apache_beam", "torch"} & set(sys.modules)
sys.exit(f"imported: {loaded}" if loaded else status)
"""


@pytest.mark.parametrize(
    "argv",
    [
        ("list",),
        ("status",),
        ("select", "--where", "steps > 0", "--output", "VIEW"),
        ("report", "--samples", "0"),
    ],
    ids=lambda argv: argv[0],
)
def test_what_only_reads_a_corpus_starts_without_beam(argv: tuple[str, ...], corpus: Path, tmp_path) -> None:
    copied = shutil.copytree(corpus, tmp_path / "corpus")  # a view is entered there
    name, *rest = (str(tmp_path / "view") if word == "VIEW" else word for word in argv)
    command = [sys.executable, "-c", WITHOUT_BEAM, name, str(copied), *rest]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])})  # fmt: skip
    assert done.returncode == 0, done.stderr
