"""The page: one HTML file that asks for nothing else, with everything that it shows escaped."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import pyarrow as pa
from jinja2 import Environment, FunctionLoader, StrictUndefined

from report.charts import number
from report.facts import Facts
from report.sheet import STEP_WIDTH, Sheet

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def page(title: str, facts: Facts, sheets: Sequence[Sheet], index: pa.Table, chosen: str) -> str:
    """The HTML.

    Args:
        index: its columns id, key and shard: what the search finds.
        chosen: how the sheets were chosen, in words.
    """
    environment = Environment(autoescape=True, loader=FunctionLoader(_template), undefined=StrictUndefined)
    environment.filters["bytes"] = bytes_text
    environment.filters["number"] = number
    shards = index["shard"].combine_chunks().dictionary_encode()
    names = [index["id"].to_pylist(), index["key"].to_pylist(), shards.dictionary.to_pylist(),
             shards.indices.to_pylist()]  # fmt: skip
    return environment.get_template("page.html").render(
        title=title,
        facts=facts,
        sheets=sheets,
        chosen=chosen,
        step_width=STEP_WIDTH,
        samples=names,
    )


def bytes_text(size: float) -> str:
    """ "9.35 MB"."""
    for unit in _UNITS[:-1]:
        if abs(size) < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_UNITS[-1]}"


def _template(name: str) -> str:
    return files("report").joinpath("templates", name).read_text(encoding="utf-8")
