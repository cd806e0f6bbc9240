"""What a tracker is told of a run before its first number: where it belongs, and what it is made of."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2tf.config import LABEL, NOTHING
from s2tf.provenance.git_state import last_record

LONGEST_TAG = 64
"""W&B refuses longer ones."""


def job_type(config: Mapping[str, Any]) -> str:
    """The stage's name, that of its module: `conre`, `scfp`, `motion_autoencoder`, ...; `prior` where there is none."""
    model = config.get("model")
    return model["class_path"].split(".")[-2] if isinstance(model, dict) else "prior"


def tags(experiment: Path, overrides: Sequence[str], config: Mapping[str, Any]) -> tuple[str, ...]:
    """What runs are found by: the stage, the ablation's table and row, the files put on top, and the seed.

    Args:
        experiment: the YAML's path, such as experiments/ablations/table5/attention.yaml.
        overrides: of the command line.
        config: the composed experiment.
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
    """What a tracker's config says of a run: the resolved config, the code's state, the data and the networks.

    Args:
        config: the composed experiment.
        folder: of the run, whose last record of the code (`git.json`, `git-2.json`, ...) is read where there is one.
        stage: a `Stage`.
        data: its datamodule.
    """
    git = last_record(folder)
    return {
        # Not `experiment`: W&B locks what is named as a parameter of the sweep.
        "config": dict(config),
        "run_folder": str(folder),
        "git": json.loads(git.read_text()) if git is not None else None,
        "data": manifest_hashes(data),
        "parameters": parameter_counts(stage),
    }


def manifest_hashes(data: Any) -> dict[str, str]:
    """Of every source of a datamodule, by its name in the config: 16 hex digits of the manifest's contents."""
    return {source.source.shards: manifest_hash(source.manifest) for source in getattr(data, "sources", [])}


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """16 hex digits of a manifest's contents."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


def parameter_counts(stage: Any) -> dict[str, int]:
    """All parameters of a stage, those that are trained, and those of each network that it hands on."""
    parameters = list(stage.parameters())
    counts = {
        "total": sum(one.numel() for one in parameters),
        "trained": sum(one.numel() for one in parameters if one.requires_grad),
    }
    return counts | {name: network.parameter_count for name, network in stage.networks().items()}
