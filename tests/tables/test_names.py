import unicodedata
from pathlib import Path

import pytest

from s2tf.errors import UserError
from s2tf.tables.names import FileFinder, refuse_twins, sorting_key

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Zoë é.mp4") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("stored", [COMPOSED, DECOMPOSED])
def test_a_file_is_found_by_either_spelling_in_folders_too(tmp_path, written, stored):
    (tmp_path / f"x {stored}").mkdir()
    file = tmp_path / f"x {stored}" / stored
    file.touch()
    assert FileFinder(tmp_path).find(f"x {written}/{written}") == file
    assert FileFinder(tmp_path).find(f"x {written}\\{written}") == file
    assert FileFinder(tmp_path / "no").find(written) is None


def test_the_exact_spelling_comes_first(tmp_path):
    for name in (COMPOSED, DECOMPOSED, "a\\b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.mp4").touch()
    for name in (COMPOSED, DECOMPOSED, "a\\b.mp4"):
        assert FileFinder(tmp_path).find(name) == tmp_path / name


def test_a_cell_without_the_spaces_around_a_name_finds_it(tmp_path):
    (tmp_path / " take 1 .mp4 ").touch()
    assert FileFinder(tmp_path).find("take 1 .mp4") == tmp_path / " take 1 .mp4 "
    (tmp_path / " take 1 .mp4").touch()
    assert FileFinder(tmp_path).find("take 1 .mp4") is None
    (tmp_path / "take 1 .mp4").touch()
    assert FileFinder(tmp_path).find("take 1 .mp4") == tmp_path / "take 1 .mp4"


@pytest.mark.parametrize("name", ["", ".", "no.mp4", "ä" * 300, "x\0y", "../é", "C:\\videos\\a.mp4"])
def test_a_name_without_a_file_finds_nothing(tmp_path, name):
    assert FileFinder(tmp_path).find(name) is None


@pytest.mark.parametrize(
    "name", ["-a.mp4", "12:30 take.mp4", "100%03d.mp4", "[x]{a,b}.mp4", " b .mp4", "caf\udce9.mp4"]
)
def test_odd_names_are_plain_names(tmp_path, name):
    (tmp_path / name).touch()
    assert FileFinder(tmp_path).find(name) == tmp_path / name


def test_files_that_differ_only_in_their_spelling_are_refused():
    with pytest.raises(UserError, match="1 files have the name of another one"):
        refuse_twins([Path("a") / COMPOSED, Path("a") / DECOMPOSED, Path("b") / COMPOSED])


def test_the_order_of_paths_is_pythons_and_does_not_depend_on_the_spelling():
    paths = [Path(name) for name in ("a/b", "a-b", "a", "B/c", "a/b/c", "ab")]
    assert sorted(paths, key=sorting_key) == sorted(paths)
    for form in ("NFC", "NFD"):
        names = [unicodedata.normalize(form, name) for name in ("zz", "é", "f", "ez")]
        assert [str(one) for one in sorted(map(Path, names), key=sorting_key)] == [
            names[index] for index in (3, 2, 0, 1)
        ]
