"""`build` reads other projects' files directly: LLaVA's .json, media inside Parquet."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Audio, Dataset, Image

from pipelines.commands.command import main

from ..conftest import annotated

TALK = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "This."}]


def described(output: Path, read_samples) -> dict[str, dict]:
    samples = read_samples(output)
    return {name: json.loads(members["json"]) | annotated(members) for name, members in samples.items()}


def test_llavas_list(media, features, read_samples, tmp_path) -> None:
    rows = [
        {"id": "a", "image": str(media / "still.png"), "conversations": TALK},
        {
            "id": "b",
            "video": str(media / "talk.mp4"),
            "start": "00:00:01.5",
            "end": "3",
            "QA": [{"q": "?", "a": "!"}],
        },
    ]
    (tmp_path / "llava.json").write_text(json.dumps(rows))
    assert main(["build", str(tmp_path / "llava.json"), "--output", str(tmp_path / "o"), *features]) == 0
    found = described(tmp_path / "o", read_samples)
    assert found["a"]["conversations"] == [[{"from": "human", "value": "What?"}, TALK[1]]]
    assert found["b"]["span"] == [1.5, 3]
    assert found["b"]["conversations"][0][1]["value"] == "!"


def test_a_sidecar_in_a_folder_is_no_list(media, features, tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "still.png").write_bytes((media / "still.png").read_bytes())
    (folder / "still.json").write_text('[{"media": "nowhere.mp4"}]')
    for source in (str(folder), f"{folder}/*"):
        output = tmp_path / hashlib.sha256(source.encode()).hexdigest()
        assert main(["build", source, "--output", str(output), *features]) == 0


@pytest.fixture
def embedded(media, tmp_path) -> Path:
    """What `Dataset.to_parquet` makes of pictures and sounds; small row groups."""
    pictures = [(media / "still.png").read_bytes(), None, (media / "still.png").read_bytes()]
    sounds = [None, (media / "voice.opus").read_bytes(), (media / "voice.opus").read_bytes()]

    def cells(contents, suffix):
        return [c and {"bytes": c, "path": f"x{n}.{suffix}"} for n, c in enumerate(contents)]

    columns = {
        "id": ["picture", "sound", "both"],
        "image": cells(pictures, "png"),
        "audio": cells(sounds, "opus"),
        "caption": ["a", "b", "c"],
    }
    dataset = Dataset.from_dict(columns).cast_column("image", Image(decode=False))
    dataset = dataset.cast_column("audio", Audio(decode=False))
    dataset.to_parquet(tmp_path / "train.parquet", batch_size=2)
    return tmp_path / "train.parquet"


def test_media_inside_parquet(embedded, media, features, read_samples, tmp_path) -> None:
    output = tmp_path / "o"
    command = ["build", str(embedded), "--output", str(output), *features, "--keep", "audio"]
    assert main(command) == 0
    found = described(output, read_samples)
    assert set(found) == {"picture", "sound", "both"}
    picture = hashlib.sha256((media / "still.png").read_bytes()).hexdigest()
    voice = hashlib.sha256((media / "voice.opus").read_bytes()).hexdigest()
    assert found["both"]["media"] == {
        "image": {"uri": f"parquet://image/2::{embedded}", "sha256": picture},
        "audio": {"uri": f"parquet://audio/2::{embedded}", "sha256": voice},
    }
    assert found["sound"]["metadata"] == {"caption": "b"}
    before = {path: path.stat().st_mtime_ns for path in output.glob("shards/*")}
    assert main(command) == 0  # nothing to do
    assert {path: path.stat().st_mtime_ns for path in output.glob("shards/*")} == before


def test_paths_without_bytes_count_from_the_manifests_folder(media, features, read_samples, tmp_path) -> None:
    cells = [{"bytes": None, "path": "still.png"}]
    table = pa.table({"image": pa.array(cells, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))})
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "still.png").write_bytes((media / "still.png").read_bytes())
    assert main(["build", str(tmp_path / "t.parquet"), "--output", str(tmp_path / "o"), *features]) == 0
    [record] = described(tmp_path / "o", read_samples).values()
    assert record["media"]["image"]["uri"] == str(tmp_path / "still.png")


def test_a_list_of_one_picture_and_openai_messages(media, features, read_samples, tmp_path) -> None:
    """As multimodal instruction sets on the Hugging Face hub are kept."""
    said = [
        {"role": "user", "content": [{"type": "text", "text": "What?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "This."}]},
    ]
    cell = {"bytes": (media / "still.png").read_bytes(), "path": None}
    pq.write_table(pa.Table.from_pylist([{"images": [cell], "messages": said}]), tmp_path / "t.parquet")
    assert main(["build", str(tmp_path / "t.parquet"), "--output", str(tmp_path / "o"), *features]) == 0
    [record] = described(tmp_path / "o", read_samples).values()
    assert [turn["value"] for turn in record["conversations"][0]] == ["What?", "This."]


def test_a_cell_that_is_not_there_is_a_row_of_the_ledger(embedded, features, tmp_path) -> None:
    rows = [
        {"id": name, "image": f"parquet://{name}::{embedded}"}
        for name in ("image/0", "image/9", "image/1", "x/0")
    ]
    rows.append({"id": "odd", "image": f"parquet://image::{embedded}"})
    rows.append({"id": "none", "image": f"parquet://image/0::{tmp_path}/gone.parquet"})
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["build", str(tmp_path / "m.jsonl"), "--output", str(tmp_path / "o"), *features]) == 0
    ledger = {
        row["id"]: row["reason"] for row in pq.read_table(tmp_path / "o" / "ledger.parquet").to_pylist()
    }
    assert ledger == {"image/0": None, "image/9": "not_found", "image/1": "not_found", "x/0": "unreadable",
                      "odd": "unreadable", "none": "not_found"}  # fmt: skip
