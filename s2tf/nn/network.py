"""The base class of every network: it records its constructor's arguments, and saves and loads without Lightning."""

import functools
import hashlib
import importlib
import inspect
import json
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn as nn
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from s2tf.nn.earlier import with_earlier_values
from s2tf.nn.file_kinds import read_json
from s2tf.nn.half_precision import Precision, with_precision
from s2tf.nn.weight_files import check_weight_file, one_line

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"
NetworkT = TypeVar("NetworkT", bound="Network")

PACKAGE = "s2tf."
"""Package of the classes that may be built from a folder, so that a downloaded folder cannot run other code."""


class Network(nn.Module):
    """An `nn.Module` whose constructor takes only plain values and other networks, and records them.

    With the record, `save_pretrained` writes a folder of two files, `config.json` and `weights.safetensors`, that
    `from_pretrained` turns back into the same network. Subclasses need only an ordinary `__init__`.

    Example:
        >>> from s2tf.models.motion_encoder import MotionEncoder
        >>> MotionEncoder(latent_dim=8, motion_dim=4, layers=2).config["init_args"]["motion_dim"]
        4
    """

    init_args: dict[str, Any]

    def __init__(self) -> None:
        """Record an empty set of arguments, unless a subclass's constructor has recorded its own."""
        super().__init__()
        self.__dict__.setdefault("init_args", {})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the subclass's own constructor so that it records its arguments."""
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = _recording(cls.__init__)  # type: ignore[method-assign]

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments as `{"class_path": ..., "init_args": {...}}`, nested networks alike."""
        return {
            "class_path": f"{type(self).__module__}.{type(self).__qualname__}",
            "init_args": {name: _plain(value) for name, value in self.init_args.items()},
        }

    @property
    def parameter_count(self) -> int:
        """The number of parameters, trained or frozen."""
        return sum(parameter.numel() for parameter in self.parameters())

    def mark_trained(self) -> None:
        """Record, when a training begins, that the weights are no longer those of the constructor.

        Only networks whose constructor names the origin of the weights need it.
        """

    def fingerprint(self) -> str:
        """A hash of the class's name and of every weight, stored beside the network's results."""
        return weights_fingerprint(self)

    def save_pretrained(self, folder: str | Path, precision: Precision = 32) -> None:
        """Write `config.json` and `weights.safetensors` into `folder`, which is created if it does not exist.

        Args:
            folder: Folder of the two files.
            precision: Bits of each stored parameter; the loaded network has 32 bits again.

        Raises:
            ValueError: A value is too large for this precision; the message names its tensor.
        """
        folder, stored = Path(folder), with_precision(self, precision)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_FILE).write_text(json.dumps(self.config, indent=2) + "\n")
        save_model(stored, str(folder / WEIGHTS_FILE))

    @classmethod
    @torch.inference_mode(False)  # Weights that are loaded in inference mode could not be trained or counted later.
    def from_pretrained(cls: type[NetworkT], folder: str | Path) -> NetworkT:
        """Build the network that `folder` describes and load its weights, on the CPU and in evaluation mode.

        Raises:
            FileNotFoundError: a file of the folder is missing; the message names it.
            ValueError: a file is not whole, is something else, or does not fit the other; the message names it.
            TypeError: the folder holds another class than this one.
        """
        folder = Path(folder)
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"{folder / name} is missing: expected a folder written by `save_pretrained`")
        config = with_earlier_values(read_json(folder / CONFIG_FILE))
        network = build_network(config, str(folder / CONFIG_FILE))
        if not isinstance(network, cls):
            raise TypeError(f"{folder / CONFIG_FILE} describes a {type(network).__name__}, expected a {cls.__name__}")
        _load_weights(network, folder / WEIGHTS_FILE)
        return network.eval()


def load_network(folder: str) -> Network:
    """Load the network in `folder`, of any class; for experiment YAMLs (`class_path: s2tf.nn.network.load_network`)."""
    return Network.from_pretrained(folder)


def build_network(config: dict[str, Any], origin: str) -> Network:
    """Build a network with fresh weights from its `config`; `origin` names the file in error messages."""
    class_path = config.get("class_path") if isinstance(config, dict) else None
    if not isinstance(class_path, str) or not class_path.startswith(PACKAGE):
        raise ValueError(f"{origin}: class_path is {class_path!r}, expected the path of a class of this package")
    module_name, _, class_name = class_path.rpartition(".")
    try:
        network_class = getattr(importlib.import_module(module_name), class_name, None)
    except ImportError as error:
        raise ValueError(f"{origin}: class_path {class_path!r} is no class of this version: {error}") from error
    if not (inspect.isclass(network_class) and issubclass(network_class, Network)):
        raise ValueError(f"{origin}: class_path {class_path!r} is not a network of this package")
    init_args = config.get("init_args", {})
    if not isinstance(init_args, dict):
        raise ValueError(f"{origin}: init_args of {class_path} is {init_args!r}, expected values by name")
    arguments = {name: _built(value, origin) for name, value in init_args.items()}
    try:
        return network_class(**arguments)
    # Wrong sizes, kinds and names fail wherever the constructor first uses them.
    except (TypeError, RuntimeError, ArithmeticError, LookupError, AttributeError) as error:
        reason = one_line(error)
        raise ValueError(f"{origin}: init_args of {class_path} do not fit its constructor: {reason}") from error


def holds_random_part(module: nn.Module) -> bool:
    """True if the weights of a network, or of any part of it, were never trained.

    Example:
        >>> holds_random_part(nn.Linear(2, 2))
        False
    """
    return any(getattr(part, "is_random", False) for part in module.modules())


def weights_fingerprint(module: nn.Module) -> str:
    """Sixteen hex digits of a module's class and every one of its weights.

    Example:
        >>> len(weights_fingerprint(nn.Linear(2, 2)))
        16
    """
    digest = hashlib.sha256(type(module).__name__.encode())
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def _load_weights(network: Network, path: Path) -> None:
    check_weight_file(path)
    try:
        load_model(network, str(path))
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"{path} does not fit the {CONFIG_FILE} beside it: {one_line(error)}") from error


def _recording(init: Any) -> Any:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def recorded_init(self: Network, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        # A subclass's constructor calls its base's: only the outermost call has the object's own arguments.
        outermost = "init_args" not in self.__dict__
        if outermost:
            arguments = dict(list(bound.arguments.items())[1:])
            # Bypasses `nn.Module.__setattr__`, which is not ready before `nn.Module.__init__` has run.
            self.__dict__["init_args"] = arguments
        init(self, *args, **kwargs)

    return recorded_init


def _plain(value: Any) -> Any:
    if isinstance(value, Network):
        return value.config
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _built(value: Any, origin: str) -> Any:
    if isinstance(value, dict) and "class_path" in value:
        return build_network(value, origin)
    return value
