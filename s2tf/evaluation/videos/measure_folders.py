"""Evaluation of two folders of videos by one Python call."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from s2tf.errors import UserError
from s2tf.evaluation.result_files import discard_results, results_of
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.videos.evaluate import evaluate_videos
from s2tf.evaluation.videos.find_pairs import find_pairs
from s2tf.evaluation.videos.open_measures import MeasureChoices, open_measures
from s2tf.evaluation.videos.request import COMPARED_SIZE, VideoEvaluation


def evaluate_folders(
    generated: str | Path,
    reference: str | Path | None = None,
    *,
    out: str | Path | None = None,
    metrics: str = "all",
    weights: str | Path | None = None,
    device: str = "cpu",
    size: int = COMPARED_SIZE,
    name: str | None = None,
    choices: MeasureChoices | None = None,
    report: Callable[[str], None] | None = None,
) -> Scores:
    """Measure generated videos against references, as `s2tf evaluate videos` does; `.measurements` has the numbers.

    Args:
        generated: Folder of videos, a video, or a CSV with the columns `generated` and `reference`.
        reference: Folder of the reference videos with the same names, or a video, or None with a CSV.
        out: Folder of the results; None takes NAME-evaluation beside `generated`. A clip that was measured before by
        out: Folder of the results, or None for NAME-evaluation beside `generated`. A clip with a record of the same
            measurement is not measured again.
        metrics: Names separated by commas, such as `pixels,sync`, or `all`.
        weights: Folder of the public weight files, or None for `S2TF_WEIGHTS`, else the folder `weights` in the cache.
        device: Device of the networks, such as `cuda`.
        size: Side at which pictures are compared, in pixels.
        name: Name of the system, or None for the folder's name.
        choices: Choices of all networks at once, instead of `metrics`, `weights` and `device`.
        report: Function that is called with a line about the progress.

    Raises:
        UserError: There is nothing to compare, or a choice is wrong.
    """
    source = Path(generated)
    if choices is None:
        choices = MeasureChoices(metrics, None if weights is None else Path(weights), device=device)
    # Everything that can be refused is refused before earlier results are deleted.
    found = find_pairs(source, None if reference is None else Path(reference))
    try:
        opened = open_measures(choices, Console(quiet=True))
    except ValueError as error:
        raise UserError(str(error)) from error
    system = source.resolve().name if source.is_dir() else source.stem
    folder = source.resolve().with_name(f"{system}-evaluation") if out is None else Path(out)
    if source.resolve() in [path.resolve() for path in results_of(folder, None)]:
        raise UserError(f"{source}: the results would overwrite it, expected another folder as out")
    discard_results(folder, None)
    evaluation = VideoEvaluation(name or system, found.pairs, opened, folder, size, found.missing)
    scores = evaluate_videos(evaluation, report or (lambda line: None))
    # One process measures all clips, so that none is missing.
    assert scores is not None
    return scores
