"""Devices by the names that users give them."""

import os
import re
from collections.abc import Mapping

import torch

from s2tf.errors import UserError

LOCAL = ("LOCAL_RANK", "SLURM_LOCALID")
"""Environment variables of torchrun and srun with the number of a process on its machine."""
KNOWN = re.compile(r"cpu|mps|cuda(:[0-9]{1,3})?")


def local_device(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the device that `--device` names; `cuda` is the GPU with this process's number on its machine.

    With more processes than GPUs, the numbers start again at 0.

    Args:
        text: A device such as `cpu`, `cuda`, `cuda:1` or `mps`; a device with a number is returned unchanged.
        environment: Variables to read instead of the process's own.

    Raises:
        UserError: The text names no device, or this machine lacks it; the message names the devices that there are.
    """
    if not KNOWN.fullmatch(text):
        raise UserError(f"--device {text}: expected cpu, cuda, cuda:N or mps; this machine has {_available()}")
    if text == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"--device mps: this machine has no such device, expected {_available()}")
    if not text.startswith("cuda"):
        return text
    count, number = torch.cuda.device_count(), text.partition(":")[2]
    if int(number or 0) >= count:
        raise UserError(f"--device {text}: torch sees {count} GPUs on this machine, expected {_available()}")
    if number:
        return text
    environment = os.environ if environment is None else environment
    # A launcher that shows each process only its own GPU gives every process the GPU number 0.
    chosen = next((environment[name] for name in LOCAL if name in environment), "0")
    if not chosen.isdecimal():
        raise UserError(f"--device cuda: the environment's number of this process is {chosen!r}, expected a number")
    return f"cuda:{int(chosen) % count}"


def _available() -> str:
    found = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    found += ["mps"] if torch.backends.mps.is_available() else []
    return " or ".join(found)
