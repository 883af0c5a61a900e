"""The main job, end to end, read back by other people's tools."""

import json
from collections import Counter
from io import BytesIO
from pathlib import Path

import av
import duckdb
import numpy as np
import pandas as pd
import pytest
import webdataset as wds
from datasets import load_dataset
from PIL import Image

from pipelines.commands.command import main

from .conftest import annotated, manifest

KINDS = {
    "talk.mp4": {"clip.npy", "whisper.npy", "flac", "txt", "words.json"},
    "late.mkv": {"clip.npy", "whisper.npy", "flac", "txt", "words.json"},
    "transport.ts": {"clip.npy", "whisper.npy", "flac", "txt", "words.json"},
    "silent.ogv": {"clip.npy"},
    "voice.opus": {"whisper.npy", "flac", "txt", "words.json"},
    "still.png": {"clip.npy"},
}


def test_every_kind_of_media_has_the_members_that_it_can_have(corpus, read_samples) -> None:
    samples = read_samples(corpus)
    assert set(samples) == set(KINDS)
    for name, members in samples.items():
        record = json.loads(members["json"])
        pictures = sum(record["visual_mask"]) if name != "still.png" else 1
        jpegs = {suffix for suffix in members if suffix.endswith(".jpg")}
        assert set(members) - jpegs == KINDS[name] | {"json", "annotations.json"}
        assert len(jpegs) == pictures
        for column, feature in record["features"].items():
            array = np.load(BytesIO(members[f"{column}.npy"]), allow_pickle=False)
            assert array.dtype == np.float16
            assert list(array.shape) == feature["shape"]
        steps = 1 if name == "still.png" else record["steps"]
        if "clip" in record["features"]:
            assert record["features"]["clip"]["shape"] == [steps, 16, 16]
        if "whisper" in record["features"]:
            assert record["features"]["whisper"]["shape"] == [steps, 25, 384]


def test_the_transcript_holds_the_words_spoken(corpus, read_samples) -> None:
    words = read_samples(corpus)["talk.mp4"]["txt"].decode().lower()
    assert "selfish" in words
    assert "unless to be rather cold" in words


def test_masks_tell_where_sound_starts_late_and_pictures_end(corpus, read_samples) -> None:
    record = json.loads(read_samples(corpus)["late.mkv"]["json"])
    assert record["audio_mask"][:3] == [0, 1, 1]  # sound from 0.8 s on
    assert record["visual_mask"] == [1, 1, 1, 1, 1, 1, 0, 0]  # pictures to 3.2 s; 3.25 s has none
    assert record["frame_times"][6:] == [None, None]
    whisper = np.load(BytesIO(read_samples(corpus)["late.mkv"]["whisper.npy"]))
    assert not whisper[0].any()
    assert whisper[1].any()


