"""Tables of Markdown from the schemas: Parquet columns with the comments beside them, and models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

_FIELD = re.compile(r'pa\.field\("(\w+)",.*?\),\s+# (.*)')


def comments(source: Path) -> dict[str, dict[str, str]]:
    """Name of a list of fields in the file -> column -> the comment beside it."""
    blocks = re.split(r"^(\w+) = ", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: dict(_FIELD.findall(text)) for name, text in zip(blocks[1::2], blocks[2::2], strict=True)}


def columns(schema: pa.Schema, said: Sequence[Mapping[str, str]]) -> str:
    """A row a column; what lies in lists and structs follows it.

    Args:
        said: column -> what it is: of the schema itself, then of each nested one in order.
    """
    nested = iter(said[1:])
    rows = (row for field in schema for row in _rows(field, said[0], nested, ""))
    return table(("column", "type", "null", "what"), rows)


def _rows(
    field: pa.Field, said: Mapping[str, str], nested: Iterator[Mapping[str, str]], before: str
) -> Iterator[tuple[str, ...]]:
    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    listed = "[]" if pa.types.is_list(field.type) else ""
    name = f"{before}{field.name}{listed}"
    struct = pa.types.is_struct(kind)
    null = "yes" if field.nullable else ""
    yield f"`{name}`", "struct" if struct else str(kind), null, said.get(field.name, "")
    if not struct:
        return
    if [inner.name for inner in kind] == ["video", "audio", "image"]:
        yield from (
            (f"`{name}.{inner.name}`", str(inner.type), "yes", f"of the {inner.name}") for inner in kind
        )
        return
    inside = next(nested)
    for inner in kind:
        yield from _rows(inner, inside, nested, f"{name}.")


def fields(model: type[BaseModel]) -> str:
    """A row a field of a model, after its docstring."""
    rows = (
        (f"`{field.alias or name}`", f"`{_type(field.annotation)}`", "" if field.is_required() else "yes")
        for name, field in model.model_fields.items()
    )
    return f"{prose(model.__doc__ or '')}\n\n{table(('field', 'type', 'may be left out'), rows)}"


def prose(docstring: str) -> str:
    """A docstring as Markdown: what it says of attributes as a list."""
    lines = inspect.cleandoc(docstring).splitlines()
    text, _, attributes = "\n".join(lines).partition("Attributes:\n")
    items = re.sub(r"^ {4}([\w, ]+): ", r"- `\1`: ", attributes.rstrip(), flags=re.MULTILINE)
    return f"{text.strip()}\n\n{items}".strip()


def table(head: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _type(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else ""
    return text or re.sub(r"\b(typing|schemas\.\w+|decimal)\.", "", str(annotation))
