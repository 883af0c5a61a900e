"""Columns of Arrow as Python's values, whatever their types: a cell that Python cannot hold is no error."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_FINE = "ns"  # Python's own times have microseconds


def values(column: pa.Array) -> list[Any]:
    """Nanoseconds are cut to microseconds; text that is not UTF-8 has halves of surrogate pairs in their
    place; NaN, which pandas writes for a value that is missing, and what Python cannot hold (a date of the
    year 12,000) are None."""
    column = _coarser(column)
    try:
        found: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, OverflowError, pa.ArrowException):
        found = [_value(cell) for cell in column]
    if pa.types.is_floating(column.type):
        found = [None if each is not None and math.isnan(each) else each for each in found]
    return found


def _value(cell: pa.Scalar) -> Any:
    try:
        return cell.as_py(maps_as_pydicts="lossy")
    except UnicodeDecodeError:
        return cell.as_buffer().to_pybytes().decode("utf-8", "surrogateescape") if _is_text(cell) else None
    except (ValueError, OverflowError, pa.ArrowException):
        return None


def _is_text(cell: pa.Scalar) -> bool:
    return isinstance(cell, (pa.StringScalar, pa.LargeStringScalar))


def _coarser(column: pa.Array) -> pa.Array:
    wanted = _coarser_type(column.type)
    if wanted.equals(column.type):
        return column
    try:
        return pc.cast(column, wanted, safe=False)
    except (pa.ArrowException, ValueError):  # a type within which Arrow cannot cast
        return column


def _coarser_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind) and kind.unit == _FINE:
        return pa.timestamp("us", kind.tz)
    if pa.types.is_duration(kind) and kind.unit == _FINE:
        return pa.duration("us")
    if pa.types.is_time64(kind) and kind.unit == _FINE:
        return pa.time64("us")
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_coarser_type(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_coarser_type(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_coarser_type(kind.value_type)))
    return kind