def test_kept_frames_and_sound_can_be_opened(corpus, read_samples) -> None:
    members = read_samples(corpus)["talk.mp4"]
    assert Image.open(BytesIO(members["frame_000.jpg"])).size == (160, 120)
    record = json.loads(members["json"])
    with av.open(BytesIO(members["flac"])) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (16_000, 1)
        samples = sum(frame.samples for frame in container.decode(stream))
    start, end = record["span_ns"]
    assert samples == -(-(end - start) // 62_500)


def test_webdataset_reads_the_shards(corpus) -> None:
    shards = sorted(str(path) for path in corpus.glob("shards/*.tar"))
    samples = list(wds.WebDataset(shards, shardshuffle=False).decode())
    assert {sample["json"]["id"] for sample in samples} == set(KINDS)
    assert all(sample["__key__"] == sample["json"]["key"] for sample in samples)
    assert all(
        isinstance(value, np.ndarray) for s in samples for name, value in s.items() if name.endswith("npy")
    )


def test_hugging_face_datasets_reads_the_shards(media, clip, tmp_path) -> None:
    command = [
        "build",
        str(media),
        "--output",
        str(tmp_path / "o"),
        "--whisper",
        "random:tiny",
        "--clip",
        clip,
    ]
    assert main([*command, "--keep", "frames"]) == 0
    shards = sorted(str(path) for path in (tmp_path / "o").glob("shards/*.tar"))
    dataset = load_dataset(
        "webdataset", data_files={"train": shards}, split="train", cache_dir=str(tmp_path / "hf")
    )
    assert {row["json"]["id"] for row in dataset} == set(KINDS)
    [silent] = [row for row in dataset if row["json"]["id"] == "silent.ogv"]
    assert silent["whisper.npy"] is None
    assert np.asarray(silent["clip.npy"]).shape == (4, 16, 16)


def test_pandas_and_duckdb_read_index_and_ledger(corpus, media) -> None:
    ledger = pd.read_parquet(corpus / "ledger.parquet")
    assert sorted(ledger["input"]) == sorted(str(path) for path in media.iterdir())
    assert (ledger["status"] == "done").all()
    query = f"SELECT key, shard, \"offset\", size, uris.video FROM '{corpus}/index.parquet' ORDER BY key"
    rows = duckdb.sql(query).fetchall()
    assert len(rows) == len(KINDS)
    for key, shard, offset, size, _ in rows:
        data = (corpus / shard).read_bytes()[offset : offset + size]
        assert data.startswith(f"{key}.json".encode())


def test_long_media_are_cut_and_annotated_rows_are_not(media, features, tmp_path, read_samples) -> None:
    row = {
        "id": "whole",
        "video": str(media / "talk.mp4"),
        "conversations": [{"from": "human", "value": "?"}],
    }
    table = manifest(tmp_path / "m.jsonl", row)
    command = ["build", str(media / "talk.mp4"), str(table), "--output", str(tmp_path / "o"), *features]
    assert main([*command, "--clip-seconds", "2"]) == 0
    index = pd.read_parquet(tmp_path / "o" / "index.parquet").sort_values(["id", "start_ns"])
    assert [(row.id, row.start_ns, row.steps) for row in index.itertuples()] == [
        ("talk.mp4", 0, 4),
        ("talk.mp4", 2_000_000_000, 4),
        ("talk.mp4", 4_000_000_000, 3),
        ("whole", 0, 11),
    ]


def test_rows_that_share_media_and_span_become_one_sample(media, features, tmp_path, read_samples) -> None:
    def row(name: str, question: str, end: float) -> dict:
        talk = [{"from": "human", "value": question}, {"from": "gpt", "value": "Yes."}]
        return {
            "id": name,
            "video": str(media / "talk.mp4"),
            "start": 0.5,
            "end": end,
            "conversations": talk,
            "q": name,
        }

    table = manifest(
        tmp_path / "m.jsonl", row("b", "Second?", 2), row("a", "First?", 2), row("c", "Other?", 3)
    )
    assert main(["build", str(table), "--output", str(tmp_path / "o"), *features]) == 0
    samples = read_samples(tmp_path / "o")
    assert set(samples) == {"a", "c"}
    said = annotated(samples["a"])
    assert [talk[0]["value"] for talk in said["conversations"]] == ["First?", "Second?"]
    assert said["metadata"] == {}  # of what differs the conversations' table has each row's own
    talks = pd.read_parquet(tmp_path / "o" / "conversations.parquet").set_index("id")
    assert talks["metadata"].map(json.loads).to_dict() == {name: {"q": name} for name in "abc"}
    assert talks["number"].to_dict() == {"a": 0, "b": 1, "c": 0}
    ledger = pd.read_parquet(tmp_path / "o" / "ledger.parquet")
    assert Counter(tuple(keys) for keys in ledger["keys"]).most_common(1)[0][1] == 2


def test_an_image_goes_with_a_spoken_question_and_a_video_with_other_sound(
    media, clip, tmp_path, read_samples
) -> None:
    table = manifest(
        tmp_path / "m.jsonl",
        {"id": "asked", "image": str(media / "still.png"), "audio": str(media / "voice.opus")},
        {"id": "dubbed", "video": str(media / "silent.ogv"), "audio": str(media / "voice.opus")},
    )
    command = [
        "build",
        str(table),
        "--output",
        str(tmp_path / "o"),
        "--whisper",
        "random:tiny",
        "--clip",
        clip,
    ]
    assert main(command) == 0
    samples = {name: json.loads(members["json"]) for name, members in read_samples(tmp_path / "o").items()}
    asked, dubbed = samples["asked"], samples["dubbed"]
    assert asked["features"]["clip"]["shape"][0] == 1
    assert asked["visual_mask"] == [1] * asked["steps"]
    assert dubbed["visual_mask"] == [1, 1, 1, 1, 0, 0]  # 1.73 s of pictures
    assert dubbed["audio_mask"] == [1] * 6
    assert asked["media"]["audio"] == dubbed["media"]["audio"]


def test_tars_of_raw_media_are_opened(media, features, tmp_path, read_samples) -> None:
    with wds.TarWriter(str(tmp_path / "00000.tar")) as writer:
        talk = (media / "talk.mp4").read_bytes()
        writer.write({"__key__": "000000001", "mp4": talk, "json": {"url": "u"}, "txt": "a test card"})
        writer.write({"__key__": "000000002", "mp4": b"no video", "json": {}})
    assert main(["build", str(tmp_path / "00000.tar"), "--output", str(tmp_path / "o"), *features]) == 0
    [(name, members)] = read_samples(tmp_path / "o").items()
    assert name == "00000/000000001.mp4"
    assert annotated(members)["metadata"] == {"url": "u", "caption": "a test card"}
    ledger = pd.read_parquet(tmp_path / "o" / "ledger.parquet")
    assert sorted(ledger["status"]) == ["done", "rejected"]


@pytest.mark.parametrize("rule", ["start", "favor"])
def test_the_frame_rule_is_the_users(media, features, tmp_path, read_samples, rule: str) -> None:
    command = [
        "build",
        str(media / "talk.mp4"),
        "--output",
        str(tmp_path / "o"),
        *features,
        "--frame-at",
        rule,
    ]
    assert main(command) == 0
    [members] = read_samples(tmp_path / "o").values()
    times = json.loads(members["json"])["frame_times"][:4]
    assert times == pytest.approx({"start": [0, 0.48, 1, 1.48], "favor": [0, 0.96, 1, 1.96]}[rule])


def test_how_well_decoders_were_kept_in_is_said_and_recorded(media, features, tmp_path, capsys) -> None:
    assert main(["build", str(media / "silent.ogv"), "--output", str(tmp_path / "o"), *features]) == 0
    [note] = (tmp_path / "o" / "builds").iterdir()
    isolation = json.loads(note.read_text())["isolation"]
    assert sum(isolation.values()) >= 2  # one that probed, one that decoded
    assert set(isolation) <= {"on", "in part", "off"}
    [said] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  decoders")]
    assert all(f"isolation {level} in {processes}" in said for level, processes in isolation.items())


def test_untrained_weights_are_said_loudly_and_recorded(media, tmp_path, capsys) -> None:
    command = ["build", str(media / "still.png"), "--output", str(tmp_path / "o"), "--whisper", "none"]
    assert main([*command, "--clip", "random:vit-b-32"]) == 0
    assert "UNTRAINED" in capsys.readouterr().err
    assert (
        json.loads(Path(tmp_path / "o" / "corpus.json").read_text())["columns"]["clip"]["untrained"] is True
    )
