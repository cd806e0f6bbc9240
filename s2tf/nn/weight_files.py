"""Files of weights, of `torch.save` or of safetensors: the one place that opens them, and says what a bad one is."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from s2tf.nn.file_kinds import is_safetensors, odd_archive, odd_kind, plain_text, safetensors_fault

SHOWN = 6
"""Number of keys that a message names."""
REFUSED = re.compile(r"(?:GLOBAL|class|global)\s+([A-Za-z_][\w.]*\.[\w.]+)")
"""The object in torch's message about a pickle that it refuses."""
CUT = ("unexpected EOF", "truncated", "Ran out of input", "central directory", "corrupt")
"""Phrases in torch's messages about a file that is not whole."""
MEMORY = ("out of memory", "allocate memory", "not enough memory")


def check_weight_file(path: Path) -> None:
    """Check that a file can hold weights, without reading all of it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is something else, or not whole; the message says what it is.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist, expected a weight file")
    kind = odd_kind(path) or plain_text(path)
    if kind is None and (is_safetensors(path) or path.suffix == ".safetensors"):
        kind = safetensors_fault(path)
    elif kind is None:
        kind = odd_archive(path)
    if kind is not None:
        raise ValueError(f"{path} is {kind}")


def read_content(path: str | Path) -> Any:
    """Read everything that a file of weights holds, on the CPU; nothing in it can run code.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no weights, is not whole, or holds objects other than tensors and plain values.
    """
    path = Path(path)
    check_weight_file(path)
    try:
        if is_safetensors(path):
            return load_file(path)
        # Training scripts store their command line beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    # Bytes that are no weights can raise anything in an unpickler.
    except Exception as error:
        if any(phrase in str(error).lower() for phrase in MEMORY):
            raise
        raise ValueError(f"{path} {_fault(path, error)}") from error


def read_tensors(path: str | Path, *keys: str) -> dict[str, Tensor]:
    """Read the tensors of a file of weights by their names, on the CPU.

    Args:
        path: A file of `torch.save` or of safetensors.
        keys: Keys under which the tensors may be, such as `params_ema`; the first one that the file has is taken.
            If it has none, the file itself must map names to tensors.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no tensors by name; the message names the keys that it has.
    """
    content = read_content(path)
    for key in keys:
        if isinstance(content, dict) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if _holds_tensors(content):
        return {str(name): value for name, value in content.items()}
    expected = "expected tensors by name" + (f", or under {' or '.join(keys)}" if keys else "")
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, {expected}")
    found = [str(key) for key in content]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    raise ValueError(f"{path} holds {', '.join(found[:SHOWN]) or 'nothing'}{more}{_nested(content)}, {expected}")


def check_finite(tensors: Mapping[str, Tensor], origin: str | Path) -> None:
    """Check that every number of some weights is finite.

    Raises:
        ValueError: A number is NaN or infinite; the message names its tensor.
    """
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            count = int((~torch.isfinite(value)).sum())
            raise ValueError(
                f"{origin}: {count} of {value.numel()} numbers of the tensor {name} are NaN or infinite, expected "
                "finite weights"
            )


def one_line(error: BaseException, longest: int = 200) -> str:
    """The message of a library's exception in one short line, without its advice to load unsafely."""
    text = " ".join(str(error).split())
    text = re.split(r"In PyTorch 2\.6|\(1\) In PyTorch|weights_only|This file can still be loaded", text)[0].strip()
    return text if len(text) <= longest else f"{text[:longest]}..."


def _fault(path: Path, error: Exception) -> str:
    """Say what is wrong with a file, by the exception that reading it has raised."""
    text = str(error)
    if refused := REFUSED.search(text):
        return (
            f"holds a pickled object {refused[1]}, which is not loaded, since it could run code: expected a file of "
            "tensors only, such as the state dict saved by `torch.save`"
        )
    if isinstance(error, EOFError | SafetensorError) or any(phrase in text for phrase in CUT):
        return f"is cut off or damaged ({path.stat().st_size} bytes): copy or download it again"
    return f"is no readable weight file: {type(error).__name__} {one_line(error)}".rstrip()


def _holds_tensors(content: Any) -> bool:
    return isinstance(content, Mapping) and all(isinstance(value, Tensor) for value in content.values())


def _nested(content: Mapping[Any, Any]) -> str:
    """The keys of a training checkpoint under which there are tensors by name, in words."""
    found = [str(key) for key, value in content.items() if _holds_tensors(value) and value]
    return f" (tensors by name are under {' and '.join(found[:SHOWN])})" if found else ""
