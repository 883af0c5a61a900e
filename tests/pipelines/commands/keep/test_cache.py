"""cache stats counts, cache prune drops what no corpus needs and nothing else."""

import shutil
from pathlib import Path

from pipelines.commands.command import main


def features_in(cache: Path) -> set[Path]:
    return set(cache.glob("*/*.npy"))


def test_prune_drops_only_what_no_corpus_needs(media, features, tmp_path, capsys, files) -> None:
    source, output, cache = tmp_path / "in", tmp_path / "o", tmp_path / "cache"
    source.mkdir()
    shutil.copy2(media / "silent.ogv", source / "a.ogv")
    build = ["build", str(source), "--output", str(output), "--cache", str(cache)]
    assert main([*build, *features]) == 0
    first = features_in(cache)
    assert main([*build, *features, "--clip-tokens", "pool:2x2"]) == 0
    before = files(output)
    assert len(features_in(cache) - first) == 1
    named = [str(output), "--cache", str(cache)]
    assert main(["cache", "stats", *named]) == 0
    assert "npy          2 entries" in capsys.readouterr().out
    assert main(["cache", "prune", *named, "--dry-run"]) == 0
    assert first <= features_in(cache)
    assert main(["cache", "prune", *named]) == 0
    assert not first & features_in(cache)
    assert len(features_in(cache)) == 1
    assert files(output) == before
    assert main(["verify", *named]) == 0


def test_the_corpuss_own_cache_holds_no_feature_that_a_shard_holds(media, features, tmp_path) -> None:
    assert main(["build", str(media / "silent.ogv"), "--output", str(tmp_path / "o"), *features]) == 0
    assert not features_in(tmp_path / "o" / "cache")
    assert list((tmp_path / "o" / "cache").glob("*/*.json"))


def test_a_shared_cache_must_be_named(tmp_path, capsys) -> None:
    assert main(["cache", "prune", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "--cache" in capsys.readouterr().err
