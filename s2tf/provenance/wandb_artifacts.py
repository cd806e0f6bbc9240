"""Lineage at W&B: what a run uses and makes, as artifacts that say where files lie and what they contain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2tf.provenance.lineage import Item


def use(run: Any, item: Item, upload: bool) -> None:
    """Declare an input of a W&B run.

    `run.use_artifact` refuses a run that is off line, and waits for the server in one that is not. What it does with an
    artifact of one's own, to log it and use it when it is there, is one record, which can be written off line too and
    is carried out by `wandb sync`. Contents that the server has by this name become no new version.
    """
    run._log_artifact(artifact(item, upload), is_user_created=True, use_after_commit=True)


def log(run: Any, item: Item, upload: bool, aliases: list[str]) -> None:
    """Declare an output of a W&B run."""
    run.log_artifact(artifact(item, upload), aliases=aliases)


def log_step(
    project: str, name: str, folder: Path, config: Mapping[str, Any], inputs: Sequence[Item], outputs: Sequence[Item]
) -> None:
    """A W&B run of a step that is no training, such as the computation of a prior.

    Args:
        project: W&B's.
        name: of the step: the run's job type, group and name.
        folder: in which W&B keeps its files.
        config: of the step.
        inputs: what it used.
        outputs: what it made.
    """
    import wandb

    with wandb.init(project=project, dir=str(folder), name=name, group=name, job_type=name, config=dict(config)) as run:
        for item in inputs:
            use(run, item, upload=False)
        for item in outputs:
            log(run, item, upload=False, aliases=[])


def artifact(item: Item, upload: bool) -> Any:
    """A `wandb.Artifact` of an item: references with checksums, or the files themselves."""
    import wandb

    metadata = {"where": item.where, "fingerprint": item.fingerprint}
    made = wandb.Artifact(item.name, type=item.kind, metadata=metadata)
    for name, path in item.files.items():
        if upload:
            made.add_file(path, name=name, policy="immutable")
        else:
            made.add_reference(Path(path).as_uri(), name=name)
    if not item.files:
        # Not local: its address, and its contents in the name of what stands for it.
        made.add_reference(item.where, name=item.fingerprint or "data", checksum=False)
    return made
