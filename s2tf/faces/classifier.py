"""Gender and age by image classifiers of transformers in local folders, as a substitute for a paid service."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.faces.attributes import FEMALE, MALE, Attributes
from s2tf.nn.network import weights_fingerprint
from s2tf.nn.transformers_folder import check_folder, one_line_errors
from s2tf.nn.weight_files import check_finite

GENDER_WORDS = {"female": FEMALE, "woman": FEMALE, "f": FEMALE, "male": MALE, "man": MALE, "m": MALE}
OPEN_END = 10.0
"""Assumed span in years of an age class without an upper end."""
BATCH = 32
OLDEST = 120.0
AGE_FORMS: dict[str, Callable[..., float]] = {
    r"(\d+)": lambda age: age,
    r"(\d+)\s*[-–_]\s*(\d+)": lambda first, last: (first + last + 1) / 2,
    r"(?:(?:more than|over|above|>)\s*)(\d+)": lambda first: first + OPEN_END / 2,
    r"(\d+)\s*(?:\+|and older|and over)": lambda first: first + OPEN_END / 2,
    r"(?:(?:less than|under|below|<)\s*)(\d+)": lambda last: last / 2,
}
"""Forms in which age classes are written, with the middle of each."""


class AttributeClassifier:
    """An `AttributeReader` with one or two classifiers; the labels of a classifier tell whether it reads gender or age.

    Labels such as `male` are genders. Labels such as `20-29`, `more than 70`, `under 18` or `35` are ages; the age is
    then the mean of the classes' middles, weighted by their probabilities. The classifiers read the whole picture and
    always give an answer.

    Args:
        folders: Folders of `transformers` image classifiers, with their image processors.
        device: Device to compute on.

    Raises:
        FileNotFoundError: A folder is absent.
        ValueError: The labels of a classifier are neither genders nor ages, or two classifiers read the same.
    """

    packages = ("transformers",)

    def __init__(self, folders: Sequence[Path], device: str = "cpu") -> None:
        self.device = device
        self.readers: dict[str, tuple[Any, Any, Tensor]] = {}
        self._protocol: dict[str, Any] = {"network": "image classifiers of transformers"}
        for folder in folders:
            self._add(folder)

    @property
    def protocol(self) -> Mapping[str, Any]:
        """Folder, weights and labels of the classifiers of gender and of age."""
        return self._protocol

    @torch.no_grad()
    def read(self, pictures: np.ndarray) -> list[Attributes | None]:
        """Gender and age of pictures (N, H, W, 3) uint8; unknown where no classifier reads them."""
        found = [Attributes()] * len(pictures)
        for kind, (model, processor, values) in self.readers.items():
            parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
            probabilities = torch.cat([self._probabilities(model, processor, part) for part in parts])
            if kind == "gender":
                genders = values[probabilities.argmax(dim=1)].int().tolist()
                read = {"gender": genders, "confidence": probabilities.amax(dim=1).tolist()}
            else:
                ages = probabilities @ values
                variances = (probabilities * (values - ages[:, None]) ** 2).sum(dim=1)
                read = {"age": ages.tolist(), "age_deviation": variances.sqrt().tolist()}
            rows = zip(*read.values(), strict=True)
            found = [replace(one, **dict(zip(read, row, strict=True))) for one, row in zip(found, rows, strict=True)]
        return list(found)

    def _probabilities(self, model: Any, processor: Any, pictures: np.ndarray) -> Tensor:
        inputs = processor(images=list(pictures), return_tensors="pt").to(self.device)
        return model(**inputs).logits.softmax(dim=1).float().cpu()

    def _add(self, folder: Path) -> None:
        # transformers loads slowly, and only a chosen classifier needs it.
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        if not (folder / "config.json").is_file():
            raise FileNotFoundError(f"--attributes classifier: {folder}: expected a folder of transformers")
        check_folder(folder)
        with one_line_errors(folder):
            model = AutoModelForImageClassification.from_pretrained(folder, local_files_only=True)
            processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        check_finite(model.state_dict(), folder)
        labels = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]
        kind, values = label_values(labels)
        if kind in self.readers:
            raise ValueError(
                f"--attributes classifier: {folder} reads {kind}, like the one before it: expected gender and age"
            )
        self.readers[kind] = (model.eval().to(self.device), processor, torch.tensor(values))
        self._protocol[kind] = {"folder": folder.name, "weights": weights_fingerprint(model), "labels": labels}


def label_values(labels: Sequence[str]) -> tuple[str, list[float]]:
    """The attribute that a classifier reads, `gender` or `age`, and the value of each of its labels.

    Raises:
        ValueError: The labels are neither genders nor ages.
    """
    words = [label.strip().lower() for label in labels]
    if len(words) == 2 and {GENDER_WORDS.get(word) for word in words} == {FEMALE, MALE}:
        return "gender", [float(GENDER_WORDS[word]) for word in words]
    ages = [_age(word) for word in words]
    if len(ages) > 1 and all(age is not None for age in ages):
        return "age", [float(age) for age in ages if age is not None]
    raise ValueError(f"a classifier of {', '.join(labels)}: expected labels of gender or of age, such as 20-29")


def _age(label: str) -> float | None:
    """Return the middle of an age class, or None if the label is not an age class."""
    for form, middle in AGE_FORMS.items():
        if found := re.fullmatch(form, label):
            numbers = [float(number) for number in found.groups()]
            return middle(*numbers) if max(numbers) <= OLDEST and numbers == sorted(numbers) else None
    return None
