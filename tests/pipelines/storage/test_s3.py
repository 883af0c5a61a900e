"""The whole job against an S3 server on loopback, also one that fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import boto3
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

from pipelines.commands.command import main


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3(server, monkeypatch):
    """(client of a fresh bucket `corpora`, Beam's options for it)"""
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket="corpora")
    options = [f"--s3_endpoint_url={endpoint}", "--s3_access_key_id=k", "--s3_secret_access_key=s"]
    yield client, [*options, "--s3_region_name=us-east-1"]
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="corpora"):
        for found in page.get("Contents", []):
            client.delete_object(Bucket="corpora", Key=found["Key"])
    client.delete_bucket(Bucket="corpora")


def download(client, prefix: str, folder: Path) -> Path:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="corpora", Prefix=prefix):
        for found in page.get("Contents", []):
            path = folder / found["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file("corpora", found["Key"], str(path))
    return folder / prefix


def test_videos_on_s3_become_a_corpus_on_s3(s3, media, features, tmp_path) -> None:
    client, options = s3
    for name in ("talk.mp4", "still.png"):
        client.upload_file(str(media / name), "corpora", f"videos/deep/{name}")
    client.put_object(Bucket="corpora", Key="videos/text.mp4", Body=b"not a film" * 20)
    command = ["build", "s3://corpora/videos/", "--output", "s3://corpora/out", *features, *options]
    assert main(command) == 0
    corpus = download(client, "out", tmp_path)
    assert main(["verify", str(corpus)]) == 0
    assert main(["verify", "s3://corpora/out", *options]) == 0
    ledger = pd.read_parquet(corpus / "ledger.parquet").set_index("id")
    assert ledger["status"].to_dict() == {
        "deep/still.png": "done",
        "deep/talk.mp4": "done",
        "text.mp4": "rejected",
    }
    assert not [path for path in tmp_path.rglob("*") if ".tmp" in path.parts]


def test_shards_are_the_same_on_s3_and_on_disk(s3, media, features, tmp_path) -> None:
    client, options = s3
    shutil.copy(media / "silent.ogv", tmp_path / "silent.ogv")
    source = str(tmp_path / "silent.ogv")
    assert main(["build", source, "--output", "s3://corpora/out", *features, *options]) == 0
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
    monkeypatch.setattr("apache_beam.utils.retry.Clock.sleep", lambda self, seconds: None)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    inner = server._server.app

    def install(fails) -> Unreliable:
        server._server.app = Unreliable(inner, fails)
        return server._server.app

    yield install
    server._server.app = inner


def test_a_server_that_fails_every_tenth_request_delays_nobody(
    s3, media, features, tmp_path, unreliable
) -> None:
    client, options = s3
    flaky = unreliable(lambda n: n % 10 == 0)
    command = ["build", str(media / "still.png"), "--output", "s3://corpora/out", *features, *options]
    assert main(command) == 0
    assert flaky.requests > 20
    assert main(["verify", str(download(client, "out", tmp_path))]) == 0


def test_a_server_that_disappears_is_one_line_and_the_next_run_completes(
    s3, media, features, tmp_path, unreliable, capsys
) -> None:
    client, options = s3
    command = ["build", str(media / "still.png"), "--output", "s3://corpora/out", *features, *options]
    unreliable(lambda n: n > 25)
    assert main(command) == 1
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("favor-data:")]
    assert len(error) == 1
    assert "s3://corpora/out" in error[0]
    unreliable(lambda n: False)
    assert main(command) == 0
    assert main(["verify", str(download(client, "out", tmp_path))]) == 0
