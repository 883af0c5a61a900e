"""The YAML at the top of a dataset's card, as Hugging Face's hub and `datasets` read it.

https://huggingface.co/docs/hub/datasets-cards; `configs` and `dataset_info` make `load_dataset` find and type
the shards, so that it need not guess from the first five samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.commands.share.contents import NO_LICENCE, Contents, Held
from pipelines.commands.share.licences import OTHER, UNKNOWN, identifier
from pipelines.products import WORDS
from schemas.features import INT8, SCALE
from schemas.state import ANNOTATIONS, BASE

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
          (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"))  # fmt: skip
_LARGEST = "n>1T"
TAGS = ("favor-data", "webdataset", "audio-visual")
SPLIT = "train"  # what `load_dataset` calls all of it; a manifest's own split is a column of the index
SAMPLES = "samples"  # the base shards, as a configuration
Field = dict[str, Any]


def front_matter(contents: Contents) -> dict[str, Any]:
    """Everything that the hub reads."""
    layers = sorted(contents.layers, key=lambda layer: (layer != BASE, layer))
    said = sorted({identifier(text) for text in contents.licences if text != NO_LICENCE})
    named = [text for text in contents.licences if text != NO_LICENCE and identifier(text) == OTHER]
    return {
        "license": said[0] if len(said) == 1 else said or UNKNOWN,
        **({"license_name": named[0][:96]} if said == [OTHER] else {}),
        **({"language": sorted(contents.languages)} if contents.languages else {}),
        "pretty_name": contents.name,
        "size_categories": [_size(contents.state.counts["samples"])],
        "tags": list(TAGS),
        # Tars alone: `datasets` reads all configurations of a repository with the builder of the first.
        "configs": [_config(contents, layer) for layer in layers],
        "dataset_info": [_info(contents, layer) for layer in layers],
    }


def _size(samples: int) -> str:
    return next((name for below, name in _SIZES if samples < below), _LARGEST)


def _name(layer: str) -> str:
    return SAMPLES if layer == BASE else layer


def _config(contents: Contents, layer: str) -> dict[str, Any]:
    data = [{"split": SPLIT, "path": f"{contents.folder(layer)}/*.tar"}]
    return {"config_name": _name(layer), "data_files": data, **({"default": True} if layer == BASE else {})}


def _info(contents: Contents, layer: str) -> dict[str, Any]:
    held = contents.layers[layer]
    sizes = {"num_bytes": held.bytes, "num_examples": held.samples}
    return {
        "config_name": _name(layer),
        "features": [_text("__key__"), _text("__url__"), *_members(contents, layer)],
        "splits": [{"name": SPLIT, **sizes}],
        "download_size": held.bytes,
        "dataset_size": held.bytes,
    }


def _members(contents: Contents, layer: str) -> Iterator[Field]:
    if layer == ANNOTATIONS:
        yield _struct("annotations.json", _text("conversations"), _text("metadata"))
        return
    if layer == BASE:
        yield _record()
    for product in contents.state.layers[layer]:
        if product in contents.columns:
            yield from _arrays(product, contents.columns[product])
        elif product == WORDS:
            yield _text("txt")
            yield _struct("words.json", _text("language"), _list("words", _WORD))
        elif product == "flac":
            yield {"name": "flac", "dtype": "audio"}
        elif product == "jpeg":
            yield from ({"name": f"frame_{n:03d}.jpg", "dtype": "image"} for n in range(contents.frames))


def _record() -> Field:
    """KEY.json; its list of features is the index's business."""
    return _struct(
        "json",
        *(_text(name) for name in ("key", "id")),
        *({"name": name, "dtype": "int64"} for name in ("version", "steps")),
        _list("span", "float64"),
        _list("span_ns", "int64"),
        _struct(
            "media",
            *(_struct(modality, _text("uri"), _text("sha256")) for modality in ("video", "audio", "image")),
        ),
        _list("frame_times", "float64"),
        *(_list(name, "int64") for name in ("audio_mask", "visual_mask")),
        _list("remarks", "string"),
    )


_WORD: list[Field] = [
    {"name": "word", "dtype": "string"},
    *({"name": name, "dtype": "float64"} for name in ("start", "end", "confidence")),
    {"name": "step", "dtype": "int64"},
]


def _arrays(column: str, held: Held) -> Iterator[Field]:
    yield _nested(f"{column}.npy", held.dtype, len(held.shape))
    if held.dtype == INT8:
        yield _nested(f"{column}.{SCALE}", "float32", len(held.shape))


def _nested(name: str, dtype: str, axes: int) -> Field:
    inner: Any = dtype
    for _ in range(axes - 1):
        inner = {"list": inner}
    return {"name": name, "list": inner}


def _text(name: str) -> Field:
    return {"name": name, "dtype": "string"}


def _list(name: str, of: str | Sequence[Field]) -> Field:
    return {"name": name, "list": of if isinstance(of, str) else list(of)}


def _struct(name: str, *fields: Field) -> Field:
    return {"name": name, "struct": list(fields)}
