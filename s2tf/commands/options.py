"""Options that several commands share, and the checks of their values."""

import argparse
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2tf.errors import UserError

LOCAL = ("LOCAL_RANK", "SLURM_LOCALID")
"""Environment variables of torchrun and srun with the number of a process on its machine."""
GAINS = ("blink", "head", "lips")


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number of at least 1")
    return int(text)


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
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            raise argparse.ArgumentTypeError(f"{text!r}, expected numbers such as 0-2 or 0,3,5")
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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE (default: no file)")


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
    number, _, parts = text.partition("/")
    if not (number.isdigit() and parts.isdigit() and 1 <= int(number) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r}, expected I/N such as 3/64")
    return int(number), int(parts)


def add_part(parser: argparse.ArgumentParser) -> None:
    """Declare the part of the work that this process does."""
    parser.add_argument(
        "--part", type=part, default=(1, 1), metavar="I/N", help="do the I-th of N parts (default: 1/1)"
    )


def add_copy_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a command that copies shards and adds a member to every sample."""
    parser.add_argument("shards", type=Path, help="a shard folder written by `s2tf prepare`")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new shards")
    parser.add_argument("--device", default="cpu", help="device of the networks, such as cuda (default: %(default)s)")
    add_part(parser)


def add_generation_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of every command that generates from speech."""
    from s2tf.diffusion.samplers import SAMPLERS

    parser.add_argument("speech", type=Path, help="a sound file, or a video with a sound track")
    parser.add_argument("--pipeline", type=Path, required=True, help="a pipeline folder, such as demo/pipeline")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (default: %(default)s)")
    parser.add_argument("--steps", type=positive, help="number of denoising steps (default: as stored in the pipeline)")
    parser.add_argument(
        "--sampler", choices=SAMPLERS, help="sampler of the diffusions (default: as stored in the pipeline)"
    )
    parser.add_argument("--device", default="cpu", help="device of the networks, such as cuda (default: %(default)s)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write a record of the result to FILE (default: no file)"
    )


def add_gain_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the gains of the motion."""
    gains = parser.add_argument_group("gains: 0 removes a motion, 1 shows it as generated, 2 doubles it")
    gains.add_argument("--blink", type=float, help="gain of the blinks (default: as stored in the pipeline)")
    gains.add_argument("--head", type=float, help="gain of the head's motion (default: as stored in the pipeline)")
    gains.add_argument("--lips", type=float, help="gain of the lips' motion (default: as stored in the pipeline)")


def sampling_options(args: argparse.Namespace) -> dict[str, Any]:
    """Collect the options of `add_generation_arguments` and `add_gain_arguments` for the call of a pipeline.

    Options that are not given are left out; the pipeline then uses its stored values.

    Raises:
        UserError: A gain is negative or not finite.
    """
    options = {name: getattr(args, name) for name in ("seed", "steps", "sampler")}
    gains = {name: getattr(args, name, None) for name in GAINS}
    if given := {name: value for name, value in gains.items() if value is not None}:
        from s2tf.pipelines.motion_gains import Gains

        try:
            Gains(**given)
        except ValueError as error:
            raise UserError(f"--{error}") from error
        options["gains"] = given
    return {name: value for name, value in options.items() if value is not None}


def check_json(path: Path | None, out: Path | None) -> None:
    """Refuse a file that could not be written at the end.

    Args:
        path: The file, or None for no file.
        out: A folder that the command will create, or None if it creates no folder.

    Raises:
        UserError: The path is a folder, or its folder does not exist.
    """
    if path is None:
        return
    try:
        is_folder, has_folder = path.is_dir(), path.parent.is_dir()
    except PermissionError as error:
        raise UserError(f"--json {path}: {error.strerror}") from error
    if is_folder:
        raise UserError(f"--json {path}: a folder, expected a file")
    if not has_folder and path.parent != out:
        raise UserError(f"--json {path}: its folder {path.parent} does not exist")


def check_out(path: Path | None) -> None:
    """Refuse a folder that could not be created.

    Args:
        path: The folder, or None if the command chooses it.

    Raises:
        UserError: The path, or its nearest existing parent, is a file or a folder without write permission.
    """
    if path is None:
        return
    try:
        nearest = next(one for one in (path, *path.absolute().parents) if one.exists())
    except PermissionError as error:
        raise UserError(f"--out {path}: {error.strerror}") from error
    if not nearest.is_dir():
        raise UserError(f"--out {path}: {nearest} is a file, expected a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"--out {path}: no permission to write into {nearest}")


def refuse_overwriting(source: Path, results: Iterable[Path]) -> None:
    """Refuse to write a result over the file that it is computed from.

    Raises:
        UserError: One of the results is the source.
    """
    if source.is_file() and source.resolve() in {path.resolve() for path in results}:
        raise UserError(f"{source}: the results would overwrite this input; choose another --out or --json")


def local_device(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the device that `--device` names; `cuda` is the GPU with this process's number on its machine.

    With more processes than GPUs, the numbers start again at 0.

    Args:
        text: A device such as `cpu`, `cuda` or `cuda:1`; a device with a number is returned unchanged.
        environment: Variables to read instead of the process's own.

    Raises:
        UserError: The text names no device, or this machine lacks it.
    """
    import torch

    try:
        device = torch.device(text)
    except RuntimeError as error:
        raise UserError(f"--device {text}: expected cpu, cuda or cuda:N") from error
    if device.type != "cuda":
        return text
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        raise UserError(f"--device {text}: torch sees {count} GPUs on this machine")
    if device.index is not None:
        return text
    environment = os.environ if environment is None else environment
    # A launcher that shows each process only its own GPU gives every process the GPU number 0.
    number = next((int(environment[name]) for name in LOCAL if name in environment), 0)
    return f"cuda:{number % count}"
