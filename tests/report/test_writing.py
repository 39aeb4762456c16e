from __future__ import annotations

import os

import pytest

from argrad.report.errors import OutputError
from argrad.report.writing import check_file, check_folder, whole_file, whole_folder


def fail_within(writing, error) -> None:
    with writing as partial:
        (partial / "a" if partial.is_dir() else partial).write_text("half")
        raise error


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "a.txt"
    with whole_file(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failed_file_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail_within(whole_file(path), ZeroDivisionError)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_appears_whole_with_the_folders_above(tmp_path):
    folder = tmp_path / "deep" / "results"
    with whole_folder(folder) as partial:
        (partial / "a").write_text("1")
        assert not folder.exists()
    assert (folder / "a").read_text() == "1"
    assert os.listdir(folder.parent) == ["results"]


def test_an_existing_folder_keeps_its_other_files(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "a").write_text("old")
    (folder / "mine").write_text("kept")
    with whole_folder(folder) as partial:
        (partial / "a").write_text("new")
    assert (folder / "a").read_text() == "new"
    assert (folder / "mine").read_text() == "kept"
    assert os.listdir(tmp_path) == ["results"]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_failed_folder_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        fail_within(whole_folder(tmp_path / "results"), error)
    assert os.listdir(tmp_path) == []


def test_impossible_places_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file, so no folder for results"):
        check_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="Nothing can be written in"):
        check_folder(tmp_path / "file" / "below")
    with pytest.raises(OutputError, match="is a folder: name a file"):
        check_file(tmp_path)
    with pytest.raises(OutputError, match="There is no folder"):
        check_file(tmp_path / "nowhere" / "p.csv")
    check_folder(tmp_path / "new" / "deep")
    check_file(tmp_path / "p.csv")
