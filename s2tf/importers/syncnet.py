"""SyncNet's public weights: syncnet_v2.model of `syncnet_python`."""

from pathlib import Path

from s2tf.importers.mapping import Imported, load_mapped, read_state
from s2tf.models.syncnet import SyncNet

PLACES = (0, 1, 4, 5, 8, 9, 11, 12, 14, 15, 18, 19)
"""Indices of the convolutions and norms in both of their lists; a pooling without effect takes one place of a list."""
PARTS = {"audio_layers": "netcnnaud", "lip_layers": "netcnnlip", "audio_head": "netfcaud", "lip_head": "netfclip"}


def import_syncnet(path: str | Path) -> Imported:
    """Build SyncNet with the weights of a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not SyncNet; the first tensors that differ are named.
    """
    network = SyncNet()
    state = read_state(path)
    names = {f"syncnet.{name}": _theirs(name, network) for name in network.state_dict()}
    absent = load_mapped({"syncnet": network}, state, names, {}, str(path))
    network.mark_trained()
    return Imported({"": network.eval()}, absent)


def _theirs(name: str, network: SyncNet) -> str:
    """Their name of a tensor: the k-th layer with weights is the k-th of theirs."""
    part, index, tensor = name.split(".")
    if part.endswith("head"):
        return f"{PARTS[part]}.{index}.{tensor}"
    places = [place for place, layer in enumerate(getattr(network, part)) if list(layer.parameters())]
    return f"{PARTS[part]}.{PLACES[places.index(int(index))]}.{tensor}"
