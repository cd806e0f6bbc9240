"""Base of all pipelines: networks and settings saved as one folder, loaded and checked without Lightning.

A pipeline folder holds `model_index.json` and, per network, a subfolder of `config.json` and `weights.safetensors`.
A pipeline loads from any folder that holds its networks and its section of settings, so that the first stage alone can
be loaded from a folder of both.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

import torch

import s2tf
from s2tf.nn.half_precision import Precision
from s2tf.nn.network import Network, holds_random_part
from s2tf.pipelines.index import INDEX_FILE, read_index
from s2tf.pipelines.shared_networks import SHARED, folders_of, load_once, shared_components

PipelineT = TypeVar("PipelineT", bound="Pipeline")


class Pipeline:
    """Networks and settings that work together; subclasses declare them as annotations and add `__call__`.

    An annotation whose type is a network declares a component (one that may be absent, as `Network | None`), a
    dataclass a section of settings (with a default for every value), and a pipeline a part, whose components and
    settings are the whole's too:

        class PortraitPipeline(Pipeline):
            speech_encoder: SpeechEmbedder
            portrait_settings: PortraitSettings

    The constructor takes them in the order of the declaration or by name; sections of settings may be left out.

    Args:
        parts: Values of the declarations, in their order.
        random_weights: Names of components that were never trained; their output is no result.
        named: Values of the declarations, by name.

    Raises:
        TypeError: A value is missing, of another class than declared, or not declared.
        ValueError: `random_weights` has a name that is not a component's.
    """

    component_types: ClassVar[Mapping[str, type[Network]]] = {}
    """The declared networks, those of the parts first."""
    optional: ClassVar[frozenset[str]] = frozenset()
    """The declared networks that may be absent."""
    settings_types: ClassVar[Mapping[str, type]] = {}
    """The declared sections of settings, those of the parts first."""
    part_types: ClassVar[Mapping[str, "type[Pipeline]"]] = {}
    declared: ClassVar[Mapping[str, type]] = {}
    """Everything that the constructor takes."""

    def __init_subclass__(cls) -> None:
        """Collect what the subclass declares."""
        super().__init_subclass__()
        hints = {name: _without_none(kind) for name, kind in get_type_hints(cls).items()}
        cls.declared = {name: kind for name, (kind, _) in hints.items() if _can_be_declared(kind)}
        cls.optional = frozenset(name for name in cls.declared if hints[name][1])
        cls.part_types = {name: kind for name, kind in cls.declared.items() if issubclass(kind, Pipeline)}
        components: dict[str, type[Network]] = {}
        settings: dict[str, type] = {}
        for part in cls.part_types.values():
            cls.optional |= part.optional
            components |= part.component_types
            settings |= part.settings_types
        components |= {name: kind for name, kind in cls.declared.items() if issubclass(kind, Network)}
        settings |= {name: kind for name, kind in cls.declared.items() if dataclasses.is_dataclass(kind)}
        cls.component_types, cls.settings_types = components, settings

    def __init__(self, *parts: Any, random_weights: Sequence[str] = (), **named: Any) -> None:
        given = dict(zip(self.declared, parts, strict=False)) | named
        if len(given) < len(parts) + len(named) or not given.keys() <= self.declared.keys():
            raise TypeError(f"{type(self).__name__} takes each of {', '.join(self.declared)} once")
        self.components: dict[str, Network] = {}
        self.settings: dict[str, Any] = {}
        self._declared_random = set(random_weights)
        for name, kind in self.declared.items():
            self._hold(name, kind, given.get(name))
        unknown = sorted(self._declared_random - set(self.component_types))
        if unknown:
            raise ValueError(f"random_weights names {unknown}, expected some of {sorted(self.component_types)}")

    def _hold(self, name: str, kind: type, value: Any) -> None:
        """Store the value of a declaration as an attribute and among the components or the settings."""
        if value is None and dataclasses.is_dataclass(kind):
            value = kind()
        if value is None and name in self.optional:
            setattr(self, name, None)
            return
        if not isinstance(value, kind):
            raise TypeError(f"{type(self).__name__}: {name} is a {type(value).__name__}, expected a {kind.__name__}")
        setattr(self, name, value)
        if isinstance(value, Pipeline):
            self.components |= value.components
            self.settings |= value.settings
            self._declared_random |= set(value.random_weights)
        elif isinstance(value, Network):
            self.components[name] = value.eval()
        else:
            self.settings[name] = value

    @classmethod
    def from_components(
        cls: type[PipelineT],
        components: Mapping[str, Network],
        settings: Mapping[str, Any],
        random_weights: Sequence[str] = (),
    ) -> PipelineT:
        """Build the pipeline from all components and sections of settings, including those of its parts."""
        parts = {
            name: part.from_components(
                components, settings, [one for one in random_weights if one in part.component_types]
            )
            for name, part in cls.part_types.items()
        }
        own = {name: value for name, value in {**components, **settings}.items() if name in cls.declared}
        return cls(**parts, **own, random_weights=[name for name in random_weights if name in cls.component_types])

    @property
    def random_weights(self) -> tuple[str, ...]:
        """The components with weights, or some of them, that were never trained: their output is no result."""
        return tuple(
            name
            for name, network in self.components.items()
            if name in self._declared_random or holds_random_part(network)
        )

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        for network in self.components.values():
            for tensor in (*network.parameters(), *network.buffers()):
                return tensor.device
        return torch.device("cpu")

    @torch.inference_mode(False)
    def to(self: PipelineT, device: torch.device | str) -> PipelineT:
        """Move every network to `device`; returns the pipeline."""
        for network in self.components.values():
            network.to(device)
        return self

    def save_pretrained(self, folder: str | Path, precision: Precision = 32) -> Path:
        """Write the index and one subfolder per network into `folder`, created if absent; returns it.

        A network that several components have in common is stored once, in the subfolder of the first.

        Args:
            folder: Folder of the pipeline.
            precision: Bits of each stored parameter; a loaded pipeline has 32 bits again.

        Raises:
            ValueError: A value is too large for this precision; the message names its tensor.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        shared = shared_components(self.components)
        for name, network in self.components.items():
            if name not in shared:
                network.save_pretrained(folder / name, precision)
        index = {
            "class": type(self).__name__,
            "s2tf_version": s2tf.__version__,
            "components": {name: type(network).__name__ for name, network in self.components.items()},
            **({SHARED: shared} if shared else {}),
            **({"precision": precision} if precision != 32 else {}),
            "settings": {section: dataclasses.asdict(value) for section, value in self.settings.items()},
            "random_weights": list(self.random_weights),
        }
        (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n")
        return folder

    @classmethod
    def from_pretrained(cls: type[PipelineT], folder: str | Path) -> PipelineT:
        """Load the pipeline from a folder that `save_pretrained` wrote, on the CPU and in evaluation mode.

        Raises:
            FileNotFoundError: The folder, its index or a component's file is absent; the message names it.
            ValueError: The file is no index of a pipeline, or lacks a component or setting of this pipeline.
            TypeError: A component is of another class than the pipeline's.
        """
        folder = Path(folder)
        index = read_index(folder)
        origin = str(folder / INDEX_FILE)
        _check_components(cls, index, origin)
        settings = {
            section: settings_from_json(settings_type, index["settings"].get(section), f"{origin}: settings.{section}")
            for section, settings_type in cls.settings_types.items()
        }
        places = folders_of(index, folder, cls.component_types, origin)
        components = load_once(places, lambda name, place: _load_component(place, name, cls.component_types[name]))
        return cls.from_components(components, settings, index["random_weights"])


def _without_none(kind: Any) -> tuple[Any, bool]:
    """The type of an annotation without `None`, and whether it had it."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if type(None) not in kinds:
        return kind, False
    return Union[tuple(one for one in kinds if one is not type(None))], True  # noqa: UP007


def _can_be_declared(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, (Network, Pipeline)) or dataclasses.is_dataclass(kind))


def settings_from_json(settings_type: type, values: Any, origin: str) -> Any:
    """Build the dataclass `settings_type` from JSON values; `origin` names the place in messages.

    Raises:
        ValueError: An entry is missing or unknown, or the dataclass refuses a value.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{origin} is {values!r}, expected the settings of {settings_type.__name__}")
    names = {field.name for field in dataclasses.fields(settings_type)}
    unknown, missing = sorted(set(values) - names), sorted(names - set(values))
    if unknown or missing:
        raise ValueError(f"{origin}: unknown entries {unknown}, missing entries {missing}")
    for field in dataclasses.fields(settings_type):
        if not _same_kind(field.default, values[field.name]):
            kind = type(field.default).__name__
            raise ValueError(f"{origin}.{field.name} is {values[field.name]!r}, expected a value of type {kind}")
    try:
        return settings_type(**{name: _frozen(value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{origin}: {error}") from error


def _same_kind(default: Any, value: Any) -> bool:
    """True if a JSON value can replace a default of plain type; defaults of other types say nothing."""
    if isinstance(default, bool) or not isinstance(default, int | float | str):
        return True
    if isinstance(default, str):
        return isinstance(value, str)
    kinds = int if isinstance(default, int) else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def _check_components(pipeline_type: type[Pipeline], index: Mapping[str, Any], origin: str) -> None:
    missing = sorted(set(pipeline_type.component_types) - set(index["components"]) - pipeline_type.optional)
    if missing:
        raise ValueError(
            f"{origin} describes a {index.get('class')}: it lacks {missing}, which {pipeline_type.__name__} needs"
        )


def _load_component(folder: Path, name: str, kind: type[Network]) -> Network:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: {INDEX_FILE} lists the component {name!r}")
    return kind.from_pretrained(folder)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
