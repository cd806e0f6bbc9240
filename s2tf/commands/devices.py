"""Where a command's networks are: of several processes on one machine each has a GPU of its own."""

import os
from collections.abc import Mapping

LOCAL = ("LOCAL_RANK", "SLURM_LOCALID")
"""The number of a process on its machine, as torchrun and srun give it."""


def local_device(text: str, environment: Mapping[str, str] | None = None) -> str:
    """What `--device` names; `cuda` is the GPU of this process's number on its machine, going round.

    Args:
        text: Such as `cpu`, `cuda` or `cuda:1`; one with a number is meant as it stands.
        environment: In the place of the process's own.

    Raises:
        UserError: It is no device, or not of this machine.
    """
    import torch

    from s2tf.errors import UserError

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
    # Where the launcher shows each process a GPU of its own, all of them are number 0.
    number = next((int(environment[name]) for name in LOCAL if name in environment), 0)
    return f"cuda:{number % count}"
