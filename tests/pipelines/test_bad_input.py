"""A bad input is a ledger row with its reason; a user's mistake is one line and exit 2."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipelines.commands.command import main

from .conftest import ffmpeg, manifest


def ledger(output: Path) -> dict[str, tuple[str, str | None, str | None]]:
    rows = pd.read_parquet(output / "ledger.parquet")
    rows = rows.astype(object).where(rows.notna(), None)
    return {Path(row.input).name: (row.status, row.stage, row.reason) for row in rows.itertuples()}


def test_each_bad_file_is_a_row_and_the_rest_is_built(media, features, tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(media / "silent.ogv", folder / "good.ogv")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("This is not a film.\n" * 100)
    talk = (media / "talk.mp4").read_bytes()
    (folder / "headless.mp4").write_bytes(talk[: len(talk) // 3])  # its index was at the end
    ffmpeg("-i", str(media / "talk.mp4"), "-c", "copy", "-movflags", "+faststart", str(tmp_path / "fast.mp4"))
    fast = (tmp_path / "fast.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(fast[: len(fast) * 2 // 3])
    table = manifest(
        tmp_path / "m.jsonl",
        {"video": "nowhere.mp4"},
        {"video": str(media / "talk.mp4"), "start": 1, "end": 60},
        {"video": str(media / "talk.mp4"), "start": 30},
        {"audio": str(media / "silent.ogv")},
        {"video": str(media / "voice.opus")},
        {"image": str(media / "talk.mp4")},
    )
    assert main(["build", str(folder), str(table), "--output", str(tmp_path / "o"), *features]) == 0
    assert ledger(tmp_path / "o") == {
        "good.ogv": ("done", None, None),
        "cut.mp4": ("done", None, None),
        "empty.mp4": ("rejected", "probe", "empty_file"),
        "text.mp4": ("rejected", "probe", "not_media"),
        "headless.mp4": ("rejected", "probe", "corrupt"),
        "m.jsonl:1": ("rejected", "probe", "not_found"),
        "m.jsonl:2": ("rejected", "plan", "span_out_of_range"),
        "m.jsonl:3": ("rejected", "plan", "span_out_of_range"),
        "m.jsonl:4": ("rejected", "plan", "missing_modality"),
        "m.jsonl:5": ("rejected", "plan", "missing_modality"),
        "m.jsonl:6": ("rejected", "plan", "missing_modality"),
    }
    assert main(["verify", str(tmp_path / "o")]) == 0


NAMES = [
    "with space.ogv",
    "quote'\".ogv",
    "ünïcödé 中文.ogv",
    "two.dots.in.name.ogv",
    "-leading-dash.ogv",
    "new\nline.ogv",
    "percent%20#hash?.ogv",
    "no_suffix",
    "star*[a].ogv",
]


def test_any_name_is_built_and_stays_inside_the_corpus(media, features, tmp_path, read_samples) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(media / "silent.ogv", folder / name)
    (folder / os.fsdecode(b"not-utf8-\xff.ogv")).write_bytes((media / "silent.ogv").read_bytes())
    assert main(["build", str(folder), "--output", str(tmp_path / "o"), *features]) == 0
    samples = read_samples(tmp_path / "o")
    assert set(samples) == set(NAMES)
    keys = {json.loads(members["json"])["key"] for members in samples.values()}
    assert len(keys) == len(NAMES)
    rejected = {name: row for name, row in ledger(tmp_path / "o").items() if row[0] == "rejected"}
    assert rejected == {"not-utf8-\\udcff.ogv": ("rejected", "source", "unreadable")}


def test_a_file_named_on_the_command_line_may_have_magic_in_its_name(media, features, tmp_path) -> None:
    shutil.copy(media / "silent.ogv", tmp_path / "a[1].ogv")
    assert main(["build", str(tmp_path / "a[1].ogv"), "--output", str(tmp_path / "o"), *features]) == 0


def test_all_bad_is_exit_1(tmp_path, features) -> None:
    (tmp_path / "empty.mp4").touch()
    table = manifest(tmp_path / "m.jsonl", {"media": "empty.mp4"}, {"media": "gone.mp4"})
    assert main(["build", str(table), "--output", str(tmp_path / "o"), *features]) == 1
    assert len(ledger(tmp_path / "o")) == 2


def test_a_pipe_or_a_folder_named_like_media_is_not_waited_for(media, features, tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    table = manifest(
        tmp_path / "m.jsonl", {"media": "pipe.mp4"}, {"media": "."}, {"media": str(media / "still.png")}
    )
    assert main(["build", str(table), "--output", str(tmp_path / "o"), *features]) == 0
    rows = ledger(tmp_path / "o")
    assert rows["m.jsonl:1"] == rows["m.jsonl:2"] == ("rejected", "probe", "unreadable")


CASES = {
    "unknown option": (["--no-such-option"], "--no-such-option"),
    "unknown model": (["--clip", "random:vit-z-9"], "vit-z-9"),
    "no such checkpoint": (["--whisper", "/nowhere/model.pt"], "/nowhere/model.pt"),
    "clip length": (["--clip-seconds", "0.7"], "0.7"),
    "size": (["--shard-size", "big"], "big"),
    "keep": (["--keep", "everything"], "everything"),
    "column": (["--encode", "json=clip:x"], "json=clip:x"),
    "device": (["--device", "abacus"], "abacus"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_unusable_argument_is_one_line_and_exit_2(case: str, media, features, tmp_path, capsys) -> None:
    arguments, named = CASES[case]
    command = ["build", str(media / "still.png"), "--output", str(tmp_path / "o"), *features, *arguments]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert named in error


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="needs a machine without an NVIDIA GPU")
def test_a_hardware_decoder_that_is_not_there_is_exit_2(media, features, tmp_path, capsys) -> None:
    command = ["build", str(media / "talk.mp4"), "--output", str(tmp_path / "o"), *features]
    assert main([*command, "--decoder", "nvdec"]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert "use --decoder pyav" in error


@pytest.mark.parametrize(
    ("source", "named"),
    [("empty", "no files"), ("*.nothing", "matches no file"), ("bad.jsonl", "bad.jsonl:2: field 'start'")],
)
def test_a_source_that_cannot_be_used_is_exit_2(source: str, named: str, features, tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    manifest(tmp_path / "bad.jsonl", {"media": "x"}, {"media": "x", "start": "soon"})
    assert main(["build", str(tmp_path / source), "--output", str(tmp_path / "o"), *features]) == 2
    assert named in capsys.readouterr().err


def test_an_unwritable_output_is_exit_2(media, features, tmp_path, capsys) -> None:
    (tmp_path / "file").touch()
    assert main(["build", str(media), "--output", str(tmp_path / "file" / "o"), *features]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_command_itself_prints_no_traceback(tmp_path) -> None:
    command = [
        sys.executable,
        "-m",
        "pipelines.build_corpus",
        str(tmp_path),
        "--output",
        str(tmp_path / "o"),
        "--frob",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines() == ["favor-data: unknown option --frob (--help lists them)"]
