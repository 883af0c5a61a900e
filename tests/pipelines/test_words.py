"""Transcripts end to end: found once a file, each word in one sample, at its step."""

import json
import shutil
import tarfile
from collections import defaultdict
from pathlib import Path

import lhotse
import pyarrow.parquet as pq
import pytest

from featurizers.whisper.transcribe import Listener
from pipelines.commands.command import main
from pipelines.products import WORDS
from pipelines.steps import decode
from pipelines.steps import words as words_step
from schemas.grid import SECOND_NS, STEP_NS
from schemas.reasons import MediaError, Reason

from .conftest import WHISPER, ffmpeg, manifest, pictures, speech

QUICK = ["--whisper", WHISPER, "--clip", "none", "--dtype", "float32", "--transcribe"]


@pytest.fixture(scope="module")
def reading(tmp_path_factory) -> Path:
    """A film of three sentences, 0.8 s of silence before them: 18 s of sound."""
    path = tmp_path_factory.mktemp("reading") / "reading.mkv"
    sentences = [*speech("0870"), *speech("0920"), *speech("0930")]
    joined = "[1:a][2:a][3:a]concat=n=3:v=0:a=1,adelay=800[a]"
    streams = ["-filter_complex", joined, "-map", "0:v", "-map", "[a]"]
    ffmpeg(*pictures(18, 10), *sentences, *streams, "-c:v", "libx264", "-c:a", "flac", str(path))
    return path


@pytest.fixture(scope="module")
def in_clips(reading, tmp_path_factory) -> Path:
    """Cut every 5 s, with no regard to words."""
    output = tmp_path_factory.mktemp("clips") / "out"
    assert main(["build", str(reading), "--output", str(output), *QUICK, "--clip-seconds", "5"]) == 0
    return output


def rows(output: Path) -> list[dict]:
    return pq.read_table(output / "index.parquet").sort_by("start_ns").to_pylist()


def clips_of(output: Path) -> list[dict]:
    """Suffix -> content of every sample of one file, in order of time."""
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for shard in sorted(output.glob("shards/*.tar")):
        with tarfile.open(shard) as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                found[key][suffix] = tar.extractfile(member).read()
    return sorted(found.values(), key=lambda members: json.loads(members["json"])["span_ns"])


def test_words_are_found_once_a_file_and_each_lies_in_one_clip(in_clips) -> None:
    (entry,) = in_clips.glob(f"cache/*/*.{WORDS}")
    heard = json.loads(entry.read_bytes())
    assert heard["language"] == "en"
    clips = clips_of(in_clips)
    assert len(clips) == 4
    texts = [clip["txt"].decode() for clip in clips]
    assert " ".join(texts) == "".join(text for text, *_ in heard["words"]).strip()
    assert "leisure to consider how much" in " ".join(texts)
    assert texts[-1].endswith("himself.")
    for clip, row in zip(clips, rows(in_clips), strict=True):
        said = json.loads(clip["words.json"])
        assert (len(said["words"]), said["language"]) == (row["words"], row["language"])
        assert 0 < row["whisper_speech_share"] <= 1 if said["words"] else row["whisper_speech_share"] == 0
        for word in said["words"]:
            assert set(word) == {"word", "start", "end", "confidence", "step"}
            middle = round((word["start"] + word["end"]) / 2 * SECOND_NS)
            step = row["start_ns"] + word["step"] * STEP_NS
            assert step <= middle < step + STEP_NS
    first = json.loads(clips[0]["words.json"])["words"][0]
    assert 0.8 <= first["start"] <= 1.6  # the sentence's sound begins at 0.8 s
    assert main(["verify", str(in_clips)]) == 0


def test_other_spans_of_a_file_that_was_heard_take_their_words_from_the_cache(
    in_clips, reading, tmp_path, read_samples, monkeypatch
) -> None:
    """And a span gets the words inside it, however it lies in the file."""
    monkeypatch.setattr(words_step.FindWords, "_hear", lambda *given: pytest.fail("heard again"))
    spans = manifest(
        tmp_path / "spans.jsonl",
        {"id": "middle", "video": str(reading), "start": 3.3, "end": 9.1},
        {"id": "all", "video": str(reading), "start": 0, "end": 18},
    )
    output = tmp_path / "out"
    command = ["build", str(spans), "--output", str(output), "--cache", str(in_clips / "cache"), *QUICK]
    assert main(command) == 0
    entry = next(in_clips.glob(f"cache/*/*.{WORDS}"))
    whole = "".join(text for text, *_ in json.loads(entry.read_bytes())["words"])
    samples = read_samples(output)
    assert samples["all"]["txt"].decode() == whole.strip()
    middle = json.loads(samples["middle"]["words.json"])["words"]
    assert 5 <= len(middle) < len(whole.split())
    assert all(3.3 <= (word["start"] + word["end"]) / 2 < 9.1 for word in middle)
    assert samples["middle"]["txt"].decode() in whole


