"""Lineage of a run: its inputs and outputs, data, networks and weights, identified by their contents.

A run's networks are one item, named after its experiment. Two runs that use the same contents under the same name have
the same item, so that a chain can be followed from shards to the last stage.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2tf.fault_tolerance.atomic_files import atomic_write
from s2tf.nn.network import CONFIG_FILE, WEIGHTS_FILE
from s2tf.provenance.facts import manifest_hash

FILE = "lineage.json"
"""File in a run folder, or in the folder of a prior."""
NETWORKS, NETWORK, DATASET, WEIGHTS = "networks", "network", "dataset", "weights"
"""Kinds of items; `networks` are those of a run, `network` is one outside a run, such as a prior."""
MANIFEST = "manifest.json"
CHUNK = 1 << 22


@dataclass(frozen=True)
class Item:
    """Input or output of runs."""

    name: str
    kind: str
    where: str
    """Folder, file or URL of the item."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Local files by their names in the item; none for an item that is not local."""
    fingerprint: str = ""
    """Hash of the contents, 16 hex digits."""

    def to_json(self) -> dict[str, Any]:
        """Make the record for `lineage.json`, with the item's own inputs if they are known."""
        record: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "where": self.where,
            "fingerprint": self.fingerprint,
        }
        return record | {"made_of": inputs_of(Path(self.where))}


def inputs_of(made: Path) -> list[dict[str, Any]] | None:
    """Read the inputs of a folder of networks, noted beside it or in it; None if they are not."""
    for place in (made / FILE, made.parent / FILE):
        if place.is_file():
            return json.loads(place.read_text())["inputs"]
    return None


def networks_item(folder: Path, experiment: str) -> Item:
    """Make the item of a run's networks, `RUN/networks`."""
    return _item(experiment, NETWORKS, folder, sorted(folder.rglob("*")))


def network_item(folder: Path) -> Item:
    """Make the item of a network outside a run, such as a prior, named after its folder."""
    return _item(folder.resolve().name, NETWORK, folder, [folder / CONFIG_FILE, folder / WEIGHTS_FILE])


def find_inputs(config: Mapping[str, Any], data: Any) -> list[Item]:
    """Find the inputs of a run: the manifests of its data, and the files and folders that its config names.

    Args:
        config: The composed experiment.
        data: Its datamodule, with `sources`.
    """
    found = [_dataset(source) for source in getattr(data, "sources", [])]
    texts = _texts([config.get("model"), config.get("prior")])
    found += [item for text in texts for item in _of_text(text)]
    return list({(item.kind, item.where): item for item in found}.values())


def write(folder: Path, experiment: str, inputs: list[Item], outputs: list[Item]) -> None:
    """Write inputs and outputs into a folder's `lineage.json`."""
    record = {
        "experiment": experiment,
        "inputs": [item.to_json() for item in inputs],
        "outputs": [item.to_json() | {"made_of": None} for item in outputs],
    }
    atomic_write(folder / FILE, json.dumps(record, indent=2) + "\n")


def _dataset(source: Any) -> Item:
    where = source.source.shards
    path = Path(source.folder) / MANIFEST if source.local else None
    files = {MANIFEST: str(path.resolve())} if path is not None and path.is_file() else {}
    name = Path(source.folder or where).name or "data"
    return Item(_plain(name), DATASET, where, files, manifest_hash(source.manifest))


def _of_text(text: str) -> Iterator[Item]:
    path = Path(text)
    if (path / CONFIG_FILE).is_file() and (path / WEIGHTS_FILE).is_file():
        run = path.resolve().parent.parent
        if path.resolve().parent.name == NETWORKS and (run / FILE).is_file():
            yield networks_item(path.parent, json.loads((run / FILE).read_text())["experiment"])
        else:
            yield network_item(path)
    # A word such as `ddim` is no file, even if there is one of that name.
    elif path.suffix and path.is_file():
        yield _item(path.name, WEIGHTS, path, [path])


def _item(name: str, kind: str, where: Path, paths: list[Path]) -> Item:
    top = where if where.is_dir() else where.parent
    files = {path.relative_to(top).as_posix(): str(path.resolve()) for path in paths if path.is_file()}
    digest = hashlib.sha256()
    for short, path in files.items():
        digest.update(f"\n{short} {_file_hash(Path(path))}".encode())
    return Item(_plain(name), kind, str(where), files, digest.hexdigest()[:16])


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from _texts(value)


def _plain(name: str) -> str:
    """Replace the characters that W&B does not allow in names."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)
