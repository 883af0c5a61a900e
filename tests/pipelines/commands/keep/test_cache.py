"""cache stats counts, cache prune drops what no corpus needs and nothing else."""

import shutil

from pipelines.commands.command import main


def test_prune_drops_only_what_no_corpus_needs(media, features, tmp_path, capsys, files) -> None:
    source, output = tmp_path / "in", tmp_path / "o"
    source.mkdir()
    shutil.copy2(media / "silent.ogv", source / "a.ogv")
    build = ["build", str(source), "--output", str(output)]
    assert main([*build, *features]) == 0
    first = set(output.glob("cache/*/*.npy"))
    assert main([*build, *features, "--clip-tokens", "pool:2x2"]) == 0
    before = files(output)
    assert len(set(output.glob("cache/*/*.npy")) - first) == 1
    assert main(["cache", "stats", str(output)]) == 0
    assert "npy          2 entries" in capsys.readouterr().out
    assert main(["cache", "prune", str(output), "--dry-run"]) == 0
    assert first <= set(output.glob("cache/*/*.npy"))
    assert main(["cache", "prune", str(output)]) == 0
    assert not first & set(output.glob("cache/*/*.npy"))
    assert len(list(output.glob("cache/*/*.npy"))) == 1
    assert files(output) == before
    assert main(["verify", str(output)]) == 0


def test_a_shared_cache_must_be_named(tmp_path, capsys) -> None:
    assert main(["cache", "prune", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "--cache" in capsys.readouterr().err
