"""What every pipeline shares: networks and settings saved as one folder, loaded and checked without Lightning.

A pipeline folder holds `model_index.json` and, per network, a subfolder of `config.json` and `weights.safetensors`.
A pipeline loads from any folder that holds its networks and its section of settings, so that the first stage alone
can be taken out of a folder of both.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

import s2tf
from s2tf.nn.network import Network, holds_random_part

INDEX_FILE = "model_index.json"
PipelineT = TypeVar("PipelineT", bound="Pipeline")


class Pipeline:
    """Networks and settings that work together; subclasses add `__call__`.

    Subclasses name their networks in `component_types` and the class of their settings, a frozen dataclass of plain
    values, in `settings_types` by section. Their constructors take every component and section by its name, and
    `random_weights`.
    """

    component_types: ClassVar[Mapping[str, type[Network]]] = {}
    settings_types: ClassVar[Mapping[str, type]] = {}

    def __init__(
        self,
        components: Mapping[str, Network],
        settings: Mapping[str, Any],
        random_weights: Sequence[str] = (),
    ) -> None:
        for name, expected in self.component_types.items():
            if not isinstance(components.get(name), expected):
                found = type(components.get(name)).__name__
                raise TypeError(f"{type(self).__name__}: {name} is a {found}, expected a {expected.__name__}")
        unknown = sorted(set(random_weights) - set(self.component_types))
        if unknown:
            raise ValueError(f"random_weights names {unknown}, expected some of {sorted(self.component_types)}")
        self.components = {name: components[name].eval() for name in self.component_types}
        self.settings = dict(settings)
        self._declared_random = tuple(random_weights)

    @property
    def random_weights(self) -> tuple[str, ...]:
        """The components whose weights, or a part of them, were never trained: whatever they make is no result."""
        return tuple(
            name
            for name, network in self.components.items()
            if name in self._declared_random or holds_random_part(network)
        )

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        for network in self.components.values():
            for tensor in (*network.parameters(), *network.buffers()):
                return tensor.device
        return torch.device("cpu")

    def to(self: PipelineT, device: torch.device | str) -> PipelineT:
        """Move every network to `device`; returns the pipeline."""
        for network in self.components.values():
            network.to(device)
        return self

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the index and one subfolder per network into `folder`, which is made if absent; returns it."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, network in self.components.items():
            network.save_pretrained(folder / name)
        index = {
            "class": type(self).__name__,
            "s2tf_version": s2tf.__version__,
            "components": {name: type(network).__name__ for name, network in self.components.items()},
            "settings": {section: dataclasses.asdict(value) for section, value in self.settings.items()},
            "random_weights": list(self.random_weights),
        }
        (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n")
        return folder

    @classmethod
    def from_pretrained(cls: type[PipelineT], folder: str | Path) -> PipelineT:
        """Load the pipeline from a folder that `save_pretrained` wrote, on the CPU and in evaluation mode.

        Raises:
            FileNotFoundError: the folder, its index or a component's file is absent; the message names it.
            ValueError: the index is not one of a pipeline, or lacks a component or setting of this one.
            TypeError: a component is of another class than the pipeline's.
        """
        folder = Path(folder)
        index = read_index(folder)
        origin = str(folder / INDEX_FILE)
        _check_components(cls, index, origin)
        settings = {
            section: settings_from_json(settings_type, index["settings"].get(section), f"{origin}: settings.{section}")
            for section, settings_type in cls.settings_types.items()
        }
        components = {name: _load_component(folder, name, kind) for name, kind in cls.component_types.items()}
        random_weights = [name for name in index["random_weights"] if name in cls.component_types]
        return cls._assembled(components, settings, random_weights)

    @classmethod
    def _assembled(
        cls: type[PipelineT],
        components: Mapping[str, Network],
        settings: Mapping[str, Any],
        random_weights: Sequence[str],
    ) -> PipelineT:
        arguments: dict[str, Any] = {**components, **settings, "random_weights": random_weights}
        return cls(**arguments)


def read_index(folder: Path) -> dict[str, Any]:
    """The content of a pipeline folder's index, its outline checked.

    Raises:
        FileNotFoundError: there is no index; the message names it.
        ValueError: the file is not JSON, or lacks an entry of an index.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected a pipeline folder written by `save_pretrained`")
    try:
        index = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    outline = {"components": dict, "settings": dict, "random_weights": list}
    for name, kind in outline.items():
        if not isinstance(index, dict) or not isinstance(index.get(name), kind):
            raise ValueError(f"{path}: entry {name!r} is missing or not a {kind.__name__}")
    return index


def settings_from_json(settings_type: type, values: Any, origin: str) -> Any:
    """Build the dataclass `settings_type` from JSON values; `origin` names the place in messages.

    Raises:
        ValueError: an entry is missing or unknown, or the dataclass refuses a value.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{origin} is {values!r}, expected the settings of {settings_type.__name__}")
    names = {field.name for field in dataclasses.fields(settings_type)}
    unknown, missing = sorted(set(values) - names), sorted(names - set(values))
    if unknown or missing:
        raise ValueError(f"{origin}: unknown entries {unknown}, missing entries {missing}")
    try:
        return settings_type(**{name: _frozen(value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{origin}: {error}") from error


def generator_of(seed: "int | torch.Generator | None", device: torch.device | str = "cpu") -> torch.Generator:
    """A generator from a seed, or the generator that was given; None draws a fresh seed.

    Noise is drawn on the CPU by default and moved, so that a seed means the same on every device.
    """
    if isinstance(seed, torch.Generator):
        return seed
    generator = torch.Generator(device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def check_waveform(waveform: np.ndarray) -> np.ndarray:
    """The waveform as contiguous float32.

    Raises:
        ValueError: it is not one-dimensional, is empty, or holds a value that is not finite.
    """
    waveform = np.ascontiguousarray(waveform, dtype=np.float32)
    if waveform.ndim != 1 or not len(waveform):
        raise ValueError(f"a waveform of shape {waveform.shape}: expected (S,) samples of one channel, at least one")
    if not np.isfinite(waveform).all():
        raise ValueError("the waveform holds samples that are not finite")
    return waveform


def to_uint8(images: Tensor) -> np.ndarray:
    """(B, 3, H, W) in [-1, 1] to (B, H, W, 3) uint8 RGB; values outside are clipped."""
    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _check_components(pipeline_type: type[Pipeline], index: Mapping[str, Any], origin: str) -> None:
    missing = sorted(set(pipeline_type.component_types) - set(index["components"]))
    if missing:
        raise ValueError(
            f"{origin} describes a {index.get('class')}: it lacks {missing}, which {pipeline_type.__name__} needs"
        )


def _load_component(folder: Path, name: str, kind: type[Network]) -> Network:
    if not (folder / name).is_dir():
        raise FileNotFoundError(f"{folder / name} is missing: {INDEX_FILE} lists the component {name!r}")
    return kind.from_pretrained(folder / name)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
