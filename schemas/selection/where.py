"""Which rows of a table pass: one condition in SQL, as DuckDB has it, over one row at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

_TABLE = "corpus"
# A condition speaks of its row and of nothing else: no file, no other row, no other answer tomorrow.
_CONFIG = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
_REFUSED = {
    "SUBQUERY": "a query of its own",
    "WINDOW": "other rows",
    "STAR": "all columns at once",
    "PARAMETER": "a parameter",
}


class WhereError(ValueError):
    """A condition that is none: one line that says why."""


@dataclass(frozen=True)
class Passed:
    """`mask`: bool [rows], True where the condition is; `unknown`: rows of which it is NULL, not kept."""

    mask: npt.NDArray[np.bool_]
    unknown: int


@dataclass(frozen=True)
class Where:
    """A condition, checked as far as it can be without a table.

    Raises:
        WhereError: not one SQL expression, or one that looks beyond its row.
    """

    text: str

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise WhereError("an empty condition")
        with _connection() as connection:
            self._check(_parsed(connection, self.text), _unsteady(connection))

    def _check(self, statement: Any, unsteady: dict[str, str]) -> None:
        node = statement["node"]
        alone = node["type"] == "SELECT_NODE" and node["from_table"]["type"] == "EMPTY"
        if not alone or len(node["select_list"]) != 1 or node["where_clause"]:
            raise WhereError(f"{self.text}: want one condition")
        for part in _parts(node["select_list"]):
            if what := _REFUSED.get(str(part.get("class"))):
                raise WhereError(f"{self.text}: {what} in a condition, which is about one row")
            if why := unsteady.get(str(part.get("function_name")).lower()):
                raise WhereError(f"{self.text}: {part['function_name']}() {why}")

    def columns(self, known: Sequence[str]) -> list[str]:
        """Those of a table's columns that the condition names, in the table's order."""
        with _connection() as connection:
            parts = list(_parts(_parsed(connection, self.text)["node"]["select_list"]))
        named = {name.lower() for part in parts for name in part.get("column_names", ())}
        return [name for name in known if name.lower() in named]

    def passed(self, table: pa.Table) -> Passed:
        """Of each row, in the table's order.

        Raises:
            WhereError: no such column, no condition but a number or a text, or a value that it fails on.
        """
        import duckdb

        with _connection() as connection:
            connection.register(_TABLE, table)
            try:
                found = connection.sql(f"SELECT ({self.text}\n) AS passes FROM {_TABLE}")  # noqa: S608
                if str(found.types[0]) != "BOOLEAN":
                    raise WhereError(f"{self.text}: its value is a {found.types[0]}, not true or false")
                verdict = found.fetchnumpy()["passes"]
            except duckdb.Error as error:
                raise WhereError(f"{self.text}: {_line(error)}") from error
        unknown = np.ma.getmaskarray(verdict)
        return Passed(np.ma.filled(verdict, False).astype(np.bool_), int(unknown.sum()))


def _connection() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(config=_CONFIG)
    connection.execute("SET TimeZone = 'UTC'; SET lock_configuration = true")
    return connection


def _parsed(connection: duckdb.DuckDBPyConnection, text: str) -> Any:
    """DuckDB's syntax tree of `SELECT (text)`.

    Raises:
        WhereError: not SQL, or several statements.
    """
    row = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT ({text}\n)"]).fetchone()
    assert row is not None
    tree = json.loads(row[0])
    if tree["error"] or len(tree["statements"]) != 1:
        raise WhereError(f"{text}: {tree.get('error_message', 'want one condition')}")
    return tree["statements"][0]


def _unsteady(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Function -> why a condition may not call it."""
    rows = connection.execute(
        "SELECT function_name, bool_or(function_type = 'aggregate') FROM duckdb_functions() WHERE "
        "function_type = 'aggregate' OR stability = 'VOLATILE' OR function_name LIKE 'current_%' OR "
        "(stability = 'CONSISTENT_WITHIN_QUERY' AND len(parameters) = 0) GROUP BY function_name"
    ).fetchall()
    return {name: "is about many rows" if many else "says something else next time" for name, many in rows}


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a syntax tree."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _parts(part)


def _line(error: Exception) -> str:
    """DuckDB's reason, without its drawing of where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    hints = [line for line in lines[1:2] if line.startswith("Candidate")]
    return " ".join([lines[0], *hints])