@pytest.mark.parametrize("apart", [False, True], ids=["in the base shards", "added later"])
def test_lhotse_gets_every_word_with_its_times(apart, in_clips, reading, tmp_path) -> None:
    """From the cut's start on, wherever words.json lies."""
    output = tmp_path / "out"
    if apart:
        command = ["build", str(reading), "--output", str(output), "--cache", str(in_clips / "cache"), *QUICK]
        command += ["--clip-seconds", "5"]
        assert main([option for option in command if option != "--transcribe"]) == 0
        assert main(command) == 0
        assert list(output.glob("columns/words/*.tar"))
    else:
        shutil.copytree(in_clips, output)
    assert main(["index", str(output), "--for", "lhotse"]) == 0
    cuts = list(lhotse.CutSet.from_file(output / "lhotse" / "cuts.jsonl.gz"))
    clips = clips_of(in_clips)
    assert len(cuts) == len(clips)
    for cut, clip in zip(sorted(cuts, key=lambda cut: cut.id), clips, strict=True):
        lhotse.validate(cut)
        start, end = json.loads(clip["json"])["span"]
        wanted = json.loads(clip["words.json"])
        [spoken] = cut.supervisions
        items = spoken.alignment["word"]
        assert [item.symbol for item in items] == [word["word"] for word in wanted["words"]]
        for item, word in zip(items, wanted["words"], strict=True):
            assert (item.start + start, item.end + start) == pytest.approx((word["start"], word["end"]))
            assert item.score == word["confidence"]
            assert 0 <= (item.start + item.end) / 2 < cut.duration == end - start
        assert spoken.text.split() == clip["txt"].decode().split()
        assert (spoken.language, spoken.start, spoken.duration) == ("en", 0, cut.duration)


def test_pictures_that_fail_half_way_take_no_words_with_them(reading, clip, tmp_path, monkeypatch) -> None:
    """The sound is decoded by itself, and the span before keeps its words."""
    plain = decode._Running.next_clip
    taken: list[object] = []

    def crashing(running):
        if any(request.frames for request in running.ticket.job.requests):
            if taken:
                raise MediaError(Reason.DECODER_CRASHED, "signal 11")
            taken.append(running)
        return plain(running)

    monkeypatch.setattr(decode._Running, "next_clip", crashing)
    output = tmp_path / "out"
    models = ["--whisper", WHISPER, "--clip", clip, "--dtype", "float32", "--transcribe"]
    assert main(["build", str(reading), "--output", str(output), *models, "--clip-seconds", "5"]) == 0
    [row] = rows(output)
    assert row["start_ns"] == 0
    assert row["words"] >= 5
    assert len(list(output.glob(f"cache/*/*.{WORDS}"))) == 1


def test_a_transcript_that_was_tampered_with_is_found(in_clips, tmp_path, capsys) -> None:
    copy = shutil.copytree(in_clips, tmp_path / "copy")
    shard = next(copy.glob("shards/*.tar"))
    shard.write_bytes(shard.read_bytes().replace(b'"step": 3', b'"step": 9', 1))
    assert main(["verify", str(copy)]) == 1
    said = capsys.readouterr().out
    assert "words.json: words out of order" in said
    assert "words.json differs from the cache's" in said


def test_a_file_whose_words_cannot_be_found_is_rejected_with_its_reason(
    reading, tmp_path, monkeypatch, capsys
) -> None:
    def broken(self, sound):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(Listener, "hear", broken)
    assert main(["build", str(reading), "--output", str(tmp_path / "out"), *QUICK]) == 1
    assert "encoder_failed: RuntimeError: no such luck" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--language", "de"], "give --transcribe too"),
        (["--language", "de", "--transcribe"], "knows English only"),
        (["--transcribe", "--whisper", "none"], "needs a column that Whisper makes"),
        (["--transcribe", "--whisper", "random:tiny"], "leave out --transcribe"),
    ],
)
def test_what_cannot_be_transcribed_is_refused_in_one_line(
    options, message, reading, clip, tmp_path, capsys
) -> None:
    output = tmp_path / "out"
    models = ["--whisper", WHISPER, "--clip", clip]
    assert main(["build", str(reading), "--output", str(output), *models, *options]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not output.exists()
