"""Names in the folders and tables of users, and in the published tables: which recordings the readers find."""

import unicodedata
from itertools import product

import numpy as np
import pytest
from video_files import tone

from datamodules.prepare.avspeech import AVSpeechReader
from datamodules.prepare.files import file_key
from datamodules.prepare.folder import FolderReader
from datamodules.prepare.hdtf import HDTFReader
from datamodules.prepare.splits import HeldOut
from datamodules.prepare.voxceleb import VoxCelebReader
from datamodules.prepare.wild import WildReader
from s2tf.media.video_writer import VideoWriter

SHARES = HeldOut(0.34, 0.34)
FORMS = list(product(("NFC", "NFD"), repeat=2))


def files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def spelt(form, *names):
    return [unicodedata.normalize(form, name) for name in names]


@pytest.mark.parametrize(("stored", "written"), FORMS)
def test_a_person_of_a_table_is_in_one_split_however_the_names_are_spelt(tmp_path, stored, written):
    files(tmp_path, *spelt(stored, "Zoë1.mp4", "Zoë2.mp4", "ő/Zoë3.mp4"), "other.mp4", "third.mp4")
    paths = spelt(written, "Zoë1.mp4", "Zoë2.mp4", "ő\\Zoë3.mp4")
    identities = spelt("NFC", "zoë", "zoë") + spelt("NFD", "zoë")
    table = "".join(f"{path},{name}\n" for path, name in zip(paths, identities, strict=True))
    (tmp_path / "index.csv").write_text(f"path,identity\n{table}", encoding="utf-8")
    found = [one for one in FolderReader(tmp_path, SHARES) if one.identity == "zoë"]
    assert len(found) == 3
    assert len({one.split for one in found}) == 1
    assert [one.key for one in found] == ["Zo_1", "Zo_2", "Zo_3"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_keys_and_their_order_do_not_depend_on_the_spelling(tmp_path, form):
    files(tmp_path, *spelt(form, "é.mp4", "f.mp4", "ä.mp4", "Zoë/a.mp4"))
    assert [one.key for one in FolderReader(tmp_path, SHARES)] == ["Zo_--a", "f", "clip", "clip-2"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.mp4,anna\ngone.mp4,anna\nlost.mp4,bea\n", r"2 of 3 rows match no file: 'gone.mp4' \(line 3\), 'lost.mp4'"),
        ("a.mp4,anna\nb.mp4,bea\na.mp4,anna\n", r"1 of 3 rows name a file that another row names: 'a.mp4' \(lines 2"),
        (",anna\n", r"1 of 1 rows match no file: '' \(line 2\)"),
        ("sub,anna\n", r"1 of 1 rows match no file: 'sub'"),
        ("a.mp4,anna,x\n", r"index\.csv, line 2: gender 'x' of a.mp4, expected female or male"),
    ],
)
def test_a_table_with_wrong_rows_is_refused_and_lists_them(tmp_path, rows, message):
    files(tmp_path, "a.mp4", "b.mp4", "sub/c.mp4")
    (tmp_path / "index.csv").write_text(f"path,identity,gender\n{rows}")
    with pytest.raises(ValueError, match=message):
        FolderReader(tmp_path, SHARES)


def test_a_table_above_several_folders_may_name_files_of_all_of_them(tmp_path):
    files(tmp_path, "one/a.mp4", "two/a.mp4")
    (tmp_path / "index.csv").write_text("path,identity\none/a.mp4,anna\ntwo/a.mp4,bea\n")
    assert [one.identity for one in FolderReader(tmp_path / "two", SHARES)] == ["bea"]


def test_two_files_of_one_name_are_refused(tmp_path):
    files(tmp_path, *spelt("NFC", "Zoë.mp4"), *spelt("NFD", "Zoë.mp4"))
    with pytest.raises(ValueError, match="composed instead of decomposed"):
        FolderReader(tmp_path, SHARES)


def test_odd_names_give_keys_that_a_shard_can_hold(tmp_path):
    names = ["-a.mp4", "12:30 take.mp4", "100%d.mp4", "[x]{1..2}.mp4", "caf\udce9.mp4", "真実.mp4", "..b.c.mp4"]
    for name in names:
        assert file_key(tmp_path.relative_to(tmp_path) / name).isascii()
    files(tmp_path, *(name for name in names if not name.startswith(".")))
    assert len({one.key for one in FolderReader(tmp_path, SHARES)}) == 6


def test_a_video_with_a_colon_in_its_name_is_read_from_the_folder_it_lies_in(tmp_path, monkeypatch):
    """FFmpeg would take what stands before the colon for a protocol."""
    monkeypatch.chdir(tmp_path)
    frames = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    for name in ("12:30 take.mp4", "http:x.mp4", "-a [x] %03d.mp4"):
        with VideoWriter(name, (32, 32), waveform=tone(0.2)) as writer:
            for frame in frames:
                writer.write(frame)
    clips = [recording.load() for recording in FolderReader(".", SHARES)]
    assert [clip.frames.shape for clip in clips] == [(5, 32, 32, 3)] * 3


