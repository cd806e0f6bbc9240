"""Train one stage from its experiment YAML."""

import argparse
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from s2tf.commands.console import announce, write_json
from s2tf.commands.options import add_json

_RUN_FILE = "S2TF_RUN_FILE"
"""Environment variable: file into which the run folder is written, for a sweep's script that cannot know it before."""

_SAVE_VARIABLE = "S2TF_SAVE_EVERY"
"""Environment variable with the default of `--save-every`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("experiment", type=Path, help="an experiment YAML or its short name, such as demo/conre.yaml")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="override a value, such as trainer.max_steps=10, or all values of a file, +FILE.yaml",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders (default: %(default)s)")
    parser.add_argument(
        "--save-every",
        type=_saving,
        metavar="TIME",
        default=os.environ.get(_SAVE_VARIABLE, "30m"),
        help=f"interval between checkpoints, such as 90s, 2h or 500steps (default: ${_SAVE_VARIABLE}, else 30m)",
    )
    add_json(parser, "the last logged numbers and the run folder")


def run(args: argparse.Namespace) -> int:
    """Train, save the networks and print the run folder; returns 75 if asked to stop, after saving its state."""
    from s2tf.callbacks.progress import LiveProgress
    from s2tf.config import named_experiment
    from s2tf.errors import UserError, explain
    from s2tf.fault_tolerance.failures import LOST_STATUS, lost_another_process, report_failure
    from s2tf.fault_tolerance.signals import INTERRUPTED_STATUS, Interruption
    from s2tf.runs.fit import fit_run, this_rank
    from s2tf.runs.folder import find_run
    from s2tf.runs.lightning_hints import hide_hints

    hide_hints()
    # The run, and its folder for the script of a sweep's trial.
    experiment, overrides = named_experiment([str(args.experiment), *args.overrides])
    run = find_run(experiment, overrides, args.runs)
    if file := os.environ.get(_RUN_FILE):
        Path(file).write_text(f"{run.folder.resolve()}\n")
    live = LiveProgress(run.experiment)
    if this_rank() == 0:
        announce(f"{run.experiment}: preparing the training in {run.folder}")
    # Train; `s2tf.cli` prints errors of the user, the first rank that fails prints all others.
    try:
        result = fit_run(run, [live], args.save_every)
    except Interruption as interruption:
        print(f"{interruption}; the same command continues", flush=True)
        # Only one rank returns this status: a launcher takes it for a failure if other ranks return it too.
        return INTERRUPTED_STATUS if this_rank() == 0 else 0
    except (UserError, FileNotFoundError):
        raise
    except Exception as error:
        # Before the first step, what the user can mend is one line.
        if not live.started and explain(error) is not None:
            raise
        report_failure(error, run.folder, this_rank())
        return LOST_STATUS if lost_another_process(error) else 1
    print(f"run folder: {result.run.folder}\nnetworks:   {result.run.networks}")
    write_json(args.json, {"run": str(result.run.folder), "metrics": result.metrics})
    return 0


def _saving(text: str) -> Any:
    """Parse an interval between checkpoints: `30m`, `90s`, `2h`, or `500steps`."""
    from s2tf.callbacks.last_checkpoint import Saving

    match = re.fullmatch(r"([0-9]{1,9})(steps|s|m|h)", text)
    if match is None or int(match.group(1)) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a time or steps, such as 90s, 30m, 2h or 500steps")
    number, unit = int(match.group(1)), match.group(2)
    if unit == "steps":
        return Saving(every_steps=number)
    return Saving(timedelta(**{{"s": "seconds", "m": "minutes", "h": "hours"}[unit]: number}))
