"""What the user may write, and what a mistake is answered with."""

import http.server
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import featurizers.kinds
from featurizers.errors import ModelUnavailable
from featurizers.registry import load, resolve
from featurizers.vision.frames import Crop
from schemas.media import Modality


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("whisper", {}, "KIND one of audio, beats, clip, eva"),
        ("foo:bar", {}, "KIND one of audio, beats, clip, eva"),
        ("clip:", {}, "KIND one of audio, beats, clip, eva"),
        ("whisper:huge", {}, "one of tiny.en, tiny"),
        ("whisper:random:huge", {}, "SIZE one of tiny.en, tiny"),
        ("clip:random:vit-h", {}, "random:vit-b-32, random:vit-l-14"),
        ("clip:random:vit-b-32", {"fit": "stretch"}, "crop, squash, favor"),
        ("clip:random:vit-b-32", {"clip_tokens": "most"}, "patch, cls, all or pool:NxN"),
        ("clip:random:vit-b-32", {"clip_tokens": "pool:0x4"}, "patch, cls, all or pool:NxN"),
        ("clip:random:vit-b-32", {"dtype": "float64"}, "auto, float32, bfloat16, float16"),
        ("clip:random:vit-b-32", {"device": "tpu"}, "auto, cpu, cuda, cuda:N or mps"),
        ("clip:random:vit-b-32", {"device": "cuda:99"}, "no device 'cuda:99'"),
        ("clip:random:vit-b-32", {"device": "cpu", "dtype": "float16"}, "float16 is slow"),
    ],
)
def test_mistakes_are_answered_in_one_line(spec, options, message):
    with pytest.raises(ModelUnavailable, match=message) as caught:
        resolve("clip", spec, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["../nope", "/nope", "two words", "a/b/c", "."])
def test_not_a_checkpoint(model):
    with pytest.raises(ModelUnavailable) as caught:
        resolve("clip", f"clip:{model}").fingerprint()
    assert "\n" not in str(caught.value)


def test_a_featurizer_travels_small(small_clip):
    for spec in ("clip:random:vit-l-14", "whisper:random:large-v2", f"clip:{small_clip}"):
        featurizer = resolve("x", spec, device="cpu")
        pickled = pickle.dumps(featurizer)
        assert len(pickled) < 2_000
        assert pickle.loads(pickled) == featurizer
        assert pickle.loads(pickled).fingerprint() == featurizer.fingerprint()


def test_modalities():
    assert resolve("x", "whisper:random:tiny").modality is Modality.AUDIO
    assert resolve("x", "whisper:random:tiny").frame_transform() is None
    clip = resolve("x", "clip:random:vit-b-32")
    assert clip.modality is Modality.VIDEO
    assert clip.frame_transform() == Crop(224, 224)
    assert clip.untrained
    assert clip.model == "random:vit-b-32"


DESCRIBE = """
import pickle, sys
from featurizers.registry import load, resolve
for spec in sys.argv[1:]:
    featurizer = pickle.loads(pickle.dumps(resolve("x", spec, device="cpu", dtype="float32")))
    featurizer.fingerprint()
    featurizer.frame_transform()
    featurizer.rows_per_call
heavy = {"torch", "transformers", "whisper", "numba", "safetensors", "apache_beam"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""


def test_describing_imports_nothing_heavy(small_clip, tiny_en):
    specs = [
        "clip:random:vit-b-32",
        f"clip:{small_clip}",
        "whisper:random:tiny",
        "whisper:large-v2",
        f"whisper:{tiny_en}",
    ]
    run = subprocess.run(
        [sys.executable, "-c", DESCRIBE, *specs], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


NAMES = """
import sys
from featurizers.registry import kinds
before = {name for name in sys.modules if name.startswith("featurizers.kinds.")}
print(*kinds())
for name in kinds():
    kinds()[name]()
heavy = {"torch", "transformers", "whisper", "numba", "safetensors", "apache_beam"} & set(sys.modules)
sys.exit(f"imported: {before or heavy}" if before or heavy else 0)
"""


def test_a_kind_is_a_file_and_importing_it_loads_nothing_heavy():
    run = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    files = {path.stem for path in Path(featurizers.kinds.__file__).parent.glob("[a-z]*.py")}
    assert files <= set(run.stdout.split())


def test_frame_transforms_import_no_torch():
    code = (
        "import sys, featurizers.vision.frames; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


LOAD = """
import sys
from featurizers.registry import load, resolve
load(resolve("x", sys.argv[1], device="cpu"))
sys.exit(any(name in sys.modules for name in ("transformers", "whisper", "numba")))
"""


def test_loading_clip_imports_torch_alone(small_clip):
    assert subprocess.run([sys.executable, "-c", LOAD, f"clip:{small_clip}"], check=False).returncode == 0


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the Hugging Face hub as serves one repository's files."""

    root = None
    requests: list[str]

    def do_HEAD(self):
        self.requests.append(self.path)
        path = self.root / self.path.rpartition("/resolve/main/")[2]
        if "/resolve/" in self.path and "/openai/small/" in self.path and path.is_file():
            self.send_response(200)
            self.send_header("ETag", f'"{path.name}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            return path
        missing = "EntryNotFound" if "/openai/small/" in self.path else "RepoNotFound"
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("X-Error-Code", missing)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def do_GET(self):
        path = self.do_HEAD()
        if path is not None:
            self.wfile.write(path.read_bytes())

    def log_message(self, *arguments):
        pass


FETCH = """
import sys
from featurizers.errors import ModelUnavailable
from featurizers.registry import load, resolve
try:
    featurizer = resolve("clip", f"clip:{sys.argv[1]}", device="cpu", dtype="float32")
    print(featurizer.fingerprint().digest)
except ModelUnavailable as error:
    sys.exit(f"ONE LINE: {error}")
"""


def fetch(model, endpoint, home):
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "NO_PROXY": "*",
        "no_proxy": "*",
    }
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [sys.executable, "-c", FETCH, model],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_hub_model_is_fetched_once(small_clip, tmp_path):
    handler = type("Served", (Hub,), {"root": small_clip, "requests": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        try:
            first = fetch("openai/small", endpoint, tmp_path)
            assert first.returncode == 0, first.stderr
            asked = handler.requests.copy()
            second = fetch("openai/small", endpoint, tmp_path)
            assert not [path for path in handler.requests[len(asked) :] if "openai" in path]
            unknown = fetch("openai/unknown", endpoint, tmp_path)
        finally:
            server.shutdown()
            thread.join()
    local = resolve("clip", f"clip:{small_clip}", device="cpu", dtype="float32").fingerprint().digest
    assert first.stdout == second.stdout == f"{local}\n"
    assert unknown.returncode == 1
    assert "ONE LINE: 'openai/unknown' cannot be fetched" in unknown.stderr


def test_a_hub_that_cannot_be_reached_is_said_at_once(tmp_path):
    run = fetch("openai/small", "http://127.0.0.1:9", tmp_path)
    assert run.returncode == 1
    assert "ONE LINE: 'openai/small' cannot be fetched" in run.stderr
    assert "Retrying" not in run.stderr


def test_half_a_checkpoint(small_clip, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((small_clip / name).read_bytes())
    featurizer = resolve("clip", f"clip:{tmp_path}", device="cpu")
    assert load(featurizer).encode([np.zeros((1, 48, 48, 3), np.uint8)])[0].array.shape == (1, 36, 64)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelUnavailable, match="cannot be read: Error while"):
        load(featurizer)
    weights.unlink()
    with pytest.raises(ModelUnavailable, match=r"neither model\.safetensors nor"):
        load(featurizer)
