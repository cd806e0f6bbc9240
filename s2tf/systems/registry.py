"""Registry of all systems. The index of a pipeline folder, or the given runs, decide which pipeline is meant."""

import importlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.packaged.files import packaged_pipeline
from s2tf.pipelines.index import INDEX_FILE, read_index
from s2tf.systems.declaration import PipelineClass, RunInput, System, Task
from s2tf.systems.see_the_speaker import SEE_THE_SPEAKER

SYSTEMS: tuple[System, ...] = (SEE_THE_SPEAKER,)
"""One line for each system; its declaration is a file of its own in this folder."""


def run_inputs(systems: Sequence[System] = SYSTEMS) -> list[RunInput]:
    """The runs that pipelines of all systems are assembled from, each name once."""
    found: dict[str, RunInput] = {}
    for system in systems:
        for one in system.runs:
            found.setdefault(one.name, one)
    return list(found.values())


def find_system(name: str, systems: Sequence[System] = SYSTEMS) -> System:
    """The system of that name.

    Raises:
        UserError: There is no such system.
    """
    for system in systems:
        if system.name == name:
            return system
    raise UserError(f"{name} is no system, expected {' or '.join(system.name for system in systems)}")


def find_pipeline(folder: Path, systems: Sequence[System] = SYSTEMS) -> tuple[System, PipelineClass]:
    """The system and the pipeline that wrote a pipeline folder, by the class in its index.

    Raises:
        FileNotFoundError: The folder has no index.
        UserError: The index cannot be read, or names a class of no system.
    """
    try:
        name = read_index(folder).get("class")
    except ValueError as error:
        raise UserError(str(error)) from error
    known = {pipeline.name: (system, pipeline) for system in systems for pipeline in system.pipelines}
    if name not in known:
        raise UserError(f"{folder / INDEX_FILE}: class is {name!r}, expected one of {', '.join(known)}")
    return known[name]


def find_pipeline_of_runs(given: Collection[str], systems: Sequence[System] = SYSTEMS) -> tuple[System, PipelineClass]:
    """The system and the pipeline that is assembled from runs of these names.

    Raises:
        UserError: No pipeline takes exactly these runs; the message names those that are missing.
    """
    names = set(given)
    every = [(system, pipeline) for system in systems for pipeline in system.pipelines]
    needs = {pipeline.name: " ".join(system.run(name).option for name in pipeline.runs) for system, pipeline in every}
    fitting = [(system, pipeline) for system, pipeline in every if names and names <= set(pipeline.runs)]
    if not fitting:
        kinds = "; ".join(f"{options} for a {name}" for name, options in needs.items())
        raise UserError(f"these runs do not form a pipeline, expected {kinds}")
    system, pipeline = min(fitting, key=lambda one: len(one[1].runs))
    missing = [system.run(name).option for name in pipeline.runs if name not in names]
    if missing:
        raise UserError(f"{' and '.join(missing)} must be given: a {pipeline.name} needs {needs[pipeline.name]}")
    return system, pipeline


def open_pipeline(
    folder: str | Path | None = None, device: str = "cpu", task: Task | None = None, whole: bool = False
) -> Any:
    """Open the pipeline that a folder's index names, or the part of it for a task, in evaluation mode.

    Args:
        folder: Pipeline folder, written by `s2tf assemble` or `save_pretrained`, or None for the packaged pipeline,
            which was trained on synthetic speakers: its faces are drawn ones.
        device: Device of the networks, such as `cuda`.
        task: Task that the pipeline must support, or None for any.
        whole: True to load the whole pipeline, not only the networks for the task.

    Raises:
        FileNotFoundError: The folder, its index or a component's file is absent; the message names it.
        UserError: The folder is no pipeline folder, no pipeline is packaged, or the pipeline does not support the task.
    """
    folder = packaged_pipeline() if folder is None else Path(folder)
    system, chosen = find_pipeline(folder)
    if task is not None:
        part = _part_for(task, system, chosen, folder)
        chosen = chosen if whole else part
    try:
        return load_class(chosen.class_path).from_pretrained(folder).to(device)
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from error


def _part_for(task: Task, system: System, pipeline: PipelineClass, folder: Path) -> PipelineClass:
    """The smallest part of a pipeline that can do a task; parts are declared before the whole."""
    able = [one for one in system.pipelines if task in one.tasks]
    for part in able:
        if set(part.runs) <= set(pipeline.runs):
            return part
    names = " or ".join(one.name for one in able)
    raise UserError(f"{folder}: a {pipeline.name} cannot {_WORDS[task]}: expected a {names}")


_WORDS: dict[Task, str] = {
    "portrait": "generate a portrait",
    "animate": "animate a portrait",
    "generate": "generate a video from speech alone",
}


def load_class(class_path: str) -> Any:
    """The class of that path."""
    module, _, name = class_path.rpartition(".")
    return getattr(importlib.import_module(module), name)
