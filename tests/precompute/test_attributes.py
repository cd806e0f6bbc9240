"""Gender and age that a reader gives to shards, with its confidence and its name."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from tiny_shards import tiny_shards
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from datamodules.shards.add_member import ShardChange, change_samples
from datamodules.shards.samples import JSON
from datamodules.shards.verify import inspect
from datamodules.shards.writing import load_manifest, read_split
from datamodules.speech_portrait import SpeechPortraitData
from s2tf.cli import main
from s2tf.errors import UserError
from s2tf.evaluation.clips_of_run import manifests_fingerprint
from s2tf.faces.attributes import FEMALE, MALE, Attributes
from s2tf.precompute.attributes import Reading, write_attributes
from s2tf.precompute.copying import ShardCopy
from s2tf.precompute.face_prior_statistics import Wanted, compute_face_priors

SPLITS = ("train", "val", "test")


def without(sample, names=("gender", "age")):
    attributes = {name: value for name, value in sample.record.attributes.items() if name not in names}
    members = {name: data[:] for name, data in sample.members.items()}
    return {**members, JSON: replace(sample.record, attributes=attributes).to_json()}, True


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards", people=9, seconds=1.2)


@pytest.fixture(scope="module")
def nameless(shards):
    """The same clips as AVSpeech has them: without gender and age."""
    out = shards.parent / "nameless"
    change_samples(shards, out, ShardChange("stripped", True, without))
    return out


class Reader:
    """Reads given answers one after the other, again and again."""

    packages = ()

    def __init__(self, *answers, network="a test"):
        self.answers, self.seen, self.protocol = answers, 0, {"network": network}

    def read(self, pictures):
        found = [self.answers[(self.seen + index) % len(self.answers)] for index in range(len(pictures))]
        self.seen += len(pictures)
        return found


def records(folder):
    return {sample.key: sample.record for split in SPLITS for sample in read_split(folder, split)}


def test_the_records_get_the_attributes_with_confidence_and_reader(nameless, tmp_path):
    reader = Reader(Attributes(FEMALE, 30.0, 0.9, 4.0), Attributes(MALE, 50.0), None)
    report = write_attributes(ShardCopy(nameless, tmp_path / "out"), reader)
    assert (report.clips, report.without, report.complete) == (9, 3, True)
    found = [record.attributes for record in records(tmp_path / "out").values()]
    sure = {"by": "a test", "confidence": 0.9, "pictures": 1}
    years = {"by": "a test", "deviation": 4.0, "pictures": 1}
    assert found.count({"gender": "female", "age": 30.0, "read": {"gender": sure, "age": years}}) == 3
    plain = {"by": "a test", "pictures": 1}
    assert found.count({"gender": "male", "age": 50.0, "read": {"gender": plain, "age": plain}}) == 3
    assert found.count({}) == 3
    manifest = load_manifest(tmp_path / "out")
    (entry,) = manifest["attributes"]
    assert (entry["reader"], entry["pictures"], entry["min_confidence"]) == (reader.protocol, 1, 0.0)
    counted = [split["genders"] for split in manifest["splits"].values()]
    assert {name: sum(one[name] for one in counted) for name in counted[0]} == {"female": 3, "male": 3, "unknown": 3}
    assert not inspect(tmp_path / "out", verify=True).broken
    data = SpeechPortraitData(str(tmp_path / "out"), 9, 0, size=32, seconds=1.0)
    batch = next(iter(data.once("train")))
    assert set(batch["gender"].tolist()) <= {-1, 0, 1}
    assert [math.isnan(age) for age in batch["age"].tolist()] == [gender == -1 for gender in batch["gender"].tolist()]


def test_what_the_data_set_knows_stays_and_a_second_reader_adds_what_the_first_left(shards, nameless, tmp_path):
    before = records(shards)
    write_attributes(ShardCopy(shards, tmp_path / "same"), Reader(Attributes(MALE, 1.0)))
    assert {key: record.attributes for key, record in records(tmp_path / "same").items()} == {
        key: record.attributes for key, record in before.items()
    }
    write_attributes(ShardCopy(nameless, tmp_path / "one"), Reader(Attributes(FEMALE)))
    other = Reader(Attributes(MALE, 20.0), network="another")
    write_attributes(ShardCopy(tmp_path / "one", tmp_path / "two"), other)
    for record in records(tmp_path / "two").values():
        assert (record.attributes["gender"], record.attributes["age"]) == ("female", 20.0)
        assert {name: one["by"] for name, one in record.attributes["read"].items()} == {
            "gender": "a test",
            "age": "another",
        }
    names = [one["reader"]["network"] for one in load_manifest(tmp_path / "two")["attributes"]]
    assert names == ["a test", "another"]


WOMAN, MAN = Attributes(FEMALE), Attributes(MALE)
UNSURE = Attributes(FEMALE, confidence=0.6)
SURE = Attributes(MALE, confidence=0.99)


@pytest.mark.parametrize(
    ("answers", "least", "gender", "confidence"),
    [
        # By the mean probability, not by the number of votes.
        ([UNSURE, UNSURE, SURE], 0.0, "male", 0.5967),
        ([WOMAN, WOMAN, MAN], 0.0, "female", 0.6667),
        ([WOMAN, WOMAN, MAN], 0.7, None, None),
        ([WOMAN, None, MAN], 0.0, None, None),
    ],
)
def test_several_pictures_of_a_clip_vote(nameless, tmp_path, answers, least, gender, confidence):
    write_attributes(ShardCopy(nameless, tmp_path / "out"), Reader(*answers), Reading(3, least))
    for record in records(tmp_path / "out").values():
        assert record.attributes.get("gender") == gender
        assert record.attributes.get("read", {}).get("gender", {}).get("confidence") == confidence


def test_a_picture_that_a_service_refuses_leaves_its_clip_as_it_is(nameless, tmp_path):
    class Refusing(Reader):
        def read(self, pictures):
            if self.seen == 0:
                self.seen = 1
                raise ValueError("INVALID_IMAGE_SIZE")
            return super().read(pictures)

    report = write_attributes(ShardCopy(nameless, tmp_path / "out"), Refusing(Attributes(MALE, 3.0)))
    assert (report.written, report.without) == (9, 1)


def test_a_refused_picture_leaves_the_others_of_its_clip(nameless, tmp_path):
    class RefusingDark(Reader):
        def read(self, pictures):
            self.seen += 1
            if self.seen % 3 == 1:
                raise ValueError("INVALID_IMAGE_SIZE")
            return [Attributes(FEMALE, 30.0) for _ in pictures]

    report = write_attributes(ShardCopy(nameless, tmp_path / "out"), RefusingDark(WOMAN), Reading(3, 0.0))
    assert report.without == 0
    assert {record.attributes["read"]["gender"]["pictures"] for record in records(tmp_path / "out").values()} == {2}


def test_a_service_that_refuses_its_user_ends_the_command(nameless, tmp_path):
    class Closed(Reader):
        def read(self, pictures):
            raise UserError("Face++ refused a picture: status 401, AUTHENTICATION_ERROR")

    with pytest.raises(UserError, match="AUTHENTICATION_ERROR"):
        write_attributes(ShardCopy(nameless, tmp_path / "out"), Closed(WOMAN))


def test_divided_and_killed_it_ends_with_the_same_bytes(nameless, tmp_path):
    class Killed(BaseException):
        pass

    def after_two(done, total):
        if done == 2:
            raise Killed

    reader = Reader(Attributes(FEMALE, 30.0, 0.9))
    write_attributes(ShardCopy(nameless, tmp_path / "whole"), reader)
    with pytest.raises(Killed):
        write_attributes(ShardCopy(nameless, tmp_path / "parts", (1, 2), after_two), reader)
    reports = [write_attributes(ShardCopy(nameless, tmp_path / "parts", (part, 2)), reader) for part in (2, 1)]
    assert [report.complete for report in reports] == [False, True]
    files = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == files
    assert all((tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes() for name in files)
    # Called once more, it finds a finished folder, although the manifest counts other genders than the source's.
    assert write_attributes(ShardCopy(nameless, tmp_path / "parts"), reader).complete
    with pytest.raises(ValueError, match="parts holds shards with attributes.0.pictures 1, not 2: expected the same"):
        write_attributes(ShardCopy(nameless, tmp_path / "parts"), reader, Reading(2))


def test_the_prior_keeps_its_share_on_shards_that_had_no_gender(nameless, tmp_path):
    def batches(folder):
        return SpeechPortraitData(str(folder), 4, 0, size=32, seconds=1.0).once("train")

    def encode(portraits):
        return portraits.float().flatten(1)

    with pytest.raises(ValueError, match=r"3 of unknown gender.*`s2tf attributes SHARDS"):
        compute_face_priors(encode, batches(nameless), [Wanted(2)])
    write_attributes(ShardCopy(nameless, tmp_path / "out"), Reader(Attributes(FEMALE), Attributes(MALE)))
    (prior,) = compute_face_priors(encode, batches(tmp_path / "out"), [Wanted(2)]).values()
    assert (prior.provenance["female"], prior.provenance["male"], prior.provenance["balanced"]) == (1, 1, True)


def small_classifier(folder, labels, favourite):
    """A small vision transformer that answers `favourite` to every picture."""
    names = dict(enumerate(labels))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ids = {"id2label": names, "label2id": {label: index for index, label in names.items()}}
    model = ViTForImageClassification(ViTConfig(**sizes, **ids, image_size=32, patch_size=16))
    model.classifier.bias.data[favourite] += 50
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return str(folder)


def test_the_command_reads_with_classifiers_in_parts_and_refuses_no_reader(nameless, tmp_path, capsys):
    gender = small_classifier(tmp_path / "gender", ["male", "female"], 1)
    age = small_classifier(tmp_path / "age", ["10-19", "40-49"], 1)
    words = ["attributes", str(nameless), "--out", str(tmp_path / "out")]
    for wrong in ("none", "foo"):
        assert main([*words, "--attributes", wrong]) == 2
        message = f"--attributes {wrong}: expected facepp, classifier=FOLDER[,FOLDER] or judges"
        assert capsys.readouterr().err.rstrip().endswith(message)
    for part in ("1/2", "2/2"):
        command = [*words, "--attributes", f"classifier={gender},{age}", "--pictures", "2", "--part", part]
        assert main(command) == 0
    printed = capsys.readouterr().out
    assert "part 1 of 2 is done" in printed
    for record in records(tmp_path / "out").values():
        assert (record.attributes["gender"], record.attributes["age"]) == ("female", pytest.approx(45))
        read = record.attributes["read"]["gender"]
        assert (read["by"], read["pictures"]) == ("image classifiers of transformers", 2)
        assert read["confidence"] == pytest.approx(1.0)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["attributes"][0]["reader"]["gender"]["labels"] == ["male", "female"]
    assert np.sum([split["genders"]["female"] for split in manifest["splits"].values()]) == 9


def test_protocols_name_the_same_data_with_and_without_the_attributes(nameless, tmp_path):
    write_attributes(ShardCopy(nameless, tmp_path / "one"), Reader(Attributes(FEMALE)))
    write_attributes(ShardCopy(tmp_path / "one", tmp_path / "two"), Reader(Attributes(MALE, 20.0)))
    manifests = [load_manifest(folder) for folder in (nameless, tmp_path / "one", tmp_path / "two")]
    assert len({manifests_fingerprint([manifest]) for manifest in manifests}) == 1
