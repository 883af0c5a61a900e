"""Odd rows, names and archives go through a whole build: what is good is built, the rest is accounted for."""

import gzip
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.commands.command import main
from pipelines.storage.listing import local

from ..conftest import manifest


def ledger(output: Path) -> dict[str, tuple[str, str | None]]:
    rows = pq.read_table(output / "ledger.parquet").to_pylist()
    assert all(row["stage"] == "source" for row in rows if row["reason"] in ("bad_row", "corrupt"))
    return {row["id"]: (row["status"], row["reason"]) for row in rows}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "o"


def test_bad_rows_end_a_build_or_are_rows_of_the_ledger(
    media, features, read_samples, tmp_path, out, capsys
) -> None:
    still = str(media / "still.png")
    table = manifest(
        tmp_path / "m.jsonl",
        {"id": "good", "image": still, "n": 1e300, "deep": [[[]]]},
        {"id": "bad", "image": still, "start": 3},
        {"id": "gone", "image": "nowhere.png"},
    )
    with table.open("a") as stream:
        stream.write("{oops\n")
        stream.write(
            f'{{"id": "odd", "image": "{still}", "n": 1e999, "half": "\\ud800!", "big": {"9" * 5000}}}\n'
        )
    command = ["build", str(table), "--output", str(out), *features]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "m.jsonl:2: an image alone has no 'start' or 'end'" in error
    assert "m.jsonl:4: not a JSON object" in error
    assert not out.exists()
    for _ in range(2):  # the second time nothing is to be done
        assert main([*command, "--skip-bad-rows"]) == 0
        assert ledger(out) == {
            "good": ("done", None), "odd": ("done", None), "gone": ("rejected", "not_found"),
            f"{table}:2": ("rejected", "bad_row"), f"{table}:4": ("rejected", "bad_row"),
        }  # fmt: skip
    assert main(["verify", str(out)]) == 0
    assert (
        main(["build", str(table), "--output", str(out), *features, "--skip-bad-rows", "--retry", "bad_row"])
        == 0
    )


def test_rows_that_were_mended_leave_the_ledgers_reasons(media, features, tmp_path, out) -> None:
    still = str(media / "still.png")
    table = manifest(tmp_path / "m.jsonl", {"image": still, "id": "a"}, {"image": 7})
    command = ["build", str(table), "--output", str(out), *features, "--skip-bad-rows"]
    assert main(command) == 0
    manifest(table, {"image": still, "id": "a"}, {"image": still, "id": "b"})
    assert main(command) == 0
    assert ledger(out) == {"a": ("done", None), "b": ("done", None)}


