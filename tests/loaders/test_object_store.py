"""Training from an S3 server, as scripts do: workers, no main guard, a clean exit, no credentials."""

import subprocess
import sys
from pathlib import Path

import pytest

from loaders.corpus import open_corpus
from loaders.loader import CorpusLoader
from loaders.opening import CorpusError
from tests.storage.conftest import door, s3, server

ROOT = Path(__file__).parents[2]
__all__ = ["door", "s3", "server"]  # fixtures


@pytest.fixture
def on_s3(s3, uneven):
    for path in uneven.rglob("*"):
        if path.is_file():
            s3.upload_file(str(path), "corpora", str(path.relative_to(uneven)))
    return "s3://corpora"


SCRIPT = """
from loaders.corpus import open_corpus
from loaders.loader import CorpusLoader

loader = CorpusLoader(open_corpus({root!r}), 2, num_workers=2)
for epoch in range(2):
    seen = [sample.metadata["number"] for batch in loader for sample in batch]
    assert sorted(seen) == list(range(23))
print("trained", loader.epoch)
"""


def run(script):
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_a_script_without_a_main_guard_trains(on_s3, tmp_path):
    path = tmp_path / "train.py"
    path.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{SCRIPT.format(root=on_s3)}")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "trained 2\n"), done.stderr


@pytest.mark.parametrize("times", [6])
def test_a_short_script_ends_well(uneven, times):
    script = (
        f"from loaders.corpus import open_corpus\nopen_corpus({str(uneven)!r}, where=[('steps', '>', 0)])"
    )
    assert [run(script).returncode for _ in range(times)] == [0] * times


@pytest.mark.parametrize("streaming", [False, True])
def test_workers_read_a_store_that_this_process_has_read_before(on_s3, streaming):
    corpus = open_corpus(on_s3)
    near = [s.metadata["number"] for b in CorpusLoader(corpus, 2, streaming=streaming) for s in b]
    far = [
        s.metadata["number"] for b in CorpusLoader(corpus, 2, streaming=streaming, num_workers=2) for s in b
    ]
    assert sorted(near) == sorted(far) == list(range(23))


def test_missing_credentials_are_one_line(on_s3, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(CorpusError, match=r"s3://corpora ") as found:
        open_corpus(on_s3)
    assert "\n" not in str(found.value)
