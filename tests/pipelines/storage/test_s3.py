"""The whole job against an S3 server on loopback, also one that fails."""

from __future__ import annotations

import shutil
import tarfile
from io import BytesIO
from pathlib import Path

import boto3
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from pipelines import build
from pipelines.commands.command import main
from storage import files, objects


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3(server, monkeypatch):
    """A client of a fresh bucket `corpora`; the environment leads there."""
    host, port = server.get_host_and_port()
    for name, value in environment(f"http://{host}:{port}").items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="corpora")
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="corpora"):
        for found in page.get("Contents", []):
            client.delete_object(Bucket="corpora", Key=found["Key"])
    client.delete_bucket(Bucket="corpora")


def environment(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def download(client, prefix: str, folder: Path) -> Path:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="corpora", Prefix=prefix):
        for found in page.get("Contents", []):
            path = folder / found["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file("corpora", found["Key"], str(path))
    return folder / prefix


def test_videos_on_s3_become_a_corpus_on_s3(s3, media, features, tmp_path) -> None:
    client = s3
    for name in ("talk.mp4", "still.png"):
        client.upload_file(str(media / name), "corpora", f"videos/deep/{name}")
    client.put_object(Bucket="corpora", Key="videos/text.mp4", Body=b"not a film" * 20)
    command = ["build", "s3://corpora/videos/", "--output", "s3://corpora/out", *features]
    assert main(command) == 0
    corpus = download(client, "out", tmp_path)
    assert main(["verify", str(corpus)]) == 0
    assert main(["verify", "s3://corpora/out"]) == 0
    ledger = pd.read_parquet(corpus / "ledger.parquet").set_index("id")
    assert ledger["status"].to_dict() == {
        "deep/still.png": "done",
        "deep/talk.mp4": "done",
        "text.mp4": "rejected",
    }
    assert not [path for path in tmp_path.rglob("*") if ".tmp" in path.parts]


def test_shards_are_the_same_on_s3_and_on_disk(s3, media, features, tmp_path) -> None:
    client = s3
    shutil.copy(media / "silent.ogv", tmp_path / "silent.ogv")
    source = str(tmp_path / "silent.ogv")
    assert main(["build", source, "--output", "s3://corpora/out", *features]) == 0
    assert main(["build", source, "--output", str(tmp_path / "out"), *features]) == 0
    remote = download(client, "out", tmp_path / "remote")
    assert (remote / "shards/000000.tar").read_bytes() == (tmp_path / "out/shards/000000.tar").read_bytes()
    assert (remote / "index.parquet").read_bytes() == (tmp_path / "out/index.parquet").read_bytes()


class Unreliable:
    """A WSGI application that answers 503 instead of its inner one's answer, when told to."""

    def __init__(self, inner, fails) -> None:
        self.inner, self.fails, self.requests = inner, fails, 0

    def __call__(self, environ, start_response):
        self.requests += 1
        if self.fails(self.requests):
            start_response("503 Slow Down", [("Content-Type", "text/plain")])
            return [b""]
        return self.inner(environ, start_response)


@pytest.fixture
def unreliable(server, monkeypatch):
    """fails(n) -> bool decides on the n-th request from now on."""
    monkeypatch.setattr(objects, "PATIENCE_S", 1.0)
    inner = server._server.app

    def install(fails) -> Unreliable:
        server._server.app = Unreliable(inner, fails)
        return server._server.app

    yield install
    server._server.app = inner


def test_a_server_that_fails_every_tenth_request_delays_nobody(
    s3, media, features, tmp_path, unreliable
) -> None:
    client = s3
    flaky = unreliable(lambda n: n % 10 == 0)
    command = ["build", str(media / "still.png"), "--output", "s3://corpora/out", *features]
    assert main(command) == 0
    assert flaky.requests > 20
    assert main(["verify", str(download(client, "out", tmp_path))]) == 0


def test_a_server_that_disappears_is_one_line_and_the_next_run_completes(
    s3, media, features, tmp_path, unreliable, capsys
) -> None:
    client = s3
    command = ["build", str(media / "still.png"), "--output", "s3://corpora/out", *features]
    unreliable(lambda n: n > 25)
    assert main(command) == 3
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("favor-data:")]
    assert len(error) == 1
    assert "s3://corpora/out" in error[0]
    unreliable(lambda n: False)
    assert main(command) == 0
    assert main(["verify", str(download(client, "out", tmp_path))]) == 0


