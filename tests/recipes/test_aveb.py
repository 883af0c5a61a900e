"""AVEB from a folder of sets: eleven manifests, each buildable; what is lacking is said."""

import json
from pathlib import Path

import pytest

from pipelines.commands.command import main
from scores.score import TASKS

ALL = ["ASR", "AC", "IC", "OCR", "VQA", "VideoQA", "AVSR", "AVSD", "AVSSD", "ISQA", "AVM"]


@pytest.fixture
def root(folder):
    """Every set, some items each, in folders named as people name them."""
    speech = "LibriSpeech/test-clean/1/2"
    folder.text(f"{speech}/1-2.trans.txt", "1-2-0000 HE HOPED\n1-2-0001 GONE\n")
    folder.medium(f"{speech}/1-2-0000.flac", 0.5)
    rows = "".join(f"{n},sound{n},30,Sound {n}\n" for n in range(6))
    folder.text("AudioCaps/test.csv", "audiocap_id,youtube_id,start_time,caption\n" + rows)
    folder.text("AudioCaps/train.csv", "not,to,be,read\n")
    for n in range(6):
        folder.medium(f"AudioCaps/audio/Ysound{n}.wav", 0.5)
    captions = [{"raw": f"caption {n}"} for n in range(5)]
    images = [{"filename": "77.jpg", "split": "test", "sentences": captions}]
    folder.json("flickr30k/dataset_flickr30k.json", {"images": images})
    folder.medium("flickr30k/flickr30k-images/77.jpg")
    asked = [{"question_id": 5, "image_id": "abc", "question": "What brand?", "answers": ["x"] * 10}]
    folder.json("TextVQA/TextVQA_0.5.1_val.json", {"data": asked})
    folder.medium("TextVQA/train_images/abc.jpg")
    folder.json(
        "GQA/testdev_balanced_questions.json", {"9": {"imageId": "77", "question": "Red?", "answer": "no"}}
    )
    folder.medium("GQA/images/77.jpg")  # Flickr30k has another 77
    header = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
    folder.text("NExT-QA/test.csv", header + "12,1,1,1,why,2,0,CW,a,b,c,d,e\n")
    folder.medium("NExT-QA/videos/12.mp4", 0.5)
    folder.text("how2/dev5/segments", "v_1 v 0.0 0.5\n")
    folder.text("how2/dev5/text.id.en", "v_1 hello\n")
    folder.medium("how2/videos/v.mp4", 0.6)
    turns = [{"question": "Who?", "answer": "A man."}, {"question": "Does he go?", "answer": "Yes."}]
    hidden = [turns[0], {"question": "Why?", "answer": "__UNDISCLOSED__"}]
    for name, dialog in (("valid", turns), ("test", hidden)):
        told = {"dialogs": [{"image_id": f"film-{name}", "caption": "", "summary": "", "dialog": dialog}]}
        folder.json(f"AVSD/{name}_set4DSTC7-AVSD.json", told)
        folder.medium(f"AVSD/Charades_v1_480/film-{name}.mp4", 0.5)
    marked = [{"file": f"film{n}_000010", "class": f"class {n % 5}", "bbox": []} for n in range(10)]
    folder.json("VGG-SS/vggss.json", marked)
    for n in range(10):
        folder.medium(f"VGGSound/film{n}_000010.mp4", 0.5)
    data = [
        {"image": f"val2014/COCO_val2014_{n:012d}.jpg",
         "captions": [{"text": f"t {n}", "speaker": "s", "uttid": f"u{n}", "wav": f"wavs/val/u{n}.wav"}]}
        for n in range(8)
    ]  # fmt: skip
    folder.json("SpokenCOCO/SpokenCOCO_val.json", {"data": data})
    for n in range(8):
        folder.medium(f"SpokenCOCO/wavs/val/u{n}.wav", 0.5)
        folder.medium(f"coco/val2014/COCO_val2014_{n:012d}.jpg")
    folder.medium("isqa/gqa_9.wav", 0.5)
    folder.medium("isqa/textvqa_5.wav", 0.5)
    return folder


