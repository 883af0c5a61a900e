"""Files of weights: where they lie, and their digests."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Fetch
from schemas.digest import digest

_HUB_TIMEOUT_S = 10
_OPTIONAL = (
    "preprocessor_config.json",
    # The tokenizer of InstructBLIP's Q-Former, for prompts.
    "qformer_tokenizer/tokenizer.json",
    "qformer_tokenizer/tokenizer_config.json",
    "qformer_tokenizer/special_tokens_map.json",
    "qformer_tokenizer/added_tokens.json",
    "qformer_tokenizer/vocab.txt",
)
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def read_json(path: Path) -> dict[str, Any]:
    """Raises:
    ModelUnavailable: not a JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ModelUnavailable(f"{path} holds no JSON object")
    return found


def file_digest(path: Path) -> str:
    """SHA-256, hex, of a file's bytes; computed once in a process while size and mtime stay the same."""
    status = path.stat()
    return _file_digest(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _file_digest(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_digest(paths: list[Path]) -> str:
    """The file's SHA-256, or one digest of the SHA-256s of several (a sharded checkpoint)."""
    if len(paths) == 1:
        return file_digest(paths[0])
    return digest({path.name: file_digest(path) for path in paths})


def folder(model: str) -> Path:
    """The directory of a transformers checkpoint: a local one, or the Hugging Face cache's snapshot of an id,
    or of `ID@REVISION` (a branch, a tag, a commit).

    A model that is already in the cache is taken as it is, without asking the hub.

    Raises:
        ModelUnavailable: no such directory, or a hub id that is neither cached nor to be had.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        weight_files(path)
        return path
    if path.exists() or not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(@[\w./-]+)?", model):
        raise ModelUnavailable(f"{model!r} is neither a directory nor a Hugging Face id")
    return _hub_folder(model)


def to_fetch(model: str) -> Fetch | None:
    """What `folder` would download: None if it is there, or is no hub's to give."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HFValidationError, RemoteEntryNotFoundError

    if Path(model).expanduser().exists():
        return None
    try:
        weight_files(Path(hf_hub_download(model, "config.json", local_files_only=True)).parent)
    except (OSError, HFValidationError, ModelUnavailable):
        pass
    else:
        return None
    into = Path(constants.HF_HUB_CACHE)
    for name in ("model.safetensors", "pytorch_model.bin"):
        try:
            _ping(constants.ENDPOINT)
            return Fetch(get_hf_file_metadata(hf_hub_url(model, name), timeout=_HUB_TIMEOUT_S).size, into)
        except RemoteEntryNotFoundError:
            continue
        except (OSError, HFValidationError):
            break
    return Fetch(None, into)


def weight_files(path: Path) -> list[Path]:
    """The checkpoint's weights: one file, or the shards that its index names. safetensors first.

    Raises:
        ModelUnavailable: no config.json, no weights, or a shard is missing.
    """
    if not (path / "config.json").is_file():
        raise ModelUnavailable(f"{path}: no config.json; give the directory of a transformers checkpoint")
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (path / name).is_file():
            return [path / name]
        index = path / f"{name}.index.json"
        if index.is_file():
            named = read_json(index).get("weight_map")
            if not isinstance(named, dict) or not all(isinstance(shard, str) for shard in named.values()):
                raise ModelUnavailable(f"{index} names no files: no weight_map")
            shards = sorted(set(named.values()))
            missing = [shard for shard in shards if Path(shard).name != shard or not (path / shard).is_file()]
            if missing:
                raise ModelUnavailable(f"{path}: the index names {missing[0]!r}, which is not there")
            return [path / shard for shard in shards]
    raise ModelUnavailable(f"{path}: neither model.safetensors nor pytorch_model.bin")


@functools.lru_cache(maxsize=32)
def _hub_folder(model: str) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub import hf_hub_download as download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RemoteEntryNotFoundError

    name, _, revision = model.partition("@")
    hf_hub_download = functools.partial(download, name, revision=revision or None)
    try:
        cached = Path(hf_hub_download("config.json", local_files_only=True)).parent
        weight_files(cached)
        return cached
    except (LocalEntryNotFoundError, HFValidationError, ModelUnavailable):
        pass
    mend = "give a local directory, set HF_HOME to a cache that holds it, or use random:SIZE"
    try:
        _ping(constants.ENDPOINT)
        fetched = Path(hf_hub_download("config.json", etag_timeout=_HUB_TIMEOUT_S)).parent
        for file in _OPTIONAL + _WEIGHTS:
            try:
                hf_hub_download(file, etag_timeout=_HUB_TIMEOUT_S)
            except RemoteEntryNotFoundError:
                continue
            if file.endswith(".index.json"):
                stem, _, suffix = file.removesuffix(".index.json").rpartition(".")
                shards = f"{stem}-*.{suffix}"
                snapshot_download(
                    name, revision=revision or None, allow_patterns=shards, etag_timeout=_HUB_TIMEOUT_S
                )
            if file in _WEIGHTS:
                break
        weight_files(fetched)
    except (HFValidationError, OSError) as error:
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(f"{model!r} cannot be fetched from the hub ({detail}); {mend}") from error
    return fetched


def _ping(endpoint: str) -> None:
    """One plain request: the hub's own client retries for half a minute where there is no network."""
    request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 - the hub's own address
    with contextlib.suppress(urllib.error.HTTPError):  # then it answers
        urllib.request.urlopen(request, timeout=_HUB_TIMEOUT_S).close()  # noqa: S310
