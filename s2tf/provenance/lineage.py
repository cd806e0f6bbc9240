"""What a run was made of and what it made: data, networks and weights by their contents, wherever they lie.

A run's networks are one item, named after its experiment. Two runs that use the same contents by the same name have the
same item, which is how a chain is followed from shards to the last stage.
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
"""In a run folder, or in that of a prior."""
NETWORKS, NETWORK, DATASET, WEIGHTS = "networks", "network", "dataset", "weights"
"""Kinds of items; `networks` are those of a run, `network` is one that lies elsewhere, such as a prior."""
MANIFEST = "manifest.json"
CHUNK = 1 << 22


@dataclass(frozen=True)
class Item:
    """Something that runs use or make."""

    name: str
    kind: str
    where: str
    """Folder, file or URL."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Local files by their names in the item; none where it is not local."""
    fingerprint: str = ""
    """16 hex digits of its contents."""

    def to_json(self) -> dict[str, Any]:
        """For `lineage.json`, with the lineage of what it is made of where that is known."""
        record: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "where": self.where,
            "fingerprint": self.fingerprint,
        }
        return record | {"made_of": inputs_of(Path(self.where))}


def inputs_of(made: Path) -> list[dict[str, Any]] | None:
    """What a folder of networks was made of, as it is noted beside it or in it; None where it is not."""
    for place in (made / FILE, made.parent / FILE):
        if place.is_file():
            return json.loads(place.read_text())["inputs"]
    return None


def networks_item(folder: Path, experiment: str) -> Item:
    """The networks of a run, `RUN/networks`."""
    return _item(experiment, NETWORKS, folder, sorted(folder.rglob("*")))


def network_item(folder: Path) -> Item:
    """A network that is not of a run, such as a prior, by its folder's name."""
    return _item(folder.resolve().name, NETWORK, folder, [folder / CONFIG_FILE, folder / WEIGHTS_FILE])


def find_inputs(config: Mapping[str, Any], data: Any) -> list[Item]:
    """What a run uses: its data sets' manifests, and what the values of its config name that is there.

    Args:
        config: the composed experiment.
        data: the datamodule, of which the `sources` are read.
    """
    found = [_dataset(source) for source in getattr(data, "sources", [])]
    texts = _texts([config.get("model"), config.get("prior")])
    found += [item for text in texts for item in _of_text(text)]
    return list({(item.kind, item.where): item for item in found}.values())


def write(folder: Path, experiment: str, inputs: list[Item], outputs: list[Item]) -> None:
    """Note both in a folder."""
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
    # A word such as `ddim` is no file, even where one of that name lies.
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
    """With the letters that W&B allows."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)