def aveb(folder, *options: str) -> dict[str, list[dict]]:
    output = folder.path / "aveb"
    assert main(["recipe", "aveb", "--root", str(folder.path), "--output", str(output), *options]) == 0
    return {
        path.stem: [json.loads(line) for line in path.read_text().splitlines()]
        for path in output.glob("*.jsonl")
    }


def test_eleven_manifests_whose_media_are_right(root) -> None:
    made = aveb(root)
    assert sorted(made) == sorted(ALL) == sorted(TASKS)
    for task, rows in made.items():
        assert rows, task
        assert {row["task"] for row in rows} == {task}
        assert all(row["references"] for row in rows)
    assert [row["id"] for row in made["AVSD"]] == ["film-valid"]  # the test part's answer is not disclosed
    items = root.build(*sorted((root.path / "aveb").glob("*.jsonl")))
    assert items["9"].media == {"image": "GQA/images/77.jpg"}
    assert items["77.jpg"].media == {"image": "flickr30k/flickr30k-images/77.jpg"}
    assert items["gqa_9"].media == {"image": "GQA/images/77.jpg", "audio": "isqa/gqa_9.wav"}
    assert items["textvqa_5"].metadata["question"] == "What brand?"
    assert items["v_1"].span == [0, 0.5]
    films = [item for item in items.values() if item.metadata.get("type") == "vggss"]
    pictures = [item for item in items.values() if item.metadata.get("type") == "spokencoco"]
    for kind, expected in ((films, 10), (pictures, 8)):
        assert len(kind) == expected
        assert sum(item.metadata["match"] for item in kind) == expected / 2
    for item in films:
        wrong = item.metadata["sound_set"] == "audiocaps"
        assert item.metadata["match"] != wrong
        assert item.media["audio"].startswith("AudioCaps/audio/" if wrong else "VGGSound/")
        if wrong:
            assert (
                item.media["audio"] == f"AudioCaps/audio/Y{item.metadata['sound_of'].partition('_')[0]}.wav"
            )
        question = ("human", "Is the audio compatible with the video?")
        assert [question, ("gpt", "No" if wrong else "Yes")] in item.conversations
    for item in pictures:
        own = item.media["image"][-6:-4].lstrip("0") or "0"
        heard = item.media["audio"].rpartition("/")[2]
        assert item.metadata["match"] == (heard == f"u{int(own)}.wav")


def test_the_same_seed_the_same_pairs_another_seed_others(root) -> None:
    first, again, other = aveb(root), aveb(root), aveb(root, "--seed", "1")
    assert first == again
    assert first["AVM"] != other["AVM"]


def test_without_audiocaps_a_wrong_sound_is_that_of_another_class(root) -> None:
    (root.path / "AudioCaps").rename(root.path / ".hidden")
    wrong = [row for row in aveb(root)["AVM"] if row["type"] == "vggss" and not row["match"]]
    assert len(wrong) == 5
    for row in wrong:
        assert row["sound_set"] == "vggss"
        assert row["audio"] != row["video"]
        number = int(Path(row["audio"]).name[4])
        assert number % 5 != int(row["id"][len("avm_film")]) % 5


def test_what_is_lacking_is_said(root, capsys) -> None:
    for name in ("how2", "isqa", "LibriSpeech"):
        (root.path / name).rename(root.path / f".{name}")
    (root.path / "NExT-QA" / "test.csv").write_text("video,question\n")
    made = aveb(root)
    said = capsys.readouterr().out
    assert "AVSR: not made: no folder how2 under" in said
    assert "ASR: not made: no folder librispeech under" in said
    assert "VideoQA: not made: " in said
    assert "test.csv: has no column 'answer'" in said
    assert "ISQA: not made: no question was recorded: speak those of " in said
    assert (root.path / "aveb" / "isqa_questions.tsv").read_text() == "textvqa_5\tWhat brand?\ngqa_9\tRed?\n"
    assert set(made) == set(ALL) - {"AVSR", "ASR", "VideoQA", "ISQA"}


def test_an_empty_root_makes_nothing(tmp_path, capsys) -> None:
    (tmp_path / "in").mkdir()
    assert main(["recipe", "aveb", "--root", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().out.count("not made") == 11
