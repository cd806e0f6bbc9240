"""Options that several commands share, and the checks of their values."""

import argparse
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.fault_tolerance.outputs import check_output_file, check_output_folder, refuse_overwriting

MOST = 10**9
"""Greatest whole number that an option takes if it has no limit of its own."""
MOST_NUMBERS = 10_000
GAINS = ("blink", "head", "lips")


def at_least(least: int, most: int = MOST) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` to `most`, for the `type` of an option."""
    expected = f"of at least {least}" if most == MOST else f"from {least} to {most}"

    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number {expected}")
        return int(text)

    return parse


def number(least: float = -math.inf, most: float = math.inf, above: float = -math.inf) -> Callable[[str], float]:
    """Return a parser of finite numbers from `least` to `most` that are greater than `above`."""
    limits = {"of at least": least, "of at most": most, "greater than": above}
    expected = " and ".join(f"{words} {limit:g}" for words, limit in limits.items() if math.isfinite(limit))

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and least <= value <= most and value > above):
            raise argparse.ArgumentTypeError(f"{text!r}, expected a finite number {expected}".rstrip())
        return value

    return parse


positive = at_least(1)
seed = at_least(0, 2**32 - 1)
side = at_least(16, 8192)
"""Side of a picture in pixels; a larger one does not fit into memory."""
share = number(0, 1)
seconds = number(most=86400, above=0)
factor = number(0, 100)


def add_check(parser: argparse.ArgumentParser, check: Callable[[argparse.Namespace], None]) -> None:
    """Add a check of the arguments that `s2tf.cli` calls before the command runs, and not where it is only parsed."""
    parser.set_defaults(checks=(*(parser.get_default("checks") or ()), check))


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare `--json FILE`; `what` is its content, such as `the numbers`."""
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"write {what} to FILE (default: no file)")
    add_check(parser, lambda args: check_output_file("--json", args.json, folder=getattr(args, "out", None)))


def add_out_folder(parser: argparse.ArgumentParser, help_text: str, required: bool = True) -> None:
    """Declare `--out FOLDER` of a command that writes several files."""
    parser.add_argument("--out", type=Path, required=required, help=help_text)
    add_check(parser, lambda args: check_output_folder("--out", args.out))


def add_out_file(parser: argparse.ArgumentParser, help_text: str, suffixes: Sequence[str]) -> None:
    """Declare `--out FILE`, which is never one of the files that it is generated from."""
    parser.add_argument("--out", type=Path, required=True, help=help_text)
    add_check(parser, lambda args: check_output_file("--out", args.out, suffixes, created=True))
    add_check(parser, _check_different)


def _check_different(args: argparse.Namespace) -> None:
    """Refuse one path for two of a command's files."""
    given = {f"--{name}": getattr(args, name, None) for name in ("out", "json", "portrait", "sheet")}
    sources = [args.speech, given.pop("--portrait")] if args.command == "animate" else [args.speech]
    results = {option: path for option, path in given.items() if path is not None}
    refuse_overwriting(filter(None, sources), results.values())
    if len({path.resolve() for path in results.values()}) < len(results):
        raise UserError(f"{', '.join(results)}: the same file is given twice, expected a file for each")


def add_device(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Declare `--device`, and a check that this machine has it; `more` is added to the help."""
    parser.add_argument("--device", default="cpu", help=f"device of the networks, such as cuda{more} (default: cpu)")
    add_check(parser, _check_device)


def _check_device(args: argparse.Namespace) -> None:
    from s2tf.nn.devices import local_device

    args.device = local_device(args.device)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn a `ValueError`, whose message is for the user, into a `UserError`."""
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error)) from error


class _Removed(argparse.Action):
    """An option of an earlier version: it is refused by an error that names the new spelling."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """See `argparse.Action`."""
        parser.error(f"{option} is no longer an option: write {self.const}")


def add_removed(parser: argparse.ArgumentParser, option: str, new: str) -> None:
    """Declare an option of an earlier version, which is hidden from the help and refused.

    Args:
        parser: Parser of the command.
        option: Old spelling.
        new: New spelling, for the error.
    """
    suppressed = argparse.SUPPRESS
    parser.add_argument(
        option, dest=suppressed, default=suppressed, nargs="*", action=_Removed, const=new, help=suppressed
    )


def numbers(text: str) -> list[int]:
    """Parse whole numbers and ranges of them, such as `0-2` or `0,3,5`."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", part)
        if match is None or (match[2] and not int(match[1]) <= int(match[2]) < int(match[1]) + MOST_NUMBERS):
            raise argparse.ArgumentTypeError(
                f"{text!r}, expected numbers such as 0-2 or 0,3,5, at most {MOST_NUMBERS} of them"
            )
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r}: a number stands in it twice, expected each once")
    return found


def _colour(text: str) -> tuple[int, int, int]:
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a colour such as white or #808080") from error
    return red, green, blue


def add_background_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the colour behind the transparent parts of pictures."""
    text = "colour behind transparent parts of pictures, such as white (default: #808080)"
    parser.add_argument("--background", type=_colour, default=(128, 128, 128), metavar="COLOUR", help=text)


def add_trained_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare a trained experiment and the file of its numbers."""
    parser.add_argument("experiment", type=Path, help="the experiment YAML that was trained, or its short name")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="the same overrides as for `s2tf fit`")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders (default: %(default)s)")
    add_json(parser, "the numbers")


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the cluster, and the dry run."""
    parser.add_argument(
        "--cluster", required=True, metavar="NAME", help="a cluster of slurm/clusters, or a YAML file of your own"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything and print the batch script, but queue nothing"
    )


def add_submit_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the cluster, the dry run, and jobs to wait for."""
    add_cluster_arguments(parser)
    parser.add_argument(
        "--after",
        action="append",
        default=[],
        metavar="JOB",
        help="wait for the success of this job; may be repeated (default: none)",
    )


def part(text: str) -> tuple[int, int]:
    """Parse a part of the work, such as `3/64` for the third of 64 parts."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r}, expected I/N such as 3/64")
    return int(match[1]), int(match[2])


def add_part(parser: argparse.ArgumentParser) -> None:
    """Declare the part of the work that this process does."""
    parser.add_argument(
        "--part", type=part, default=(1, 1), metavar="I/N", help="do the I-th of N parts (default: 1/1)"
    )


def add_chain_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare a chain, values for its variables, and the choice of its steps."""
    parser.add_argument("chain", type=Path, help="a chain YAML or its short name, such as chains/portraits.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="values for the chain's `vars`")
    add_out_folder(parser, "folder of all results; finished steps are kept")
    seeds = "seeds, such as 0-2 or 0,3,5 (default: the chain's own seeds)"
    parser.add_argument("--seeds", type=numbers, metavar="N", help=seeds)
    to = "run this step and those that it needs; may be repeated (default: all steps)"
    parser.add_argument("--to", action="append", default=[], metavar="STEP", help=to)


def add_copy_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a command that copies shards and adds a member to every sample."""
    parser.add_argument("shards", type=Path, help="a shard folder written by `s2tf prepare`")
    add_out_folder(parser, "folder of the new shards")
    add_device(parser)
    add_part(parser)


def add_generation_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of every command that generates from speech."""
    from s2tf.diffusion.samplers import SAMPLERS

    speech = "a sound file, a video with a sound track, or the word `sample` for the packaged sample, a synthetic voice"
    parser.add_argument("speech", type=Path, help=speech)
    pipeline = "a pipeline folder, such as demo/pipeline (default: the packaged one, trained on synthetic speakers)"
    parser.add_argument("--pipeline", type=Path, help=pipeline)
    add_check(parser, _choose_packaged)
    parser.add_argument("--seed", type=seed, default=0, help="seed of the noise (default: %(default)s)")
    parser.add_argument("--steps", type=positive, help="number of denoising steps (default: as stored in the pipeline)")
    parser.add_argument(
        "--sampler", choices=SAMPLERS, help="sampler of the diffusions (default: as stored in the pipeline)"
    )
    add_device(parser)
    add_json(parser, "a record of the result")


def _choose_packaged(args: argparse.Namespace) -> None:
    """Put the places of packaged files where none are given, and what is read into `reading`, for the first line."""
    from s2tf.packaged.files import PIPELINE_NOTE, SAMPLE, SPEECH_NOTE, packaged_pipeline, sample_speech

    sample = str(args.speech) == SAMPLE and not args.speech.exists()
    args.reading = f"reading {SPEECH_NOTE if sample else args.speech} and {args.pipeline or PIPELINE_NOTE}"
    args.speech, args.pipeline = sample_speech() if sample else args.speech, args.pipeline or packaged_pipeline()


def add_gain_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the gains of the motion."""
    gains = parser.add_argument_group("gains: 0 removes a motion, 1 shows it as generated, 2 doubles it")
    gains.add_argument("--blink", type=factor, help="gain of the blinks (default: as stored in the pipeline)")
    gains.add_argument("--head", type=factor, help="gain of the head's motion (default: as stored in the pipeline)")
    gains.add_argument("--lips", type=factor, help="gain of the lips' motion (default: as stored in the pipeline)")


def sampling_options(args: argparse.Namespace) -> dict[str, Any]:
    """Collect the options of `add_generation_arguments` and `add_gain_arguments` for the call of a pipeline.

    Options that are not given are left out; the pipeline then uses its stored values.
    """
    options = {name: getattr(args, name) for name in ("seed", "steps", "sampler")}
    gains = {name: getattr(args, name, None) for name in GAINS}
    options["gains"] = {name: value for name, value in gains.items() if value is not None} or None
    return {name: value for name, value in options.items() if value is not None}