def test_archives_of_all_kinds(media, features, read_samples, tmp_path, out) -> None:
    folder = tmp_path / "we::ird"
    folder.mkdir()
    with tarfile.open(folder / "good.tar", "w") as tar:
        tar.add(media / "still.png", "a::b.png")
        tar.add(media / "silent.ogv", "v.ogv")
        tar.add(media / "voice.opus", "v.opus")
    with tarfile.open(tmp_path / "cut.tar", "w") as tar:
        tar.add(media / "still.png", "whole.png")
        tar.add(media / "silent.ogv", "half.ogv")
    content = (tmp_path / "cut.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(content[: len(content) * 2 // 3])
    (tmp_path / "packed.tgz").write_bytes(gzip.compress(content))
    (tmp_path / "halfpacked.tar.gz").write_bytes(gzip.compress(content)[: len(content) * 2 // 3])
    (tmp_path / "noise.tar.gz").write_bytes(b"noise")
    (tmp_path / "empty.tar").write_bytes(b"\0" * 10240)
    sparse = tmp_path / "holes.png"
    with sparse.open("wb") as stream:  # a PNG may have anything after its end
        stream.write((media / "still.png").read_bytes())
        stream.truncate(1 << 20)
    for name, options in (("gnu", ["--format=gnu"]), ("pax", ["--format=posix", "--sparse-version=1.0"])):
        command = [
            "tar",
            *options,
            "-S",
            "-C",
            str(tmp_path),
            "-cf",
            str(tmp_path / f"{name}.tar"),
            "holes.png",
        ]
        subprocess.run(command, check=True)
    os.mkfifo(tmp_path / "pipe.tar")
    sources = [folder / "good.tar", *(tmp_path / name for name in (
        "cut.tar", "packed.tgz", "halfpacked.tar.gz", "noise.tar.gz", "empty.tar", "gnu.tar",
        "pax.tar", "pipe.tar",
    ))]  # fmt: skip
    assert main(["build", *map(str, sources), "--output", str(out), *features]) == 0
    found = ledger(out)
    good = {name for name, (status, _) in found.items() if status == "done"}
    assert good == {
        "good/a::b.png", "good/v.ogv", "cut/whole.png", "packed/whole.png", "packed/half.ogv",
        "halfpacked/whole.png", "gnu/holes.png", "pax/holes.png",
    }  # fmt: skip
    assert {name: reason for name, (_, reason) in found.items() if reason} == {
        "cut.tar": "corrupt", "halfpacked.tar.gz": "corrupt", "noise.tar.gz": "unreadable",
        "empty.tar": "empty_file", "pipe.tar": "unreadable",
    }  # fmt: skip
    described = json.loads(read_samples(out)["good/v.ogv"]["json"])["media"]
    assert described["video"]["uri"] == f"tar://v.ogv::{folder}/good.tar"
    assert described["audio"]["uri"] == f"tar://v.opus::{folder}/good.tar"
    assert main(["verify", str(out)]) == 0


def test_names_that_are_no_utf8_wherever_they_stand(media, features, tmp_path, out) -> None:
    bad = os.fsdecode(b"bad-\xff")
    still = (media / "still.png").read_bytes()
    for name in ("folder/good.png", f"folder/{bad}.png", f"argument-{bad}.png", f"glob/{bad}.png",
                 f"{bad}/in.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(still)
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(media / "still.png", "a.png")
        tar.add(media / "still.png", f"{bad}.png")
    (tmp_path / "list.txt").write_bytes(os.fsencode(f"folder/good.png\nfolder/{bad}.png\n"))
    sources = ["folder", f"argument-{bad}.png", "glob/*.png", bad, "x.tar", "list.txt"]
    command = ["build", *(str(tmp_path / source) for source in sources), "--output", str(out), *features]
    command.append("--skip-bad-rows")
    for _ in range(2):  # the second time nothing is to be done
        assert main(command) == 0
        rows = pq.read_table(out / "ledger.parquet").to_pylist()
        shown = r"bad-\udcff"
        assert {row["input"].replace(f"{tmp_path}/", ""): row["reason"] for row in rows} == {
            "folder/good.png": None, f"folder/{shown}.png": "unreadable",
            f"argument-{shown}.png": "unreadable",
            f"glob/{shown}.png": "unreadable", f"{shown}/in.png": "unreadable",
            "tar://a.png::x.tar": None, f"tar://{shown}.png::x.tar": "unreadable",
            "list.txt:1": None, "list.txt:2": "bad_row",
        }  # fmt: skip
    assert main(["verify", str(out)]) == 0
    found = json.loads((out / "corpus.json").read_text())["sources"]
    assert {local(source) for source in found} == {str(tmp_path / source) for source in sources}


@pytest.mark.parametrize("option", ["--output", "--cache", "--clip"])
def test_a_folder_of_the_builds_own_that_is_no_utf8_is_one_line(media, tmp_path, out, option, capsys) -> None:
    bad = str(tmp_path / os.fsdecode(b"bad-\xff"))
    given = {"--output": str(out), "--clip": "random:vit-b-32", "--whisper": "none"} | {option: bad}
    options = [word for pair in given.items() for word in pair]
    assert main(["build", str(media / "still.png"), *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert r"bad-\udcff' is not UTF-8" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == []


def modalities(output: Path) -> dict[str, list[str]]:
    return {
        row["id"]: sorted(row["modalities"]) for row in pq.read_table(output / "index.parquet").to_pylist()
    }


def test_a_video_without_its_sound(media, features, tmp_path, out) -> None:
    talk = str(media / "talk.mp4")
    table = manifest(tmp_path / "m.jsonl", {"id": "mute", "video": talk, "audio": None, "end": 1},
                     {"id": "loud", "video": talk, "end": 2},
                     {"id": "voice", "audio": None, "media": str(media / "voice.opus")})  # fmt: skip
    assert main(["build", str(table), "--output", str(out), *features]) == 0
    assert modalities(out) == {"mute": ["video"], "loud": ["audio", "video"]}
    assert ledger(out)["voice"] == ("rejected", "missing_modality")


def test_no_sound_at_all(media, clip, tmp_path, out) -> None:
    table = manifest(tmp_path / "m.jsonl", {"id": "v", "video": str(media / "talk.mp4"), "end": 1},
                     {"id": "a", "audio": str(media / "voice.opus")},
                     {"id": "m", "media": str(media / "voice.opus")})  # fmt: skip
    command = [
        "build",
        str(table),
        "--output",
        str(out),
        "--clip",
        clip,
        "--clip-tokens",
        "cls",
        "--no-sound",
    ]
    assert main(command) == 0  # and no Whisper is looked for
    assert modalities(out) == {"v": ["video"]}
    assert ledger(out) == {
        "v": ("done", None), "a": ("rejected", "missing_modality"), "m": ("rejected", "missing_modality"),
    }  # fmt: skip