def test_a_list_of_clips_finds_its_files_by_any_spelling(tmp_path):
    files(tmp_path, *spelt("NFD", "é/ö.mp4"), "a, b.mp4", "c.mp4")
    lines = [*spelt("NFC", "é\\ö.mp4,0,1"), *spelt("NFC", "é/ö.mp4,1,2"), '"a, b.mp4"', "c.mp4,0,1,0.5,0.5"]
    (tmp_path / "list.txt").write_text("\n".join(lines), encoding="utf-16")
    found = list(WildReader(tmp_path / "list.txt"))
    assert all(one.path.is_file() for one in found)
    assert len({one.key for one in found}) == 4
    assert found[0].identity == found[1].identity


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("c.mp4\nno.mp4\n", r"list\.txt: 1 of 2 lines match no file: 'no.mp4' \(line 2\)"),
        ("c.mp4,0,1\nc.mp4,0,2\n./c.mp4,0,1\n", r"1 of 3 lines repeat an earlier one: './c.mp4' \(lines 1 and 3\)"),
    ],
)
def test_a_list_of_clips_with_wrong_lines_is_refused(tmp_path, lines, message):
    files(tmp_path, "c.mp4")
    (tmp_path / "list.txt").write_text(lines)
    with pytest.raises(ValueError, match=message):
        WildReader(tmp_path / "list.txt")


VOX1 = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\nid00012\tA\tm\tCôte d'Ivoire\tdev\n"
VOX2 = "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n000012 ,m ,dev \n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("dataset", "text"), [("voxceleb1", VOX1), ("voxceleb2", VOX2)])
def test_the_tables_of_voxceleb_may_begin_with_a_byte_order_mark(tmp_path, dataset, text, encoding):
    files(tmp_path, "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4")
    (tmp_path / f"vox{dataset[-1]}_meta.csv").write_text(text, encoding=encoding)
    (one,) = VoxCelebReader(tmp_path, dataset)
    assert one.attributes["gender"] == "male"
    assert one.attributes.get("nationality", "Côte d'Ivoire") == "Côte d'Ivoire"


def test_a_table_in_latin_letters_is_named(tmp_path):
    files(tmp_path, "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4")
    (tmp_path / "vox1_meta.csv").write_text(VOX1, encoding="latin-1")
    with pytest.raises(ValueError, match=r"vox1_meta\.csv: byte 0xf4 in line 2 is no UTF-8.*iconv"):
        VoxCelebReader(tmp_path, "voxceleb1")


def test_rows_of_voxceleb_that_contradict_each_other_are_refused(tmp_path):
    files(tmp_path, "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4")
    (tmp_path / "vox2_meta.csv").write_text(f"{VOX2}id00012,n000012,m,test\n")
    with pytest.raises(ValueError, match=r"1 of 2 rows contradict .*id00012 \(line 3\)"):
        VoxCelebReader(tmp_path, "voxceleb2")


def test_lists_in_other_encodings_are_named_or_read(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "avspeech_test.csv").write_text("aaaaaaaaaaa,0,1,0.5,0.5\n", encoding="utf-16")
    assert len(AVSpeechReader(tmp_path)) == 1
    (tmp_path / "avspeech_test.csv").write_bytes(b"aaaaaaaaaaa,0,1,0.5,0.5\xa0\n")
    with pytest.raises(ValueError, match=r"avspeech_test\.csv: byte 0xa0 in line 1"):
        AVSpeechReader(tmp_path)


@pytest.mark.parametrize(("stored", "written"), FORMS)
def test_hdtf_finds_its_videos_by_any_spelling(tmp_path, stored, written):
    files(tmp_path, *(f"videos/{name}.mp4" for name in spelt(stored, "PéterA0")))
    (name,) = spelt(written, "PéterA0")
    texts = {"video_url": f"{name} u\n", "annotion_time": f"{name}.mp4 00:00-00:01\n", "crop_wh": "", "resolution": ""}
    (tmp_path / "HDTF_dataset").mkdir()
    for subset, (kind, text) in product(("RD", "WDA", "WRA"), texts.items()):
        (tmp_path / "HDTF_dataset" / f"{subset}_{kind}.txt").write_text(text if subset == "WDA" else "")
    (one,) = HDTFReader(tmp_path)
    assert (one.key, one.path.is_file()) == ("hdtf-WDA_P_terA0_0_000", True)


def test_white_space_makes_no_other_person(tmp_path):
    files(tmp_path, "a.mp4", "b.mp4", "c.mp4", "d.mp4")
    (tmp_path / "index.csv").write_text("path,identity\na.mp4,Zoe K\nb.mp4,Zoe\u00a0K\n", encoding="utf-8")
    people = {one.key: one.identity for one in FolderReader(tmp_path, held_out=SHARES).recordings}
    assert people["a"] == people["b"]


@pytest.mark.parametrize(
    ("line", "reason"), [("a.mp4,0,inf", "finite numbers"), ("a.mp4,0,5,320,240", "shares of the picture")]
)
def test_numbers_of_a_list_of_clips_are_checked(tmp_path, line, reason):
    files(tmp_path, "a.mp4")
    (tmp_path / "list.csv").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=rf"list.csv, line 1: .*{reason}"):
        WildReader(tmp_path / "list.csv")


def test_a_row_that_names_a_file_that_is_no_video_is_refused(tmp_path):
    files(tmp_path, "a.mp4", "b.mp4", "c.mp4", "notes.txt")
    (tmp_path / "index.csv").write_text("path,identity\na.mp4,x\nnotes.txt,y\n")
    with pytest.raises(ValueError, match=r"index.csv: 1 of 2 rows name no video: 'notes.txt'"):
        FolderReader(tmp_path, SHARES)
