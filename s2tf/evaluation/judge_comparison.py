"""Comparison of judges that were trained anew with the packaged ones, on the same unseen speakers."""

from dataclasses import dataclass
from typing import Any

from s2tf.evaluation.judge_training import JudgeData, holds_judges, judge_accuracy, unseen_examples
from s2tf.faces.judges import Judges
from s2tf.packaged.files import packaged_judges

MARGIN = 0.05
"""Largest difference of an accuracy between judges that agree: trainings on other machines differ by rounding."""


@dataclass(frozen=True)
class JudgeComparison:
    """Accuracies of two sets of judges by name, on the same pictures."""

    anew: dict[str, float]
    packaged: dict[str, float] | None
    """None where no judges are packaged, or those of another version."""
    missing: str = ""
    """Reason why there are none."""

    @property
    def agree(self) -> bool | None:
        """True if no accuracy differs by more than `MARGIN`; None without packaged judges."""
        if self.packaged is None:
            return None
        return all(abs(self.packaged[name] - value) <= MARGIN for name, value in self.anew.items())

    def lines(self) -> list[str]:
        """Return a line for each accuracy, and one that says whether the judges agree."""
        if self.packaged is None:
            rows = [f"{name:45} {value:.3f}" for name, value in self.anew.items()]
            return [*rows, f"not compared: {self.missing}"]
        rows = [f"{name:45} {value:.3f}  {self.packaged[name]:8.3f}" for name, value in self.anew.items()]
        words = "agree: no number differs" if self.agree else "do not agree: a number differs"
        return [f"{'':45} anew   packaged", *rows, f"they {words} by more than {MARGIN}"]

    def to_json(self) -> dict[str, Any]:
        """Convert to plain values."""
        return {"packaged accuracy": self.packaged, "agree": self.agree}


def compare_with_packaged(judges: Judges, data: JudgeData) -> JudgeComparison:
    """Measure judges trained anew, and the packaged ones of this version, on people whom neither has seen."""
    anew, folder = judges.settings["accuracy"], packaged_judges()
    # Packaged judges have the default settings, and were trained on the population of seed 0.
    if not folder.is_dir():
        return JudgeComparison(anew, None, f"{folder} is missing, no judges are packaged")
    if not holds_judges(folder, JudgeData()):
        return JudgeComparison(anew, None, f"{folder} holds judges of another version")
    return JudgeComparison(anew, judge_accuracy(Judges.load(folder), unseen_examples(data)))
