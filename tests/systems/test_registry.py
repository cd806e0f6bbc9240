"""The registry of systems: what is declared is there, and a folder's index decides which pipeline opens."""

import json
from dataclasses import replace

import pytest

from s2tf.config import EXPERIMENTS
from s2tf.errors import UserError
from s2tf.pipelines.index import INDEX_FILE
from s2tf.pipelines.video_pipeline import VideoPipeline
from s2tf.systems.declaration import PipelineClass, RunInput
from s2tf.systems.registry import (
    SYSTEMS,
    find_pipeline,
    find_pipeline_of_runs,
    find_system,
    load_class,
    open_pipeline,
)

SECOND_STAGE = ("motion_autoencoder", "lip_landmarks", "motion_diffusion")


def index_of(folder, name):
    folder.mkdir(exist_ok=True)
    (folder / INDEX_FILE).write_text(
        json.dumps({"class": name, "components": {}, "settings": {}, "random_weights": []})
    )
    return folder


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_the_runs_of_a_pipeline_give_exactly_its_components_and_settings(system):
    for pipeline in system.pipelines:
        kind = load_class(pipeline.class_path)
        assert issubclass(kind, VideoPipeline) == ("animate" in pipeline.tasks)
        if issubclass(kind, VideoPipeline):
            assert kind.generates_portrait == ("generate" in pipeline.tasks)
        given = [component for name in pipeline.runs for component in system.run(name).components]
        added = {one.component for one in system.networks} & kind.component_types.keys()
        assert sorted([*given, *added]) == sorted(kind.component_types)
        assert added <= kind.optional
        places = [one.setting for one in system.stored if one.run in pipeline.runs]
        for place in places:
            section, name = place.split(".")
            assert hasattr(kind.settings_types[section](), name)
    assert {run.stage for run in system.runs} <= set(system.stages)
    assert all(load_class(path) for path in (*system.stages, *(one.reader for one in system.networks)))


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_the_demo_plan_names_experiments_that_are_there_and_results_that_came_before(system):
    known = {"shards": "", "seed": ""}
    for step in system.demo.steps:
        for word in step.words:
            word.format_map(known)
        if step.action != "codes":
            assert (EXPERIMENTS / "demo" / f"{step.name}.yaml").is_file()
        known[step.name] = ""
    assert {run.name for run in system.runs} <= known.keys()
    places = {f"{section}.{name}" for section, name in (place.split(".") for place in system.demo.settings)}
    assert places == set(system.demo.settings)


def test_a_system_is_found_by_its_name():
    assert find_system("see-the-speaker") in SYSTEMS
    with pytest.raises(UserError, match="dae is no system, expected see-the-speaker"):
        find_system("dae")


def test_the_class_in_the_index_decides_which_pipeline_it_is(tmp_path):
    for name in ("PortraitPipeline", "TalkingFacePipeline", "SpeechToTalkingFacePipeline"):
        assert find_pipeline(index_of(tmp_path, name))[1].name == name
    with pytest.raises(UserError, match=f"{INDEX_FILE}: class is 'Other', expected one of PortraitPipeline"):
        find_pipeline(index_of(tmp_path, "Other"))
    (tmp_path / INDEX_FILE).write_text("{}")
    with pytest.raises(UserError, match=INDEX_FILE):
        find_pipeline(tmp_path)


def test_another_system_is_one_more_declaration(tmp_path):
    other = replace(
        SYSTEMS[0],
        name="other",
        runs=(RunInput("other_autoencoder", "a.Stage", {"autoencoder": "autoencoder"}, ""),),
        pipelines=(PipelineClass("a.OtherPipeline", ("other_autoencoder",), ("animate",)),),
    )
    systems = (*SYSTEMS, other)
    assert find_pipeline(index_of(tmp_path, "OtherPipeline"), systems)[0] is other
    assert find_pipeline_of_runs(["other_autoencoder"], systems)[1].name == "OtherPipeline"
    with pytest.raises(UserError, match="these runs do not form a pipeline, expected --scfp for a PortraitPipeline"):
        find_pipeline_of_runs(["other_autoencoder", "scfp"], systems)


@pytest.mark.parametrize(
    ("runs", "name"),
    [
        (("scfp",), "PortraitPipeline"),
        (SECOND_STAGE, "TalkingFacePipeline"),
        (("scfp", *SECOND_STAGE), "SpeechToTalkingFacePipeline"),
    ],
)
def test_the_runs_that_are_given_decide_the_pipeline(runs, name):
    assert find_pipeline_of_runs(runs)[1].name == name


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ((), "these runs do not form a pipeline"),
        (("scfp", "lip_landmarks"), "--motion-autoencoder and --motion-diffusion must be given"),
        (("motion_diffusion",), "--motion-autoencoder and --lip-landmarks must be given: a TalkingFacePipeline needs"),
    ],
)
def test_runs_that_are_missing_are_named(runs, message):
    with pytest.raises(UserError, match=message):
        find_pipeline_of_runs(runs)


def test_a_pipeline_opens_for_a_task_that_it_can_do(portrait_folder):
    pipeline = open_pipeline(portrait_folder, task="portrait")
    assert type(pipeline) is type(open_pipeline(portrait_folder))
    with pytest.raises(UserError, match="a PortraitPipeline cannot animate a portrait: expected a TalkingFacePipeline"):
        open_pipeline(portrait_folder, task="animate")


def test_only_the_networks_that_a_task_needs_are_loaded(portrait_folder):
    index = json.loads((portrait_folder / INDEX_FILE).read_text())
    (portrait_folder / INDEX_FILE).write_text(json.dumps({**index, "class": "SpeechToTalkingFacePipeline"}))
    assert type(open_pipeline(portrait_folder, task="portrait")).__name__ == "PortraitPipeline"
    with pytest.raises(UserError, match="it lacks"):
        open_pipeline(portrait_folder, task="generate")
