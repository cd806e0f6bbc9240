"""Identity of a composed experiment: the hash that names its run folder, and keys that were renamed."""

import copy
import hashlib
import json
from typing import Any

from s2tf.errors import UserError

RENAMED = {
    "model.init_args.weights.elsewhere": "outside_mouth",
    "model.init_args.weights.reading": "motion_reader",
}
"""Old key, with its parents -> new name. Both are read, and `identity_hash` uses the old name, so that a run keeps its
folder."""
NOT_IDENTITY = (
    "tracking",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.logger",
    "trainer.callbacks",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.enable_checkpointing",
    "trainer.log_every_n_steps",
    "data.init_args.num_workers",
    "model.init_args.compile",
    "model.init_args.diffusion.init_args.unet.init_args.gradient_checkpointing",
)
"""Keys for the place and speed of the computation: a run may change them and resume."""


def identity_hash(config: dict[str, Any]) -> str:
    """Compute the eight hex digits that name a resolved experiment, from all keys except `NOT_IDENTITY`."""
    config = with_old_names(config)
    for dotted in NOT_IDENTITY:
        node, name = parent(config, dotted)
        node.pop(name, None)
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]


def with_new_names(tree: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a copy of a config, or of a part of it, in which renamed keys (`RENAMED`) have their new names.

    Raises:
        UserError: Both names of a key are present; the message begins with `where`.
    """
    tree = copy.deepcopy(tree)
    for dotted, new in RENAMED.items():
        node, old = parent(tree, dotted)
        if old in node and new in node:
            raise UserError(f"{where}: {dotted} is the old name of {new}: both are given, expected one of them")
        if old in node:
            node[new] = node.pop(old)
    return tree


def with_old_names(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a config in which renamed keys (`RENAMED`) have their old names, which hashes need."""
    tree = copy.deepcopy(tree)
    for dotted, new in RENAMED.items():
        node, old = parent(tree, dotted)
        if new in node:
            node[old] = node.pop(new)
    return tree


def parent(tree: Any, dotted: str) -> tuple[dict[str, Any], str]:
    """Return the mapping that holds the last key of a dotted name, empty if it does not exist, and that key."""
    *parents, last = dotted.split(".")
    for one in parents:
        tree = tree.get(one) if isinstance(tree, dict) else None
    return (tree if isinstance(tree, dict) else {}), last
