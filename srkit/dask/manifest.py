"""A table of results, for people and programs that come after."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from srkit.atomic import replacing
from srkit.dask.record import Entry
from srkit.errors import MissingDependencyError, OptionError

COLUMNS = tuple(field.name for field in fields(Entry))
# Lines of a Parquet row group.
_GROUP = 1 << 16


def check_manifest(path: str | os.PathLike[str]) -> None:
    """Refuse a manifest that cannot be written, before any work is done.

    Raises
    ------
    OptionError
        If its suffix is neither .csv nor .parquet.
    MissingDependencyError
        If it is .parquet, and pyarrow is not installed.
    FileNotFoundError
        If its folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise OptionError(f"a manifest is written as .csv or .parquet, not as {path.name}")
    if not path.parent.is_dir():
        raise FileNotFoundError(2, os.strerror(2), str(path.parent))
    if path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise MissingDependencyError("Parquet needs pyarrow: pip install pyarrow; or name a .csv")


def write_manifest(path: str | os.PathLike[str], entries: Iterable[Entry]) -> None:
    """Write a line for each entry, ordered by the target's name; whole or not at all."""
    rows = [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.target)]
    with replacing(path) as file:
        if Path(path).suffix.lower() == ".parquet":
            _write_parquet(file, rows)
        else:
            text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
            table = csv.DictWriter(text, COLUMNS)
            table.writeheader()
            table.writerows(rows)
            text.detach()


def _write_parquet(file: Any, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"size": pa.int64(), "written": pa.int64(), "attempts": pa.int32()}
    schema = pa.schema(
        [
            (name, pa.float64() if name == "seconds" else kinds.get(name, pa.string()))
            for name in COLUMNS
        ]
    )
    table = pa.Table.from_pylist(rows, schema=schema)
    parquet.write_table(table, file, row_group_size=_GROUP)
