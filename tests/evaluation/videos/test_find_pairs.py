"""Names of the videos and pictures that are compared, in folders and in tables."""

import unicodedata
from itertools import product

import pytest

from s2tf.errors import UserError
from s2tf.evaluation.portraits.find_pairs import find_pictures
from s2tf.evaluation.videos.find_pairs import find_pairs

FORMS = list(product(("NFC", "NFD"), repeat=2))


def files(folder, form, *names):
    for name in names:
        path = folder / unicodedata.normalize(form, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(("made", "true"), FORMS)
def test_folders_are_paired_however_their_names_are_spelt(tmp_path, made, true):
    names = ("Zoë.mp4", "ő/é.mp4", "plain.mp4", "[x] 12:30 100%d.mp4", "-a.mp4")
    files(tmp_path / "made", made, *names)
    files(tmp_path / "true", true, *names)
    found = find_pairs(tmp_path / "made", tmp_path / "true")
    assert [pair.key for pair in found.pairs] == ["-a", "Zoë", "[x] 12:30 100%d", "plain", "ő/é"]
    assert not found.missing
    assert all(pair.generated.path.is_file() and pair.reference.path.is_file() for pair in found.pairs)


@pytest.mark.parametrize(("made", "true"), FORMS)
def test_portraits_are_paired_however_their_names_are_spelt(tmp_path, made, true):
    files(tmp_path / "made", made, "Zoë/1.png", "ő.png")
    files(tmp_path / "true", true, "Zoë/1.jpg", "ő.png")
    found = find_pictures(tmp_path / "made", tmp_path / "true")
    assert found.portraits == {"Zoë/1": ["Zoë/1"], "ő": ["ő"]}
    assert found.people == ["Zoë", "ő"]
    assert not found.lost


@pytest.mark.parametrize(("stored", "written"), FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_finds_its_videos_by_any_spelling(tmp_path, stored, written, encoding):
    files(tmp_path, stored, "made/Zoë.mp4", "true/Zoë.mp4", "made/b.mp4", "true/b.mp4")
    table = tmp_path / "pairs.csv"
    text = unicodedata.normalize(written, "generated;reference\nmade\\Zoë.mp4;true\\Zoë.mp4\nmade/b.mp4;true/b.mp4\n")
    table.write_text(text, encoding=encoding)
    found = find_pairs(table, None)
    assert [pair.key for pair in found.pairs] == ["made/Zoë", "made/b"]
    assert not found.missing


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["a,a", "b,no", "a,gone"],
            r"2 of 3 rows have a reference that matches no file: 'true/no.mp4' \(line 3\), 'tr",
        ),
        (["a,a", "b,b", "a,a"], r"1 of 3 rows have the name of another one: 'made/a' \(lines 2 and 4\).*column `name`"),
        (["a,a,x", "b,b,y", "a,a,z"], r"1 of 3 rows name the two files of another row: 'made/a.mp4' \(lines 2 and 4"),
        (["no,a", "gone,b"], r"none of its generated videos exists; the first is made/no.mp4"),
    ],
)
def test_a_table_with_wrong_rows_is_refused_and_lists_them(tmp_path, rows, message):
    files(tmp_path, "NFC", "made/a.mp4", "true/a.mp4", "made/b.mp4", "true/b.mp4")
    lines = ["generated,reference,name"]
    for row in rows:
        made, true, *name = row.split(",")
        lines.append(",".join([f"made/{made}.mp4", f"true/{true}.mp4", *name]))
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match=message):
        find_pairs(tmp_path / "pairs.csv", None)


def test_folders_with_two_files_of_one_name_are_refused(tmp_path):
    for form in ("NFC", "NFD"):
        files(tmp_path / "made", form, "Zoë.mp4")
    files(tmp_path / "true", "NFC", "Zoë.mp4")
    with pytest.raises(UserError, match="two videos with the same name"):
        find_pairs(tmp_path / "made", tmp_path / "true")
