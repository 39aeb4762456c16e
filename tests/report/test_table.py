from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from argrad.report.errors import TableError
from argrad.report.table import EMBEDDED_TARGET, as_table, embedded_table, in_chunks, split_target


def written(path, text: str, encoding: str = "utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_embedded_table_is_the_breast_cancer_data_in_words():
    table = embedded_table()
    assert table.frame.shape == (569, 31)
    assert set(table.frame[EMBEDDED_TARGET]) == {"malignant", "benign"}


def test_csv_and_parquet_hold_the_same(tmp_path):
    frame = pd.DataFrame({"a": [1.5, None, 3.0], "b": ["x", "y", None], "c": [True, False, True]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    csv = as_table(tmp_path / "t.csv").frame
    pd.testing.assert_frame_equal(csv, as_table(str(tmp_path / "t.parquet")).frame)
    assert list(csv.columns) == ["a", "b", "c"]


@pytest.mark.parametrize("delimiter", [";", "\t", ", "])
def test_delimiter_is_read_from_the_header(tmp_path, delimiter):
    path = written(tmp_path / "t.csv", "\ufeffa,b c\n1,x\n2,y\n".replace(",", delimiter))
    frame = as_table(path).frame
    assert list(frame.columns) == ["a", "b c"]
    assert list(frame["b c"]) == ["x", "y"]


def test_decimal_commas_between_semicolons_are_numbers(rng, tmp_path):
    frame = pd.DataFrame({"a": rng.normal(size=30), "n": range(30), "c": ["x", "1,5 l"] * 15})
    frame.to_csv(tmp_path / "t.csv", sep=";", decimal=",", index=False, encoding="utf-8-sig")
    table = as_table(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(table.frame, frame)
    assert "decimal commas" in table.notes[0]
    (part, *_) = in_chunks(tmp_path / "t.csv", rows=7)
    pd.testing.assert_frame_equal(part.frame, frame[:7])
    # Where points are decimals a comma is something else.
    mixed = as_table(written(tmp_path / "m.csv", "a;b\n1.5;1,5\n2.5;2,5\n"))
    assert mixed.frame["a"].tolist() == [1.5, 2.5]
    assert mixed.frame["b"].tolist() == ["1,5", "2,5"]
    assert not mixed.notes


def test_packed_text_is_read(rng, tmp_path):
    frame = pd.DataFrame({"a": rng.normal(size=30), "b": ["x", "y"] * 15})
    frame.to_csv(tmp_path / "t.csv.gz", index=False)
    pd.testing.assert_frame_equal(as_table(tmp_path / "t.csv.gz").frame, frame)
    parts = [table.frame for table in in_chunks(tmp_path / "t.csv.gz", rows=8)]
    pd.testing.assert_frame_equal(pd.concat(parts), frame)
    (tmp_path / "cut.csv.gz").write_bytes((tmp_path / "t.csv.gz").read_bytes()[:-30])
    with pytest.raises(TableError, match=r"'.*cut.csv.gz' cannot be read"):
        as_table(tmp_path / "cut.csv.gz")
    with pytest.raises(TableError, match=r"cannot be read: Not a gzipped file"):
        as_table(written(tmp_path / "plain.csv.gz", "a,b\n1,2\n"))


def test_columns_can_be_read_as_text(tmp_path):
    path = written(tmp_path / "t.csv", "code,a\n007,1\n010,2\n")
    assert list(as_table(path, as_text=["code"]).frame["code"]) == ["007", "010"]


def test_named_parquet_index_becomes_a_column(tmp_path):
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="city"))
    frame.to_parquet(tmp_path / "t.parquet")
    assert list(as_table(tmp_path / "t.parquet").frame.columns) == ["city", "a"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.xlsx", "", r"'.*t\.xlsx' ends in '\.xlsx'.*use \.csv"),
        ("t", "", r"has no suffix"),
        ("t.csv", "", r"is empty: it needs a header line"),
        ("t.csv", "a,b\n", r"is empty: it has no rows"),
        ("t.csv", "a,b,a\n1,2,3\n", r"more than one column called 'a': rename"),
        ("t.csv", "a, a\n1,2\n", r"more than one column called 'a'"),
        ("t.csv", "a,b\n1,2,3\n4,5,6\n", r"more fields than its 2 column names"),
        ("t.csv", "a,b\n1,2\n4,5,6\n", r"not a regular table .*line 3"),
        ("t.parquet", "a,b\n1,2\n", r"not a Parquet file"),
    ],
)
def test_unusable_files_are_named_with_the_remedy(tmp_path, name, text, message):
    with pytest.raises(TableError, match=message):
        as_table(written(tmp_path / name, text))


def test_missing_file_names_the_nearest(tmp_path):
    written(tmp_path / "houses.csv", "a\n1\n")
    with pytest.raises(TableError, match=r"no file '.*house\.csv' \(did you mean '.*houses\.csv'"):
        as_table(tmp_path / "house.csv")
    with pytest.raises(TableError, match="nor a folder"):
        as_table(tmp_path / "nowhere" / "house.csv")


def test_folder_is_no_table(tmp_path):
    with pytest.raises(TableError, match="is a folder"):
        as_table(tmp_path)


def test_other_encodings_are_said(tmp_path):
    with pytest.raises(TableError, match="not UTF-8"):
        as_table(written(tmp_path / "t.csv", "größe,b\n1,ä\n", encoding="latin-1"))


def test_duplicate_columns_in_parquet_and_frames(tmp_path):
    twice = pa.Table.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"])
    parquet.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(TableError, match="more than one column called 'a'"):
        as_table(tmp_path / "t.parquet")
    with pytest.raises(TableError, match="more than one column called '1'"):
        as_table(pd.DataFrame([[1, 2]], columns=[1, "1"]))


def test_unknown_target_suggests_the_nearest_name():
    with pytest.raises(TableError, match=r"no column 'Diagnose'. Did you mean 'diagnosis'\?"):
        split_target(embedded_table(), "Diagnose")
    with pytest.raises(TableError, match=r"no column 'zzz'\. Its columns are 'mean radius'"):
        split_target(embedded_table(), "zzz")
