"""Output of the evaluations: the numbers on the screen, and copies of them in a file and in W&B."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.console import write_json
from s2tf.commands.options import user_errors
from s2tf.evaluation.progress import progress
from s2tf.fault_tolerance.outputs import check_output_file

if TYPE_CHECKING:
    from rich.console import Console

    from s2tf.evaluation.process_share import Part
    from s2tf.evaluation.scores import Scores
    from s2tf.evaluation.videos.evaluate_pipeline import SpeechDrivenTest, Subject

INCOMPLETE = 3
"""Exit status if numbers are written, but a requested metric or clip is missing from them."""


@dataclass(frozen=True)
class Destination:
    """Places for the numbers of an evaluation."""

    out: Path
    """Folder of the results."""
    json_file: Path | None = None
    """File that gets a copy of `metrics.json`."""
    project: str | None = None
    """W&B project, or None to log nothing."""
    seed: int = 0
    """Seed of the system, for W&B."""
    run: Path | None = None
    """Finished run whose W&B run gets the numbers, or None for a new W&B run."""


def say(console: "Console", text: str) -> None:
    """Print a line without wrapping it: a path that is broken over two lines cannot be copied."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def announce_part(part: "Part", console: "Console") -> None:
    """Print which part of the clips this process measures."""
    if part.count > 1:
        console.print(f"measuring part {part.index + 1} of {part.count} (--part 1/1 measures all)")


def measure_each(
    args: argparse.Namespace,
    names: Sequence[str],
    subject: "Callable[[str], Subject]",
    test: "SpeechDrivenTest",
    console: "Console",
) -> int:
    """Measure subjects one after the other, each into OUT/NAME; returns the worst exit status.

    Args:
        args: Arguments of `add_speech_driven_arguments`.
        names: Names of the subjects.
        subject: Function that opens the subject of a name; only one is open at a time.
        test: Test clips and measures.
        console: Console for progress and numbers.
    """
    from s2tf.evaluation.result_files import discard_results
    from s2tf.evaluation.videos.evaluate import evaluate_videos
    from s2tf.evaluation.videos.evaluate_pipeline import speech_driven

    destinations = {name: _destination(args, name) for name in names}
    worst = 0
    for name, destination in destinations.items():
        with user_errors():
            evaluation = speech_driven(subject(name), test, destination.out, console)
        if name == names[0]:
            # Delete old results of the later subjects too, since this process may be killed during the first.
            for one in destinations.values():
                discard_results(one.out, one.json_file)
        announce_part(test.part, console)
        with user_errors(), progress(console, f"measuring {name}") as report:
            scores = evaluate_videos(evaluation, report)
        worst = max(worst, finish(scores, test.part, destination, console))
    return worst


def _destination(args: argparse.Namespace, name: str) -> Destination:
    json_file = args.json and args.json.with_stem(f"{args.json.stem}-{name}")
    check_output_file("--json", json_file, folder=args.out)
    return Destination(args.out / name, json_file, args.wandb, args.seed)


def finish(scores: "Scores | None", part: "Part", destination: Destination, console: "Console") -> int:
    """Deliver the scores if this process has merged all parts, and return the exit status."""
    if scores is not None:
        return deliver(scores, destination, console)
    missing = f"clips of other parts are still missing in {destination.out}"
    say(console, f"part {part.index + 1} of {part.count} is done; {missing}")
    return 0


def deliver(scores: "Scores", destination: Destination, console: "Console") -> int:
    """Print the scores, and copy them to the JSON file and to W&B if these are given.

    Returns:
        The exit status: 0, or `INCOMPLETE`.
    """
    from s2tf.evaluation.score_table import missing_lines, score_table

    console.print(score_table(scores))
    for line in missing_lines(scores):
        say(console, line)
    say(console, f"written to {destination.out}")
    write_json(destination.json_file, scores.to_json())
    if destination.project is not None:
        from s2tf.reporting.wandb_records import log_scores

        log_scores(scores.to_json(), destination.project, destination.out, destination.seed, destination.run)
    return 0 if scores.complete else INCOMPLETE
