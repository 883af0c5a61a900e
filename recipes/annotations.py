"""Reading the files that sets publish: any of the usual encodings, streaming, faults named."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any

import ijson

from recipes.errors import RecipeError

_BLOCK = 1 << 20
_SPLITS = {
    "train": "train",
    "training": "train",
    "development": "train",  # Clotho's name of its training part
    "val": "val",
    "valid": "val",
    "validation": "val",
    "testdev": "testdev",
    "dev": "dev",
    "test": "test",
    "evaluation": "test",
}


def _windows(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are not UTF-8 are Windows-1252, in which those sets were typed."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in wrong), error.end


codecs.register_error("favor-data-windows", _windows)


@dataclass
class Annotations:
    """The annotation files that a user named, and what was noticed while reading them.

    Attributes:
        remarks: remark -> how often.
    """

    paths: Sequence[Path]
    remarks: Counter[str] = field(default_factory=Counter)

    def find(self, *patterns: str, required: bool = True) -> list[Path]:
        """The files named so, in the folders given and among the files given; sorted. Where none is, the
        files given that have the first name's suffix: people rename.

        Raises:
            RecipeError: there is none, or a path given does not exist.
        """
        found: list[Path] = []
        for path in self.paths:
            if path.is_dir():
                found += sorted({hit for pattern in patterns for hit in path.rglob(pattern) if hit.is_file()})
            elif not path.exists():
                raise RecipeError(f"{path}: no such file: name the set's annotations with --annotations")
            elif any(fnmatch(path.name, pattern) for pattern in patterns):
                found.append(path)
        suffix = Path(patterns[0]).suffix
        found = found or [path for path in self.paths if suffix and path.is_file() and path.suffix == suffix]
        if required and not found:
            places = ", ".join(map(str, self.paths))
            raise RecipeError(f"{places}: holds no {' or '.join(patterns)}: name it with --annotations")
        return found

    def lines(self, path: Path) -> Iterator[str]:
        """Lines with their ends; UTF-8 with or without its mark, UTF-16 with it; what is neither is read as
        Windows-1252, and said."""
        with path.open("rb") as raw:
            if raw.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                raw.seek(0)
                yield from io.TextIOWrapper(raw, encoding="utf-16", newline="")
                return
            raw.seek(0)
            for number, line in enumerate(raw):
                line = line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
                try:
                    yield line.decode()
                except UnicodeDecodeError:
                    self.remarks[f"lines of {path.name} are not UTF-8: read as Windows-1252"] += 1
                    yield line.decode("utf-8", "favor-data-windows")

    def table(self, path: Path, *columns: str) -> Iterator[dict[str, str]]:
        """Rows of a CSV file with a header that has at least these columns.

        Raises:
            RecipeError: a column is missing, or a row has another number of cells.
        """
        rows = self.cells(path)
        try:
            _, names = next(rows)
        except StopIteration:
            raise RecipeError(f"{path}: is empty") from None
        header = [name.strip() for name in names]
        if lacking := [column for column in columns if column not in header]:
            raise RecipeError(f"{path}: has no column {lacking[0]!r} (it has {', '.join(header)})")
        for line, cells in rows:
            if len(cells) != len(header):
                raise RecipeError(f"{path}:{line}: {len(cells)} cells, the header has {len(header)}")
            yield dict(zip(header, cells, strict=True))

    def cells(self, path: Path) -> Iterator[tuple[int, list[str]]]:
        """(line, cells) of a CSV file, its header too if it has one; empty lines left out."""
        csv.field_size_limit(1 << 24)
        reader = csv.reader(self.lines(path), strict=True)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error as error:
            raise RecipeError(f"{path}:{reader.line_num}: {error}") from error

    def items(self, path: Path, prefix: str = "item") -> Iterator[tuple[str, Any]]:
        """(place, item) of the list at `prefix` of a JSON file ("item": the file is the list)."""
        yield from self._parsed(path, prefix, ijson.items)

    def members(self, path: Path, prefix: str = "") -> Iterator[tuple[str, tuple[str, Any]]]:
        """(place, (key, value)) of the object at `prefix` of a JSON file."""
        yield from self._parsed(path, prefix, ijson.kvitems)

    def has(self, path: Path, key: str) -> bool:
        """Whether a JSON file is an object with this key; what stands after its first deeper object is not
        looked at."""
        with path.open("rb") as raw:
            try:
                for prefix, event, value in ijson.parse(_Utf8(raw, self.remarks, path.name)):
                    if event == "map_key" and (value == key or "." in prefix):
                        return bool(value == key)
            except ijson.JSONError as error:
                raise RecipeError(f"{path}: is not JSON: {_fault(error)}") from error
        return False

    def _parsed(self, path: Path, prefix: str, parse: Any) -> Iterator[tuple[str, Any]]:
        with path.open("rb") as raw:
            number = 0
            try:
                stream = _Utf8(raw, self.remarks, path.name)
                for number, item in enumerate(parse(stream, prefix, use_float=True), start=1):
                    yield f"{path}:{number}", item
            except ijson.JSONError as error:
                raise RecipeError(f"{path}: after record {number}: is not JSON: {_fault(error)}") from error
        if not number:
            where = prefix.removesuffix(".item").removesuffix("item")
            raise RecipeError(f"{path}: holds no records{f' in field {where!r}' if where else ''}")


def _fault(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


class _Utf8:
    """The bytes of a JSON file as UTF-8 without its mark, as ijson wants them."""

    def __init__(self, raw: IO[bytes], remarks: Counter[str], name: str) -> None:
        self._raw = raw
        start = raw.read(2)
        raw.seek(0)
        wide = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        self._decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
        self._remarks = remarks
        self._name = name

    def read(self, size: int = -1) -> bytes:
        if size == 0:  # ijson asks what kind of stream this is
            return b""
        while block := self._raw.read(size if size > 0 else _BLOCK):
            state = self._decoder.getstate()
            try:
                text = self._decoder.decode(block)
            except UnicodeDecodeError:
                self._decoder = codecs.getincrementaldecoder("utf-8-sig")("favor-data-windows")
                self._decoder.setstate(state)
                text = self._decoder.decode(block)
                self._remarks[
                    f"{self._name} is not UTF-8 throughout: read as Windows-1252 where it is not"
                ] = 1
            if text:
                return text.encode()
        return b""


def required(place: str, record: Any, name: str, kind: type | tuple[type, ...] = str) -> Any:
    """A field of a record, of one of these types.

    Raises:
        RecipeError: it is missing, or of another type.
    """
    if not isinstance(record, Mapping):
        raise RecipeError(f"{place}: is no object with fields, but {type(record).__name__}")
    if name not in record:
        raise RecipeError(f"{place}: has no field {name!r} (it has {', '.join(map(str, record))})")
    if not isinstance(record[name], kind):
        raise RecipeError(f"{place}: field {name!r} is {type(record[name]).__name__}")
    return record[name]


def texts(place: str, record: Any, name: str) -> list[str]:
    """A field that lists texts; [] where it is missing, null or not disclosed."""
    value = record.get(name) if isinstance(record, Mapping) else None
    if value is None:
        return []
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise RecipeError(f"{place}: field {name!r} is no list of texts")
    return values


def seconds(place: str, text: Any) -> Decimal:
    """A time as annotations write it.

    Raises:
        RecipeError: it is no number of seconds.
    """
    try:
        value = Decimal(str(text).strip())
    except InvalidOperation as error:
        raise RecipeError(f"{place}: {text!r} is no number of seconds") from error
    if not value.is_finite() or value < 0:
        raise RecipeError(f"{place}: {text!r} is no number of seconds")
    return value


def split_of(path: Path) -> str | None:
    """train, val, test, … from the file's name, or else its folder's; None: neither says."""
    for name in (path.stem, path.parent.name):
        for word in re.findall(r"[a-z]+", name.lower()):
            if word in _SPLITS:
                return _SPLITS[word]
    return None
