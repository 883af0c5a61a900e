"""The words of a dataset's card: what is in the corpus, under which licences, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from pipelines.commands.make.summary import bytes_text
from pipelines.commands.share.contents import NO_LICENCE, Contents
from pipelines.commands.share.front_matter import SAMPLES
from pipelines.commands.share.licences import identifier
from schemas.corpus import Column
from schemas.state import ANNOTATIONS, BASE

_MOST = 20  # licences that are listed
_ELSEWHERE = {"columns"}  # options that the table of columns says


def card_text(contents: Contents, licences: Mapping[str, str], libraries: Mapping[str, str]) -> str:
    """Markdown.

    Args:
        licences: column -> its model's.
        libraries: name -> version, of the newest build.
    """
    parts = (
        [f"# {contents.name}", "", _summary(contents), ""],
        _columns(contents, licences),
        _rows(contents),
        _making(contents, libraries),
        _reading(contents),
    )
    return "\n".join(line for part in parts for line in part)


def _summary(contents: Contents) -> str:
    counts = contents.state.counts
    hours = contents.state.media_seconds / 3600
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(contents.modalities.items()))
    size = f"{bytes_text(counts['bytes'])} in {counts['shards']:,} shards"
    return (
        f"{counts['samples']:,} samples ({kinds}), {hours:,.3g} hours, {counts['conversations']:,} "
        f"conversations, {size}: features of sound and pictures on one grid of half seconds, as "
        "FAVOR (arXiv 2310.05863) has them. Made by favor-data."
    )


def _columns(contents: Contents, licences: Mapping[str, str]) -> Iterator[str]:
    yield from ("## Columns", "")
    yield "| column | encoder | its licence | array | in | samples | bytes |"
    yield "|---|---|---|---|---|--:|--:|"
    layer_of = {name: layer for layer, names in contents.state.layers.items() for name in names}
    for name, column in sorted(contents.state.columns.items()):
        held = contents.columns.get(name)
        if held is None:
            continue
        shape = " x ".join("steps" if i == 0 else str(n or "…") for i, n in enumerate(held.shape))
        folder = contents.folder(layer_of.get(name, BASE))
        yield (
            f"| `{name}` | {_model(column)} | {licences[name]} | {held.dtype} {shape} | `{folder}/` "
            f"| {held.samples:,} | {bytes_text(held.bytes)} |"
        )
    yield ""
    if untrained := [name for name, column in sorted(contents.state.columns.items()) if column.untrained]:
        yield f"**{', '.join(untrained)}: random weights. They mean nothing: of use in tests alone.**"
        yield ""


def _model(column: Column) -> str:
    """A folder by its last name: where it lay on somebody's disk is nobody's business."""
    name = PurePath(column.model).name if Path(column.model).is_absolute() else column.model
    return f"{column.kind} `{name}`, {column.dtype}"


def _rows(contents: Contents) -> Iterator[str]:
    yield from ("## Licences of the media", "")
    if set(contents.licences) <= {NO_LICENCE}:
        yield "The manifest's rows state none (a `license` column would)."
    else:
        yield from ("| as the rows say it | on the hub | rows |", "|---|---|--:|")
        for text, count in contents.licences.most_common(_MOST):
            said = _cell(text) if text else "none stated"
            yield f"| {said} | {identifier(text) if text else '–'} | {count:,} |"
        if (more := len(contents.licences) - _MOST) > 0:
            yield f"| {more:,} others | – | |"
    yield ""


def _cell(text: str) -> str:
    """As a cell of a table, whatever somebody wrote."""
    plain = " ".join(text.split())[:120]
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#!" else c for c in plain)


def _making(contents: Contents, libraries: Mapping[str, str]) -> Iterator[str]:
    counts = contents.state.counts
    yield from ("## How it was made", "")
    statuses = ", ".join(f"{counts[name]:,} {name}" for name in ("done", "rejected", "filtered", "removed"))
    yield f"{counts['inputs']:,} inputs: {statuses}; `ledger.parquet` says what became of each and why."
    for reason, count in counts["rejected_by_reason"].items():
        yield f"- rejected as `{reason}`: {count:,}"
    yield ""
    yield from ("| option of `favor-data build` | |", "|---|---|")
    for name, value in sorted(contents.state.options.items()):
        if name not in _ELSEWHERE and value not in ("", None, False, []):
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"| {name} | {_cell(said)} |"
    if libraries:
        yield from ("", ", ".join(f"{name} {version}" for name, version in libraries.items()) + ".")
    yield ""


def _reading(contents: Contents) -> Iterator[str]:
    yield from ("## Reading it", "", "```python", "import datasets", "import pandas", "")
    yield f'rows = datasets.load_dataset("OWNER/NAME", "{SAMPLES}", split="train", streaming=True)'
    if contents.layers.get(ANNOTATIONS):
        yield f'talks = datasets.load_dataset("OWNER/NAME", "{ANNOTATIONS}", split="train")'
    yield 'index = pandas.read_parquet("hf://datasets/OWNER/NAME/index.parquet")'
    yield "```"
    yield from ("", "With columns joined and exact resume, by `pip install favor-data huggingface_hub`:", "")
    yield from ("```python", "from favor_data import CorpusLoader, open_corpus", "")
    yield 'loader = CorpusLoader(open_corpus("hf://datasets/OWNER/NAME"), batch_size=8)'
    yield "```"
