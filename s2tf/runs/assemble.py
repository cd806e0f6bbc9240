"""Joins finished runs into a pipeline, as its system declares."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from datamodules.shards.sources import ShardSource
from datamodules.shards.writing import load_manifest
from s2tf.errors import UserError
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.nn.network import Network, load_network
from s2tf.pipelines.base import Pipeline
from s2tf.pipelines.shared_networks import load_once
from s2tf.runs.finished import check_codes, finished_config
from s2tf.systems.declaration import StoredSetting, System
from s2tf.systems.registry import find_pipeline_of_runs, load_class


def assemble(
    runs: Mapping[str, Path],
    settings: Mapping[str, Any] | None = None,
    networks: Mapping[str, Path] | None = None,
    report: Callable[[str], None] | None = None,
) -> Pipeline:
    """Join finished runs into the pipeline that needs exactly these runs; equal networks of two runs become one.

    Args:
        runs: Name of the run in its system, such as `motion_diffusion` -> finished run.
        settings: Place, such as `talking_settings.steps` -> value that the pipeline stores; others have their defaults.
        networks: Component, such as `code_predictor` -> folder of a network that no run has trained.
        report: Function that is called with a line about each of these networks.

    Raises:
        FileNotFoundError: A folder of `networks` holds no network.
        UserError: A run is not finished or is missing, the motion codes belong to another autoencoder, or the pipeline
            has no such setting or component; the message names it.
        ValueError: A setting's value or a network of `networks` is refused.
        TypeError: The class of a run's network differs from the pipeline's.
    """
    system, declared = find_pipeline_of_runs(runs)
    kind = load_class(declared.class_path)
    places = {
        component: _folder(path, network)
        for name, path in runs.items()
        for component, network in system.run(name).components.items()
        if component not in kind.optional or (path / "networks" / network).is_dir()
    }
    components = load_once(places, lambda _, folder: load_network(str(folder)))
    for pair in system.codes:
        if {pair.run, pair.autoencoder} <= set(runs):
            shards, autoencoder = runs[pair.run], runs[pair.autoencoder]
            network = components[next(iter(system.run(pair.autoencoder).components))]
            assert isinstance(network, MotionAutoencoder)
            check_codes(_manifest(system, pair.run, shards), network, str(autoencoder), f"the data of {shards}")
    for component, folder in (networks or {}).items():
        components[component] = _added(component, folder, kind, system, components, report)
    # Chosen settings win over those that a run determines.
    found = {one.setting: _stored(system, one, runs[one.run]) for one in system.stored if one.run in runs}
    return kind.from_components(components, _sections(kind, {**found, **(settings or {})}))


def _added(
    component: str,
    folder: Path,
    kind: type[Pipeline],
    system: System,
    components: Mapping[str, Network],
    report: Callable[[str], None] | None,
) -> Network:
    """Read a network that no run has trained."""
    chosen = next((one for one in system.networks if one.component == component), None)
    if chosen is None or component not in kind.component_types:
        raise UserError(f"--{component.replace('_', '-')} has no effect on a {kind.__name__}")
    try:
        network, note = load_class(chosen.reader)(folder, components)
    except ValueError as error:
        raise ValueError(f"{chosen.option}: {error}") from error
    if report is not None:
        report(f"{folder}: {note}")
    return cast(Network, network)


def chosen_settings(runs: Mapping[str, Path], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the system's options set in the pipeline of these runs, by place.

    Raises:
        UserError: The pipeline has no setting that an option sets.
    """
    system, declared = find_pipeline_of_runs(runs)
    sections = load_class(declared.class_path).settings_types
    settings: dict[str, Any] = {}
    for one in system.chosen:
        if one.option not in options:
            continue
        places = [place for place in one.settings if place.partition(".")[0] in sections]
        if not places:
            raise UserError(f"--{one.option} has no effect on a {declared.name}")
        settings |= dict.fromkeys(places, options[one.option])
    return settings


def _sections(kind: type[Pipeline], values: Mapping[str, Any]) -> dict[str, Any]:
    """Build the pipeline's sections of settings from values by place."""
    sections: dict[str, dict[str, Any]] = {section: {} for section in kind.settings_types}
    for place, value in values.items():
        section, _, name = place.partition(".")
        if section not in sections:
            raise UserError(f"{place} has no effect on a {kind.__name__}, whose settings are {', '.join(sections)}")
        sections[section][name] = value
    return {section: kind.settings_types[section](**given) for section, given in sections.items()}


def _stored(system: System, setting: StoredSetting, run: Path) -> Any:
    if setting.source == "manifest":
        found: Any = _manifest(system, setting.run, run)
    else:
        found = _config(system, setting.run, run)
    for key in setting.key.split("."):
        found = found[key]
    return found


def _folder(run: Path, name: str) -> Path:
    finished_config(run, name)
    return run / "networks" / name


def _config(system: System, name: str, run: Path) -> dict[str, Any]:
    return finished_config(run, next(iter(system.run(name).components.values())))


def _manifest(system: System, name: str, run: Path) -> dict[str, Any]:
    """Read the manifest of the first data set that a run was trained on: all its data sets have the same crop rule."""
    chosen = _config(system, name, run)["data"]["init_args"]["shards"]
    return load_manifest(chosen if isinstance(chosen, str) else ShardSource(**chosen[0]))
