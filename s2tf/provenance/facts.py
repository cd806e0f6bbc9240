"""Facts about a run that a tracker gets before its first number: group, tags, code, data and networks."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2tf.config import LABEL, NOTHING
from s2tf.provenance.git_state import last_record

LONGEST_TAG = 64
"""Longest tag that W&B takes."""


def job_type(config: Mapping[str, Any]) -> str:
    """Name the stage by its module: `conre`, `scfp`, `motion_autoencoder`, ...; `prior` if there is no stage."""
    model = config.get("model")
    return model["class_path"].split(".")[-2] if isinstance(model, dict) else "prior"


def tags(experiment: Path, overrides: Sequence[str], config: Mapping[str, Any]) -> tuple[str, ...]:
    """Collect a run's tags: the stage, the ablation's table and row, the files put on top, and the seed.

    Args:
        experiment: Path of the YAML, such as experiments/ablations/table5/attention.yaml.
        overrides: Overrides of the command line.
        config: The composed experiment.
    """
    path = experiment.resolve()
    found = [job_type(config)]
    if path.parent.parent.name == "ablations":
        found += [path.parent.name, f"{path.parent.name}-{path.stem}"]
    else:
        found.append(path.stem)
    files = [LABEL.sub("", override[1:]) for override in overrides if override.startswith("+")]
    overlays = [Path(file).resolve() for file in files if file != NOTHING]
    found += [f"{overlay.parent.name}/{overlay.stem}" for overlay in overlays]
    if "seed_everything" in config:
        found.append(f"seed-{config['seed_everything']}")
    return tuple(dict.fromkeys(tag[:LONGEST_TAG] for tag in found))


def facts(config: Mapping[str, Any], folder: Path, stage: Any, data: Any) -> dict[str, Any]:
    """Collect the facts of a run: the resolved config, the code's state, the data and the networks.

    Args:
        config: The composed experiment.
        folder: Run folder, whose last record of the code (`git.json`, `git-2.json`, ...) is read if there is one.
        stage: The run's `Stage`.
        data: Its datamodule.
    """
    git = last_record(folder)
    return {
        # The key is not `experiment`: W&B locks keys that are parameters of a sweep.
        "config": dict(config),
        "run_folder": str(folder),
        "git": json.loads(git.read_text()) if git is not None else None,
        "data": manifest_hashes(data),
        "parameters": parameter_counts(stage),
    }


def manifest_hashes(data: Any) -> dict[str, str]:
    """Hash the manifest of every source of a datamodule; returns the hashes by the sources' names in the config."""
    return {source.source.shards: manifest_hash(source.manifest) for source in getattr(data, "sources", [])}


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """Hash the contents of a manifest to 16 hex digits."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


def parameter_counts(stage: Any) -> dict[str, int]:
    """Count all parameters of a stage, the trained ones, and those of each network that it exports."""
    parameters = list(stage.parameters())
    counts = {
        "total": sum(one.numel() for one in parameters),
        "trained": sum(one.numel() for one in parameters if one.requires_grad),
    }
    return counts | {name: network.parameter_count for name, network in stage.networks().items()}
