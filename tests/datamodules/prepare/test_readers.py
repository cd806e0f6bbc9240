"""Each data set in its own published form, in miniature, with the defects it is known for."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from video_files import write_video

from datamodules.prepare.avspeech import AVSpeechReader
from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.files import walk
from datamodules.prepare.folder import FolderReader
from datamodules.prepare.hdtf import SEARCHED, HDTFReader
from datamodules.prepare.prepare import prepare
from datamodules.prepare.splits import HeldOut
from datamodules.prepare.synthetic.reader import SyntheticReader
from datamodules.prepare.vfhq import VFHQReader
from datamodules.prepare.voxceleb import VoxCelebReader
from datamodules.prepare.wild import WildReader
from datamodules.shards.writing import read_split
from datamodules.speech_portrait import SpeechPortraitData
from s2tf.faces.crop import CropRule
from s2tf.faces.face_mesh import to_ibug

pytest.importorskip("mediapipe", reason="landmarks of the drawn faces need the extra `mediapipe`")
pytestmark = pytest.mark.slow
SIDE = 192
SECONDS = 1.6
NOBODY = HeldOut(val=0.0, test=0.0)


@pytest.fixture(scope="module")
def people():
    return [recording.load() for recording in SyntheticReader(3, 1, SECONDS, SIDE, seed=3)]


def video(path, person, *, left=0, right=0, scale=1.0, sound=True, beside=None, fps=25):
    """A person, with room at the sides, or another person at the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [np.pad(frame, ((0, 0), (left, right), (0, 0)), mode="edge") for frame in person.frames]
    if beside is not None:
        frames = [np.concatenate(pair, axis=1) for pair in zip(frames, beside.frames, strict=True)]
    frames = [cv2.resize(frame, None, fx=scale, fy=scale) for frame in frames]
    times = [Fraction(index, fps) for index in range(len(frames))]
    return write_video(path, frames, times=times, waveform=person.waveform if sound else None)


def prepared(reader, out, samples_per_shard=64, **settings):
    settings = ClipSettings(CropRule(size=64), **settings)
    summary = prepare(reader, out, settings, samples_per_shard=samples_per_shard)
    assert summary.recordings == len(reader) == summary.written + summary.failed + len(summary.absences)
    samples = {sample.key: sample for split in summary.splits for sample in samples_of(out, split)}
    return summary, samples, {failure.clip: failure for failure in summary.failures + summary.absences}


def samples_of(out, split):
    return list(read_split(out, split))


def colour(sample):
    """Mean colour of the first frame: tells one person from the other."""
    return sample.frame(0).reshape(-1, 3).mean(axis=0)


def test_avspeech_takes_the_face_nearest_to_the_point_and_keeps_its_test_set(people, tmp_path):
    first, second, _ = people
    video(tmp_path / "videos" / "aaaaaaaaaaa.mp4", first, beside=second)
    video(tmp_path / "clips" / "-bbbbbbbbbb_12.500000_14.100000.mkv", second)
    (tmp_path / "avspeech_train.csv").write_text(
        "aaaaaaaaaaa,0.0,1.5,0.25,0.5\naaaaaaaaaaa,0.0,1.48,0.75,0.5\n"
        "ccccccccccc,1,3,0.5,0.5\n-bbbbbbbbbb,1.0,2.0,0.5,0.5\n"
    )
    (tmp_path / "avspeech_test.csv").write_text("-bbbbbbbbbb,12.5,14.1,0.5,0.5\n")
    _, samples, failures = prepared(AVSpeechReader(tmp_path, NOBODY), tmp_path / "out")
    left, right = samples["avspeech-aaaaaaaaaaa-00000000"], samples["avspeech-aaaaaaaaaaa-00000000-2"]
    alone = samples["avspeech--bbbbbbbbbb-00012500"]
    assert np.abs(colour(right) - colour(alone)).max() < 6 < np.abs(colour(left) - colour(right)).max()
    assert (left.record.split, alone.record.split) == ("train", "test")
    assert left.record.crop["box"]["x"] < SIDE / 2 < right.record.crop["box"]["x"]
    assert failures["avspeech-ccccccccccc-00001000"].step == "absent"
    # Its video is in the test set, and it is not there: no failure of this preparation.
    assert failures["avspeech--bbbbbbbbbb-00001000"].step == "absent"


