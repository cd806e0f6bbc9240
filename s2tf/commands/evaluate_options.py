"""Which options of `s2tf evaluate` belong to what: one that would be left out unnoticed is an error."""

import argparse
from collections.abc import Mapping
from typing import Any

VIDEOS, PORTRAITS, PIPELINE = "videos", "portraits", "--pipeline"
"""What is measured, but for runs, which are called by their stage."""
ANY = {"run_folder", "pipeline", "out", "json", "wandb", "device"}
MEASURES = {
    *("metrics", "protocol", "weights", "syncnet", "allow_random", "process", "size"),
    *("faces", "landmarks", "perceptual"),
}
DRAWING = {"shards", "clips", "seed", "seeds", "steps", "sampler", "guidance", "temperature"}
TAKEN: Mapping[str, set[str]] = {
    VIDEOS: MEASURES | {"clips", "name"},
    PORTRAITS: {"faces", "attributes", "name", "process"},
    # Sampler, guidance and temperature are refused there with a reason of their own.
    PIPELINE: MEASURES | DRAWING - {"seeds"} | {"split", "pictures"},
    "ConReStage": {"shards", "clips", "batch"},
    "SCFPStage": DRAWING | {"varied", "batch", "pictures", "faces", "attributes"},
    "MotionAutoencoderStage": {
        *("shards", "split", "clips", "part", "stride", "size", "pairs", "batch", "pictures"),
        *("landmarks", "perceptual", "faces"),
    },
    "LipLandmarksStage": {"shards", "clips"},
    "MotionDiffusionStage": DRAWING | {"autoencoder"},
}
"""By what is measured, the options that say something of it."""
OF_METRIC = {
    "protocol": "sync",
    "syncnet": "sync",
    "perceptual": "lpips",
    "faces": "identity",
    "landmarks": "landmarks",
}
"""Of videos: the metric that an option is for."""


class Noted(argparse.Action):
    """Stores a value as usual, and notes in `given` that the option was there."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """See `argparse.Action`."""
        setattr(namespace, self.dest, self.const if self.nargs == 0 else values)
        if option is not None:
            namespace.given = {**getattr(namespace, "given", {}), self.dest: self.option_strings[-1]}


def refuse_others(args: argparse.Namespace, mode: str) -> None:
    """Refuse the options that say nothing of what is measured.

    Args:
        args: As `Noted` has filled them.
        mode: A key of `TAKEN`.

    Raises:
        UserError: There is one; the message names it and what it belongs to.
    """
    from s2tf.errors import UserError

    given: Mapping[str, str] = getattr(args, "given", {})
    taken = TAKEN[mode] | ANY
    if mode in (VIDEOS, PORTRAITS) and "wandb" in given:
        # Of the system that is measured, for W&B.
        taken = taken | {"seed"}
    for name, option in given.items():
        if name not in taken:
            raise UserError(f"{option} says nothing of {_called(mode)}: it belongs to {_owners(name)}")
    if "metrics" in taken and args.metrics != "all":
        for name in given.keys() & OF_METRIC.keys():
            if OF_METRIC[name] not in args.metrics.split(","):
                raise UserError(
                    f"{given[name]} belongs to the metric {OF_METRIC[name]}, which --metrics {args.metrics} leaves out"
                )


def _called(mode: str) -> str:
    return f"a run of {mode}" if mode.endswith("Stage") else mode


def _owners(name: str) -> str:
    owners = [_called(mode) for mode, taken in TAKEN.items() if name in taken]
    if name == "seed":
        owners.append("--wandb")
    return ", ".join(owners)
