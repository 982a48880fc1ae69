"""The projection as files for other programs: CSV, JSON lines, Parquet.

Law: rows are read as they are written, in the order of the store, and never all in memory. Text in a CSV cell that a
spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, BinaryIO, Literal, TextIO

import msgspec

from claude_comm.cloudevents import readable
from claude_comm.errors import ConfigurationError
from claude_comm.store.database import Database

Format = Literal["csv", "jsonl", "parquet"]
# What may be exported, each a table or a view of that name in the documented reference.
TABLES = ("messages", "deliveries", "events", "session_stats", "file_operations", "module_communications", "progress")

# OWASP: what may begin a formula in a spreadsheet, with the characters that are skipped before one.
_FORMULA = frozenset("=+-@\t\r\n")
_PAGE = 5_000


def rows(database: Database, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table; a payload is its JSON text. Raises ConfigurationError for another table."""
    if table not in TABLES:
        raise ConfigurationError(f"{table!r} cannot be exported: choose one of {', '.join(TABLES)}.")
    for row in database.each(f"SELECT * FROM {table}"):
        row |= {name: readable(value) for name, value in row.items() if type(value) is bytes}
        yield row


def write(rows: Iterator[Mapping[str, Any]], format: Format, out: BinaryIO) -> int:
    """Writes the rows; how many there were. Raises ConfigurationError for Parquet where pyarrow is not installed."""
    return {"csv": write_csv, "jsonl": write_json_lines, "parquet": write_parquet}[format](rows, out)


def write_csv(rows: Iterator[Mapping[str, Any]], out: BinaryIO) -> int:
    """How many rows."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    try:
        return _write_csv(rows, text)
    finally:
        # Else it would close what it was given.
        text.detach()


def _write_csv(rows: Iterator[Mapping[str, Any]], out: TextIO) -> int:
    count, writer = 0, csv.writer(out)
    for page in _pages(rows):
        if not count:
            writer.writerow(page[0])
        writer.writerows([_cell(value) for value in row.values()] for row in page)
        count += len(page)
    return count


def write_json_lines(rows: Iterator[Mapping[str, Any]], out: BinaryIO) -> int:
    """How many rows."""
    count = 0
    for row in rows:
        out.write(msgspec.json.encode(row) + b"\n")
        count += 1
    return count


def write_parquet(rows: Iterator[Mapping[str, Any]], out: BinaryIO) -> int:
    """How many rows. Raises ConfigurationError where pyarrow is not installed."""
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigurationError("Parquet needs pyarrow: `pip install pyarrow`, or choose csv or jsonl.") from None
    count, writer = 0, None
    for page in _pages(rows):
        table = arrow.Table.from_pylist(page, schema=writer.schema if writer else None)
        if writer is None:
            writer = parquet.ParquetWriter(out, table.schema)
        writer.write_table(table)
        count += len(page)
    if writer is not None:
        writer.close()
    return count


def _pages(rows: Iterator[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    page: list[Mapping[str, Any]] = []
    for row in rows:
        page.append(row)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _cell(value: Any) -> Any:
    return f"'{value}" if type(value) is str and value[:1] in _FORMULA else value