def test_avspeech_names_the_line_that_it_cannot_read(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "avspeech_train.csv").write_text("aaaaaaaaaaa,0.0,1.5,0.25,0.5\naaaaaaaaaaa,5,4,0.5,0.5\n")
    with pytest.raises(ValueError, match=r"avspeech_train\.csv, line 2"):
        AVSpeechReader(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"avspeech_test\.csv"):
        AVSpeechReader(tmp_path / "videos")


def test_the_mesh_is_stored_with_the_points_made_of_it_unless_it_is_not_wanted(people, tmp_path):
    video(tmp_path / "videos" / "one.mp4", people[0], left=40, right=40, scale=1.5)
    reader = FolderReader(tmp_path / "videos", NOBODY)
    _, samples, _ = prepared(reader, tmp_path / "out")
    (sample,) = samples.values()
    mesh, landmarks = sample.mesh(), sample.landmarks()
    assert mesh.shape == (sample.record.frames, 478, 3)
    # Stored at half precision: 1/32 px from 32 px on.
    assert np.abs(to_ibug(mesh.astype(np.float32)) - landmarks).max() < 0.05
    # The tip of the nose is nearer than the ears, about as much as it is wide between them.
    depth = mesh[:, [127, 356], 2].mean() - mesh[:, 4, 2].mean()
    assert 0.3 < depth / np.ptp(landmarks[..., 0], axis=1).mean() < 1.2
    _, without, _ = prepared(reader, tmp_path / "without", mesh=False)
    assert [sample.mesh() for sample in without.values()] == [None]


VOX1 = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\nid10001\tA\tm\tIreland\tdev\nid10270\tB\tf\tUSA\ttest\n"
VOX2 = "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set\nid00012 ,n000012 ,m ,dev\nid00017 ,n000017 ,f ,test\n"


@pytest.mark.parametrize(
    ("dataset", "table", "text", "dev", "test"),
    [
        ("voxceleb1", "vox1_meta.csv", VOX1, "id10001", "id10270"),
        ("voxceleb2", "vox2_meta.csv", VOX2, "id00012", "id00017"),
    ],
)
def test_voxceleb_reads_its_table_and_the_sound_of_its_own_tree(people, tmp_path, dataset, table, text, dev, test):
    (tmp_path / table).write_text(text)
    video(tmp_path / "dev" / "mp4" / dev / "vvvvvvvvvvv" / "00001.mp4", people[0])
    silent = video(tmp_path / "test" / "mp4" / test / "-wwwwwwwwww" / "00002.mp4", people[1], sound=False)
    video(tmp_path / "dev" / "mp4" / "id99999" / "vvvvvvvvvvv" / "00001.mp4", people[2])
    video(tmp_path / "extras" / "00001.mp4", people[2])
    elsewhere = tmp_path / "test" / "aac" / test / "-wwwwwwwwww" / "00002.m4a"
    elsewhere.parent.mkdir(parents=True)
    with_sound = video(tmp_path / "with_sound.mkv", people[1])
    with_sound.rename(elsewhere)
    summary, samples, failures = prepared(VoxCelebReader(tmp_path, dataset, NOBODY), tmp_path / "out")
    assert silent.exists()
    man, woman = samples[f"{dataset}-{dev}-vvvvvvvvvvv-00001"], samples[f"{dataset}-{test}--wwwwwwwwww-00002"]
    assert (man.record.attributes["gender"], woman.record.attributes["gender"]) == ("male", "female")
    assert man.record.attributes.get("nationality") == ("Ireland" if dataset == "voxceleb1" else None)
    assert (man.record.split, woman.record.split) == ("train", "test")
    assert (man.record.identity, woman.record.identity) == (dev, test)
    assert np.abs(woman.waveform()).max() > 0.01
    assert sorted(failure.step for failure in failures.values()) == ["meta", "path"]
    assert summary.splits["test"].genders["female"] == 1


def hdtf_lists(folder, **texts):
    (folder / "HDTF_dataset").mkdir(parents=True)
    for subset in ("RD", "WDA", "WRA"):
        for kind in ("video_url", "annotion_time", "crop_wh", "resolution"):
            text = texts.get(kind, "") if subset == "WDA" else ""
            (folder / "HDTF_dataset" / f"{subset}_{kind}.txt").write_text(text)