def test_beams_own_options_lead_there_for_one_more_version(
    server, s3, media, features, tmp_path, monkeypatch, capsys
) -> None:
    client = s3
    host, port = server.get_host_and_port()
    for name in environment(""):
        monkeypatch.setenv(name, "")  # and back again after the test, whatever the command sets
        monkeypatch.delenv(name)
    options = [f"--s3_endpoint_url=http://{host}:{port}", "--s3_access_key_id=k"]
    options += ["--s3_secret_access_key=s", "--s3_region_name=us-east-1"]
    command = ["build", str(media / "still.png"), "--output", "s3://corpora/out", *features]
    assert main([*command, *options]) == 0
    assert "--s3_endpoint_url goes with the next version: set AWS_ENDPOINT_URL" in capsys.readouterr().err
    assert main(["verify", str(download(client, "out", tmp_path))]) == 0


def test_a_manifest_a_pattern_and_a_tar_on_s3_are_the_same_inputs(s3, media, features, tmp_path) -> None:
    client = s3
    (tmp_path / "manifest.jsonl").write_text('{"media": "in/still [1].png", "id": "a"}\n')
    client.upload_file(str(tmp_path / "manifest.jsonl"), "corpora", "manifest.jsonl")
    client.upload_file(str(media / "still.png"), "corpora", "in/still [1].png")
    client.upload_file(str(media / "silent.ogv"), "corpora", "in/deep/silent.ogv")
    with tarfile.open(tmp_path / "raw.tar", "w") as tar:
        tar.add(media / "still.png", "x.png")
    client.upload_file(str(tmp_path / "raw.tar"), "corpora", "raw.tar")
    sources = ["manifest.jsonl", "raw.tar", "in/still [1].png", "in/**.ogv", "in/*.nothing*"]
    build = ["build", *(f"s3://corpora/{source}" for source in sources[:-1]), *features]
    assert main([*build, "--output", "s3://corpora/out"]) == 0
    content = client.get_object(Bucket="corpora", Key="out/ledger.parquet")["Body"].read()
    ledger = pd.read_parquet(BytesIO(content))
    assert ledger[["id", "status"]].to_numpy().tolist() == [
        ["deep/silent.ogv", "done"], ["still [1].png", "done"], ["a", "done"], ["raw/x.png", "done"],
    ]  # fmt: skip
    assert main(["build", f"s3://corpora/{sources[-1]}", "--output", str(tmp_path / "o"), *features]) == 2
    dataset = CorpusDataset(open_corpus("s3://corpora/out"))
    assert len(dataset) == 3


def test_growth_lists_a_folder_and_asks_for_no_file_of_it(s3, media, features, unreliable) -> None:
    client = s3
    for n in range(80):
        client.put_object(Bucket="corpora", Key=f"in/{n:03d}.txt", Body=b"no media")
    client.upload_file(str(media / "still.png"), "corpora", "in/still.png")
    command = ["build", "s3://corpora/in/", "--output", "s3://corpora/out", *features]
    assert main(command) == 0
    counting = unreliable(lambda n: False)
    assert main(command) == 0
    assert counting.requests < 60  # 81 inputs: two listings, and the corpus's own files


def test_a_bucket_that_is_not_there_is_said_before_anything_runs(
    s3, media, features, tmp_path, unreliable, monkeypatch, capsys
) -> None:
    """And a store that does not answer: at once, not after a minute, and before weights are looked at."""
    monkeypatch.setattr(build, "_featurizer", None)  # whoever looks at weights stumbles here
    still = str(media / "still.png")
    for source, output in ((still, "s3://mistyped/out"), ("s3://mistyped/in/", str(tmp_path / "o"))):
        assert main(["build", source, "--output", output, *features]) == 2
        assert "there is no s3://mistyped" in capsys.readouterr().err
    unreliable(lambda n: True)
    monkeypatch.setattr(files, "_FIRST_CONTACT_S", 1.0)
    assert main(["build", still, "--output", "s3://corpora/out", *features]) == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("favor-data: s3://")]
    assert len(lines) == 1
