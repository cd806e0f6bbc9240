"""Networks that several components of a pipeline have in common, such as HuBERT: loaded, kept and stored once."""

import filecmp
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from s2tf.nn.network import CONFIG_FILE, WEIGHTS_FILE, Network

SHARED = "shared"
"""Entry of the index: component -> the component in whose folder its network is."""
NetworkT = TypeVar("NetworkT", bound=Network)


def load_once(folders: Mapping[str, Path], load: Callable[[str, Path], NetworkT]) -> dict[str, NetworkT]:
    """Load the network of each component; components whose folders hold the same bytes get one network.

    Args:
        folders: Component -> folder of its network.
        load: Function that loads a component from a folder.
    """
    loaded: dict[str, NetworkT] = {}
    for name, folder in folders.items():
        same = (loaded[earlier] for earlier in loaded if _equal(folders[earlier], folder))
        network = next(same, None)
        loaded[name] = load(name, folder) if network is None else network
    return loaded


def shared_components(components: Mapping[str, Network]) -> dict[str, str]:
    """Name, for each component that has the network of an earlier one, that earlier component."""
    first: dict[int, str] = {}
    found = {name: first.setdefault(id(network), name) for name, network in components.items()}
    return {name: other for name, other in found.items() if other != name}


def folders_of(index: Mapping[str, Any], folder: Path, names: Mapping[str, Any], origin: str) -> dict[str, Path]:
    """Return the folder of the network of each component that the index lists; others may be absent.

    Raises:
        ValueError: The index shares a network with something that is no component.
    """
    shared = index.get(SHARED, {})
    known = list(index["components"])
    if not isinstance(shared, dict) or not all(one in known for one in (*shared, *shared.values())):
        raise ValueError(f"{origin}: {SHARED} is {shared!r}, expected components whose network is that of another one")
    return {name: folder / shared.get(name, name) for name in names if name in known}


def _equal(one: Path, other: Path) -> bool:
    """Compare the files of two networks; missing files are left to the loading."""
    if one == other:
        return True
    pairs = [(one / name, other / name) for name in (CONFIG_FILE, WEIGHTS_FILE)]
    return all(a.is_file() and b.is_file() and filecmp.cmp(a, b, shallow=False) for a, b in pairs)