def test_hdtf_crops_to_its_boxes_and_lists_what_is_known_to_be_wrong(people, tmp_path):
    first, second, third = people
    names = ("Boxed0", "Large1", "NoBox0", "Absent0", "Silent0", "Outside0", "NoTimes0")
    boxed = [name for name in names if name not in ("NoBox0", "Outside0")]
    span = "00:00-00:01.6"
    hdtf_lists(
        tmp_path,
        video_url="".join(f"{name} https://example.org/watch?v={name}\n" for name in names),
        annotion_time="".join(f"{name}.mp4 {span} \n" for name in names if name != "NoTimes0"),
        crop_wh="".join(f"{name}_0.mp4 {SIDE // 2} {SIDE} 0 {SIDE}\n" for name in boxed)
        + f"Outside0_0.mp4 {2 * SIDE} {SIDE} 0 {SIDE}\n",
        resolution="".join(f"{name}.mp4 {SIDE}\n" for name in names),
    )
    # To the right of the box is somebody else, whose face must not be taken.
    wide = {"left": SIDE // 2, "beside": second}
    video(tmp_path / "videos" / "Boxed0.mp4", first, **wide)
    video(tmp_path / "videos" / "WDA_Large1.mkv", first, **wide, scale=1.5)
    video(tmp_path / "videos" / "NoBox0.mp4", third)
    video(tmp_path / "videos" / "Silent0.mp4", first, **wide, sound=False)
    video(tmp_path / "videos" / "Outside0.mp4", first, **wide)
    summary, samples, failures = prepared(HDTFReader(tmp_path, NOBODY), tmp_path / "out")
    assert sorted(samples) == ["hdtf-WDA_Boxed0_0_000", "hdtf-WDA_Large1_0_000", "hdtf-WDA_NoBox0_0_000"]
    small, large = samples["hdtf-WDA_Boxed0_0_000"], samples["hdtf-WDA_Large1_0_000"]
    assert np.abs(small.frame(3).astype(int) - large.frame(3)).mean() < 5
    assert small.record.identity == "Boxed"
    assert {clip: failure.step for clip, failure in failures.items()} == {
        "hdtf-WDA_Absent0_0": "absent",
        "hdtf-WDA_Silent0_0_000": "sound",
        "hdtf-WDA_Outside0_0_000": "crop",
        "hdtf-WDA_NoTimes0": "times",
    }
    assert summary.notes[SEARCHED.kind] == 1


def test_hdtf_cuts_long_clips_into_equal_pieces_and_takes_cut_clips(people, tmp_path):
    hdtf_lists(
        tmp_path,
        video_url="Long0 https://example.org/a\nCut0 https://example.org/b\n",
        annotion_time="Long0.mp4 00:05-00:28\nCut0.mp4 01:10-01:11.6\n",
        crop_wh=f"Cut0_0.mp4 0 {SIDE} 0 {SIDE}\n",
        resolution="",
    )
    video(tmp_path / "videos" / "Long0.mp4", people[0])
    video(tmp_path / "clips" / "Cut0_0.mp4", people[0])
    recordings = {recording.key: recording for recording in HDTFReader(tmp_path, NOBODY)}
    pieces = [recordings[f"hdtf-WDA_Long0_0_00{number}"] for number in range(3)]
    assert [round(piece.start, 2) for piece in pieces] == [5, 12.67, 20.33]
    assert pieces[-1].stop == 28
    cut = recordings["hdtf-WDA_Cut0_0_000"]
    assert (cut.start, round(cut.stop, 2)) == (0, 1.6)
    assert cut.load().frames.shape == (40, SIDE, SIDE, 3)


def test_hdtf_names_a_line_that_it_cannot_read(tmp_path):
    hdtf_lists(tmp_path, video_url="A0 u\n", annotion_time="A0.mp4 half-past\n")
    with pytest.raises(ValueError, match=r"WDA_annotion_time\.txt, A0\.mp4"):
        HDTFReader(tmp_path)


def test_vfhq_gives_pictures_at_25_a_second_without_sound(people, tmp_path):
    (tmp_path / "meta_info").mkdir()
    clips = ["Clip+aaaaaaaaaaa+P0+C0+F10-57", "Clip+bbbbbbbbbbb+P1+C2+F0-30", "Clip+odd"]
    for clip in clips:
        (tmp_path / "frames" / clip).mkdir(parents=True)
        (tmp_path / "meta_info" / f"{clip}.txt").write_text("Clip X\nH 1080\nW 1920\nFPS 29.97\nCROP 1 2 3 4\n")
    (tmp_path / "meta_info" / f"{clips[1]}.txt").unlink()
    count = 48
    for number in range(count):
        frame = people[0].frames[min(round(number / 29.97 * 25), 39)]
        cv2.imwrite(str(tmp_path / "frames" / clips[0] / f"{number:08d}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    _, samples, failures = prepared(VFHQReader(tmp_path, NOBODY), tmp_path / "out")
    (sample,) = samples.values()
    assert (sample.record.frames, sample.record.samples) == (40, 0)
    assert sample.record.identity == "aaaaaaaaaaa"
    assert sorted(failure.step for failure in failures.values()) == ["meta", "path"]
    data = SpeechPortraitData(str(tmp_path / "out"), batch_size=1, num_workers=0, size=32)
    with pytest.raises(ValueError, match="no sound"):
        next(iter(data.train_dataloader()))


def test_wild_is_a_list_of_test_clips(people, tmp_path):
    video(tmp_path / "a" / "one.mp4", people[0], beside=people[1])
    video(tmp_path / "two.mp4", people[2])
    text = "# fifty clips\na/one.mp4,0.2,1.4,0.75,0.5\ntwo.mp4\n\n"
    (tmp_path / "list.txt").write_text(text)
    summary, samples, _ = prepared(WildReader(tmp_path / "list.txt"), tmp_path / "out")
    assert summary.splits["test"].clips == 2
    assert samples["a--one"].record.frames == 30
    assert samples["a--one"].record.crop["box"]["x"] > SIDE / 2
    (tmp_path / "bad.txt").write_text("one.mp4,3,2\n")
    with pytest.raises(ValueError, match=r"bad\.txt, line 1"):
        WildReader(tmp_path / "bad.txt")


def test_hdtf_unites_names_of_the_same_video(people, tmp_path):
    hdtf_lists(
        tmp_path,
        video_url="WhipJim v=1\nJames1 v=1\nJames v=2\nOther0 v=3\n",
        annotion_time="".join(f"{name}.mp4 00:00-00:01\n" for name in ("WhipJim", "James1", "James", "Other0")),
    )
    identities = {item.key.split("_")[1]: item.identity for item in HDTFReader(tmp_path, NOBODY)}
    assert identities["WhipJim"] == identities["James1"] == identities["James"] != identities["Other0"]


def test_a_clip_longer_than_the_longest_length_is_counted_as_cut(people, tmp_path):
    for seconds, name in ((1.2, "cut"), (SECONDS, "whole")):
        video(tmp_path / "in" / f"{name}.mp4", people[0])
        summary, samples, _ = prepared(
            FolderReader(tmp_path / "in"), tmp_path / name, max_seconds=seconds, samples_per_shard=1
        )
        assert [sample.record.frames for sample in samples.values()] == [round(seconds * 25)] * len(samples)
        assert summary.notes.get("cut", 0) == (1 if name == "cut" else 0)


def test_a_changed_table_is_another_plan(people, tmp_path):
    video(tmp_path / "videos" / "aaaaaaaaaaa.mp4", people[0])
    for end, error in ((1.5, None), (1.4, "other recordings")):
        (tmp_path / "avspeech_train.csv").write_text(f"aaaaaaaaaaa,0.0,{end},0.5,0.5\n")
        reader = AVSpeechReader(tmp_path, NOBODY)
        if error is None:
            prepared(reader, tmp_path / "out")
        else:
            with pytest.raises(ValueError, match=error):
                prepare(reader, tmp_path / "out", ClipSettings(CropRule(size=64)))


def test_folders_are_followed_through_links_and_not_in_circles(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a.mp4").touch()
    source = tmp_path / "source"
    source.mkdir()
    (source / "linked").symlink_to(tmp_path / "store")
    (source / "circle").symlink_to(source)
    assert walk(source) == [source / "linked" / "a.mp4"]
