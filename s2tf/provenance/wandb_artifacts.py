"""Lineage at W&B: inputs and outputs of a run as artifacts, which hold the places of files and their checksums."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2tf.provenance.lineage import Item


def use(run: Any, item: Item, upload: bool) -> None:
    """Declare an input of a W&B run.

    `run.use_artifact` refuses offline runs, and waits for the server in others. To log an artifact and mark it as used
    is a single record, which also works offline; `wandb sync` sends it later. Contents that the server already has
    under this name create no new version.
    """
    run._log_artifact(artifact(item, upload), is_user_created=True, use_after_commit=True)


def log(run: Any, item: Item, upload: bool, aliases: list[str]) -> None:
    """Declare an output of a W&B run."""
    run.log_artifact(artifact(item, upload), aliases=aliases)


def log_step(
    project: str, name: str, folder: Path, config: Mapping[str, Any], inputs: Sequence[Item], outputs: Sequence[Item]
) -> None:
    """Log a step that is no training, such as the computation of a prior, as a W&B run.

    Args:
        project: Project in W&B.
        name: Name of the step: the run's job type, group and name.
        folder: Folder in which W&B keeps its files.
        config: Config of the step.
        inputs: Inputs of the step.
        outputs: Outputs of the step.
    """
    import wandb

    with wandb.init(project=project, dir=str(folder), name=name, group=name, job_type=name, config=dict(config)) as run:
        for item in inputs:
            use(run, item, upload=False)
        for item in outputs:
            log(run, item, upload=False, aliases=[])


def artifact(item: Item, upload: bool) -> Any:
    """Make a `wandb.Artifact` of an item: references with checksums, or with `upload` the files themselves."""
    import wandb

    metadata = {"where": item.where, "fingerprint": item.fingerprint}
    made = wandb.Artifact(item.name, type=item.kind, metadata=metadata)
    for name, path in item.files.items():
        if upload:
            made.add_file(path, name=name, policy="immutable")
        else:
            made.add_reference(Path(path).as_uri(), name=name)
    if not item.files:
        # For an item that is not local, add its address under a name with its fingerprint.
        made.add_reference(item.where, name=item.fingerprint or "data", checksum=False)
    return made
