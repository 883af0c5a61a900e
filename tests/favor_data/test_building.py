from inspect import signature
from pathlib import Path

import pytest

import favor_data
from pipelines.commands.command import main
from pipelines.commands.options import BuildOptions
from runners.build import digests

SMALL = {"whisper": "none", "clip_tokens": "cls", "dtype": "float32"}


@pytest.fixture(scope="module")
def built(media: Path, clip: str, tmp_path_factory: pytest.TempPathFactory) -> favor_data.Built:
    folder = tmp_path_factory.mktemp("built")
    (folder / "noise.mp4").write_bytes(b"noise" * 999)
    sources = [media / "talk.mp4", media / "still.png", folder / "noise.mp4"]
    return favor_data.build(sources, folder / "corpus", clip=clip, **SMALL)


def test_the_function_builds_what_the_command_builds(built, media, clip, features, tmp_path) -> None:
    sources = [str(media / "talk.mp4"), str(media / "still.png")]
    sources.append(str(Path(built.output).parent / "noise.mp4"))
    assert main(["build", *sources, "--output", str(tmp_path / "o"), *features]) == 0
    assert digests(tmp_path / "o") == digests(Path(built.output))


def test_it_takes_the_commands_options() -> None:
    of_the_command = set(BuildOptions([]).get_all_options(current_only=True))
    of_the_terminal = {"again", "dry_run", "json", "max_rejected", "quiet"}
    assert of_the_command - of_the_terminal == set(signature(favor_data.build).parameters) - {
        "sources",
        "beam_options",
    }


def test_it_returns_counts_and_the_ledger_when_asked(built) -> None:
    counts = built.counts
    assert (counts.inputs, counts.done, counts.samples) == (3, 2, 2)
    assert counts.rejected_by_reason == {"not_media": 1}
    assert built.counters["inputs_done"] == 2
    assert built.seconds["build"] > 0
    done = "3 inputs, 2 done, 1 rejected (1 not_media)"
    assert repr(built) == f"<Built {built.output}: {done}; 2 samples in 2 shards, columns clip>"
    assert built.ledger.num_rows == 3
    [rejection] = built.rejections.to_pylist()
    assert rejection["input"].endswith("noise.mp4")
    assert rejection["reason"] == "not_media"
    assert len(built.open()) == 2


def test_no_row_is_read_before_it_is_asked_for(built, media, clip) -> None:
    again = favor_data.build(media / "talk.mp4", built.output, clip=clip, **SMALL)
    assert again.seconds == {}  # nothing to do
    path = Path(built.output) / "ledger.parquet"
    content = path.read_bytes()
    path.unlink()
    try:
        assert "3 inputs" in repr(again)
        with pytest.raises(FileNotFoundError):
            _ = again.ledger
    finally:
        path.write_bytes(content)
    assert again.ledger.num_rows == 3


def test_mistakes_are_the_products_own_errors(media, clip, tmp_path) -> None:
    video, out = media / "talk.mp4", tmp_path / "out"
    cases = [
        (favor_data.UsageError, "clip_seconds: 0.3 is not", {"clip_seconds": 0.3}),
        (favor_data.UsageError, "keep: .* other than frames, audio", {"keep": ["film"]}),
        (favor_data.UsageError, "shard_size: '1 parsec'", {"shard_size": "1 parsec"}),
        (favor_data.UsageError, "fit 'stretch' is none of", {"fit": "stretch"}),
        (favor_data.UsageError, "nothing to encode", {"clip": "none"}),
        (favor_data.ModelUnavailable, "no-such", {"clip": "no-such/model"}),
    ]
    for error, match, options in cases:
        with pytest.raises(error, match=match):
            favor_data.build(video, out, **{"clip": clip, **SMALL, **options})
    (tmp_path / "m.jsonl").write_text('{"video": 3}\n')
    with pytest.raises(favor_data.ManifestError, match=r"m\.jsonl:1: field 'video'"):
        favor_data.build(tmp_path / "m.jsonl", out, clip=clip, **SMALL)
    (tmp_path / "empty").mkdir()
    with pytest.raises(favor_data.UsageError, match="holds no files"):
        favor_data.build(tmp_path / "empty", out, clip=clip, **SMALL)
    assert not out.exists()


def test_untrained_weights_are_said(media, tmp_path) -> None:
    with pytest.warns(UserWarning, match="UNTRAINED"):
        favor_data.build(
            media / "still.png", tmp_path / "o", whisper="none", clip="random:vit-b-32", clip_tokens="cls"
        )


def test_verify_finds_what_the_command_finds(built, media, tmp_path) -> None:
    found = favor_data.verify(built.output)
    assert found
    assert repr(found) == f"<Verified {built.output}: no fault found>"
    [shard] = Path(built.output).glob("shards/*.tar")
    content = shard.read_bytes()
    shard.write_bytes(content[:600] + b"X" + content[601:])
    try:
        broken = favor_data.verify(built.output)
    finally:
        shard.write_bytes(content)
    assert not broken
    assert "bytes differ from the index's digest" in broken.faults[0]
    assert "the first: shards/" in repr(broken)
    with pytest.raises(favor_data.UsageError, match=r"holds no corpus"):
        favor_data.verify(tmp_path)


def test_the_loaders_objects_say_what_they_are(built) -> None:
    corpus = favor_data.open_corpus(built.output)
    shown = f"<Corpus {built.output}: 2 samples>"
    assert repr(corpus) == shown
    dataset = favor_data.CorpusDataset(corpus, columns=["clip"])
    assert repr(dataset) == f"<CorpusDataset of {shown}: columns clip>"
    collate = favor_data.Synchronise.of(corpus, audio=None)
    assert "visual_width=16" in repr(collate)
    loader = favor_data.CorpusLoader(corpus, batch_size=2, collate=collate)
    assert repr(loader) == f"<CorpusLoader of {shown}: 2 samples a batch, epoch 0, rank 0 of 1>"
    stream = favor_data.StreamingCorpus(corpus, favor_data.Phase(1, 1))
    assert repr(stream) == f"<StreamingCorpus of {built.output}: epoch 0, rank 0>"
    [batch] = loader
    assert repr(batch).startswith("<AudioVisualBatch of 2 samples: visual [2, ")
    assert repr(dataset[0]).startswith(f"<TrainingSample {dataset[0].id}: {dataset[0].steps} steps, clip [")
