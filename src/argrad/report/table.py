"""Tables: CSV and Parquet files, data frames, and the embedded table."""

from __future__ import annotations

import csv
import difflib
import gzip
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from argrad.report.errors import TableError, listed

EMBEDDED = "breast cancer (embedded)"
EMBEDDED_TARGET = "diagnosis"

# Rows of a table that are held at once where a whole one may be larger than memory.
CHUNK = 50_000

_DELIMITED = {".csv", ".tsv", ".txt"}
_PARQUET = {".parquet", ".pq"}
# Lines that show whether decimals are written with commas.
_SHOWN = 200
_COMMA, _POINT = re.compile(r"[+-]?\d+,\d+"), re.compile(r"[+-]?\d+\.\d+")


@dataclass(frozen=True)
class Table:
    """A named data frame whose columns all have different, textual names.

    `notes` say how it was read where that is no matter of course.
    """

    name: str
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


def embedded_table() -> Table:
    """scikit-learn's breast cancer table, its target the column `diagnosis` in words."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer(as_frame=True)
    words = {code: str(word) for code, word in enumerate(data.target_names)}
    return Table(EMBEDDED, data.data.assign(**{EMBEDDED_TARGET: data.target.map(words)}))


def as_table(source: str | Path | pd.DataFrame | None, as_text: Collection[str] = ()) -> Table:
    """The table that `source` names: a file, a data frame, or (`None`) the embedded one.

    Columns named in `as_text` are read as text even if they look like numbers. Raises
    `TableError` if the file is missing, unreadable or empty, or two columns share a name.
    """
    if source is None:
        return embedded_table()
    if isinstance(source, pd.DataFrame):
        return _checked("data frame", source, [str(column) for column in source.columns])
    path = _existing(source)
    with _read_errors(path):
        if is_parquet(path):
            return _read_parquet(path)
        return _read_delimited(path, as_text)


def in_chunks(
    source: str | Path | pd.DataFrame, as_text: Collection[str] = (), rows: int = CHUNK
) -> Iterator[Table]:
    """The table that `source` names in parts of at most so many rows, which count on.

    A file is read no further than the part that is asked for. Raises what `as_table` does.
    """
    if isinstance(source, pd.DataFrame):
        yield as_table(source)
        return
    path = _existing(source)
    with _read_errors(path):
        yield from (
            _parquet_parts(path, rows)
            if is_parquet(path)
            else _delimited_parts(path, as_text, rows)
        )


def _existing(source: str | Path) -> Path:
    path = Path(source)
    if path.is_dir():
        raise TableError(f"'{path}' is a folder, not a table: name the file in it.")
    packed = path.suffix.lower() == ".gz" and path.with_suffix("").suffix.lower() in _DELIMITED
    if not packed:
        check_suffix(path)
    if not path.exists():
        raise TableError(f"There is no file '{path}'{_nearest_file(path)}: check the path.")
    return path


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Say in words what is wrong with a file."""
    from pyarrow import ArrowException

    try:
        yield
    except TableError:
        raise
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or error
        raise TableError(f"'{path}' cannot be read: {why}.") from error
    except UnicodeDecodeError as error:
        raise TableError(
            f"'{path}' is not UTF-8 text (byte {error.start}): save it as UTF-8."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise TableError(
            f"'{path}' is not a regular table ({_first_line(error)}): "
            "each row needs as many fields as the header."
        ) from error
    except (ArrowException, ValueError) as error:
        if not is_parquet(path):
            raise
        raise TableError(
            f"'{path}' is not a Parquet file that can be read ({_first_line(error)}): "
            "write it again, or use CSV."
        ) from error


def check_suffix(path: Path) -> None:
    """Raise `TableError` unless `path` ends as a table that can be read or written does."""
    if path.suffix.lower() not in _DELIMITED | _PARQUET:
        ending = f"ends in '{path.suffix}'" if path.suffix else "has no suffix"
        raise TableError(
            f"'{path}' {ending}, which is not a table format known here: "
            "use .csv (or .tsv), to be read also .csv.gz, or .parquet."
        )


def is_parquet(path: Path) -> bool:
    """Whether `path` names a Parquet file."""
    return path.suffix.lower() in _PARQUET


def split_target(table: Table, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """The feature columns and the target column. Raises `TableError` if there is no such column."""
    columns = list(table.frame.columns)
    if target not in columns:
        folded = {column.casefold(): column for column in columns}
        near = difflib.get_close_matches(target.casefold(), folded, n=1, cutoff=0.5)
        suggestion = f" Did you mean '{folded[near[0]]}'?" if near else ""
        raise TableError(
            f"{table.name} has no column '{target}'.{suggestion} "
            f"Its columns are {listed(columns, limit=40)}."
        )
    return table.frame.drop(columns=target), table.frame[target]


def _nearest_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (nor a folder '{path.parent}')"
    names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f" (did you mean '{path.parent / near[0]}'?)" if near else ""


def _read_parquet(path: Path) -> Table:
    from pyarrow import parquet

    # pandas' own metadata would turn some columns into the index; an unnamed one is no data.
    _check_duplicates(str(path), parquet.read_schema(path).names)
    return _with_index(path, pd.read_parquet(path))


def _parquet_parts(path: Path, rows: int) -> Iterator[Table]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        _check_duplicates(str(path), file.schema_arrow.names)
        if file.metadata.num_rows == 0:
            yield _read_parquet(path)  # raises, saying so
        begin = 0
        for batch in file.iter_batches(batch_size=rows):
            table = _with_index(path, batch.to_pandas())
            yield _counted_from(begin, table)
            begin += len(table.frame)


def _with_index(path: Path, frame: pd.DataFrame) -> Table:
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    return _checked(str(path), frame, [str(column) for column in frame.columns])


def _read_delimited(path: Path, as_text: Collection[str]) -> Table:
    names, options = _csv_options(path, as_text)
    with _strict_rows(path, len(names)):
        frame = pd.read_csv(path, low_memory=False, **options)
    table = _checked(str(path), frame, names)
    if options["decimal"] == ".":
        return table
    return replace(table, notes=("numbers are read with decimal commas: 1,500 is one and a half",))


def _delimited_parts(path: Path, as_text: Collection[str], rows: int) -> Iterator[Table]:
    names, options = _csv_options(path, as_text)
    begin = 0
    with pd.read_csv(path, low_memory=False, chunksize=rows, **options) as parts:
        while True:
            with _strict_rows(path, len(names)):
                frame = next(parts, None)
            if frame is None:
                break
            yield _counted_from(begin, _checked(str(path), frame, names))
            begin += len(frame)
    if begin == 0:
        _read_delimited(path, as_text)  # raises, saying so


def _counted_from(begin: int, table: Table) -> Table:
    index = pd.RangeIndex(begin, begin + len(table.frame))
    return Table(table.name, table.frame.set_axis(index, axis="index"))


@contextmanager
def _strict_rows(path: Path, columns: int) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # A row longer than the header is cut with no more than this warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except pd.errors.ParserWarning as error:
        raise TableError(
            f"'{path}' has rows with more fields than its {columns} column names: "
            "mend the header line."
        ) from error


def _csv_options(path: Path, as_text: Collection[str]) -> tuple[list[str], dict[str, Any]]:
    """The column names that the header line gives, and how pandas is to read the rest."""
    with _opened(path) as lines:
        first = lines.readline()
        if not first.strip():
            raise TableError(f"'{path}' is empty: it needs a header line and rows.")
        delimiter = _delimiter(first)
        lines.seek(0)
        fields = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        header = next(fields)
        decimal = "," if delimiter == ";" and _decimal_commas(islice(fields, _SHOWN)) else "."
    names = [name.strip() or f"unnamed {place}" for place, name in enumerate(header, 1)]
    _check_duplicates(str(path), names)
    return names, {
        "sep": delimiter,
        "header": 0,
        "names": names,
        "index_col": False,
        "dtype": {name: str for name in names if name in as_text},
        "skipinitialspace": True,
        "decimal": decimal,
        "encoding": "utf-8-sig",
    }


def _opened(path: Path) -> TextIO:
    how: dict[str, Any] = {"mode": "rt", "newline": "", "encoding": "utf-8-sig"}
    return gzip.open(path, **how) if path.suffix.lower() == ".gz" else open(path, **how)


def _decimal_commas(rows: Iterable[Sequence[str]]) -> bool:
    """Whether there are decimals with a comma, and none with a point, as spreadsheets have them
    where fields are parted by semicolons."""
    fields = [field.strip() for row in rows for field in row]
    return any(map(_COMMA.fullmatch, fields)) and not any(map(_POINT.fullmatch, fields))


def _delimiter(header: str) -> str:
    """The one of comma, semicolon and tab that the header line uses most."""
    unquoted = "".join(header.split('"')[::2])
    return max([",", ";", "\t"], key=unquoted.count)


def _checked(name: str, frame: pd.DataFrame, names: Sequence[str]) -> Table:
    _check_duplicates(name, names)
    if frame.empty:
        what = "rows" if len(names) else "columns"
        raise TableError(f"{name} is empty: it has no {what}.")
    frame = frame.set_axis(list(names), axis="columns").reset_index(drop=True)
    return Table(name, frame)


def _check_duplicates(name: str, names: Sequence[str]) -> None:
    repeated = [column for column, count in Counter(names).items() if count > 1]
    if repeated:
        raise TableError(
            f"{name} has more than one column called {listed(repeated)}: "
            "rename or remove the duplicates."
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
