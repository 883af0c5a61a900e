"""What samples say of where their media lie."""

import json
import tarfile
from pathlib import Path

import pytest

from pipelines.commands.command import main
from pipelines.storage.uris import Shown, roots_of

ROOTS = ("/home/alice/set/", "/home/alice/set/deep/", "s3://secret/in/")


@pytest.mark.parametrize(
    ("uri", "relative"),
    [
        ("/home/alice/set/a/b.mp4", "a/b.mp4"),
        ("/home/alice/set/deep/b.mp4", "b.mp4"),
        ("/home/alice/other/b.mp4", "b.mp4"),
        ("/home/alice/setting/b.mp4", "b.mp4"),
        ("s3://secret/in/x/b.mp4", "x/b.mp4"),
        ("https://host/u/b.mp4?token=secret", "b.mp4"),
        ("tar://m/a.mp4::/home/alice/set/a/b.tar", "tar://m/a.mp4::a/b.tar"),
        ("tar://m::x.mp4::s3://secret/in/b.tar", "tar://m::x.mp4::b.tar"),
        ("parquet://video/3::/elsewhere/b.parquet", "parquet://video/3::b.parquet"),
    ],
)
def test_a_relative_name_says_nothing_of_whose_it_is(uri: str, relative: str) -> None:
    assert Shown("relative", ROOTS)(uri) == relative
    assert Shown("full", ROOTS)(uri) == uri
    hashed = Shown("hashed", ROOTS)(uri)
    assert hashed.startswith("sha256:")
    assert len(hashed) == 71


def test_a_source_is_a_folder_or_lies_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sources = [
        str(tmp_path),
        f"{tmp_path}/a/m.jsonl",
        "b/*.mp4",
        "s3://c/d/",
        "s3://c/e/*.mp4",
        "https://h/f/m.csv?x=/",
    ]
    assert roots_of(sources) == tuple(
        f"{root}/"
        for root in (tmp_path, tmp_path / "a", tmp_path / "b", "s3://c/d", "s3://c/e", "https://h/f")
    )


def records(output: Path) -> dict[str, dict[str, str]]:
    found = {}
    for shard in sorted(output.glob("shards/*.tar")):
        with tarfile.open(shard) as tar:
            for member in tar:
                if member.name.endswith(".json"):
                    record = json.loads(tar.extractfile(member).read())
                    found[record["id"]] = {name: source["uri"] for name, source in record["media"].items()}
    return found


def test_no_folders_name_is_left_in_the_shards(media, features, tmp_path) -> None:
    folder = tmp_path / "alice" / "set"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "still.png").write_bytes((media / "still.png").read_bytes())
    with tarfile.open(folder / "x.tar", "w") as tar:
        tar.add(media / "still.png", "k.png")
    command = ["build", str(folder), "--output", str(tmp_path / "o"), *features]
    assert main([*command, "--uris", "relative"]) == 0
    relative = {"deep/still.png": {"image": "deep/still.png"}, "x/k.png": {"image": "tar://k.png::x.tar"}}
    assert records(tmp_path / "o") == relative
    for shard in (tmp_path / "o").glob("shards/*.tar"):
        assert b"alice" not in shard.read_bytes()
    assert main(["pack", str(tmp_path / "o")]) == 0
    assert records(tmp_path / "o") == relative
    assert main([*command, "--uris", "hashed"]) == 0  # written again
    shown = {uri for uris in records(tmp_path / "o").values() for uri in uris.values()}
    assert len(shown) == 2
    assert all(uri.startswith("sha256:") for uri in shown)
    assert main(["verify", str(tmp_path / "o")]) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "o").glob("shards/*.tar")}
    assert main(["build", "--again", str(tmp_path / "o")]) == 0
    assert {path: path.read_bytes() for path in (tmp_path / "o").glob("shards/*.tar")} == before
