import math

import numpy as np
import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from s2tf.faces.attributes import FEMALE, Attributes
from s2tf.faces.classifier import AttributeClassifier, label_values


@pytest.mark.parametrize(
    ("labels", "kind", "values"),
    [
        (["Female", "male"], "gender", [0, 1]),
        (["man", "woman"], "gender", [1, 0]),
        (["0-2", "20-29", "more than 70"], "age", [1.5, 25, 75]),
        (["18", "60+"], "age", [18, 65]),
        (["under 18", "18–29", "30 and older"], "age", [9, 24, 35]),
    ],
)
def test_a_classifiers_labels_tell_what_it_reads(labels, kind, values):
    assert label_values(labels) == (kind, values)


@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dog"],
        ["male", "male"],
        ["20-29", "old"],
        ["30-20", "10"],
        ["LABEL_0", "LABEL_1"],
        ["n01440764", "n01443537"],
        ["1440764", "1443537"],
        ["male 20-29", "female 20-29"],
    ],
)
def test_other_labels_are_refused(labels):
    with pytest.raises(ValueError, match=labels[0]):
        label_values(labels)


def classifier(folder, labels, favourite):
    """A small random vision transformer that answers `favourite` to everything."""
    names = dict(enumerate(labels))
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=16,
        id2label=names,
        label2id={label: index for index, label in names.items()},
    )
    model = ViTForImageClassification(config)
    with torch.no_grad():
        model.classifier.bias[favourite] += 50
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_local_classifiers_read_gender_and_age(tmp_path):
    gender = classifier(tmp_path / "gender", ["male", "female"], 1)
    age = classifier(tmp_path / "age", ["10-19", "40-49"], 1)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    reader = AttributeClassifier([gender, age])
    sure = {"confidence": pytest.approx(1.0), "age_deviation": pytest.approx(0.0, abs=1e-6)}
    assert reader.read(pictures) == [Attributes(FEMALE, pytest.approx(45.0), **sure)] * 3
    assert reader.protocol["age"]["labels"] == ["10-19", "40-49"]
    alone = AttributeClassifier([gender]).read(pictures)[0]
    assert alone.gender == FEMALE
    assert math.isnan(alone.age)
    with pytest.raises(ValueError, match="reads gender, like the one before"):
        AttributeClassifier([gender, gender])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        AttributeClassifier([tmp_path / "nowhere"])
