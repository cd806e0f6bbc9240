"""The public Python API of `import s2tf`."""

import subprocess
import sys

import pytest
import torch
from small_pipelines import coloured_noise, small_portrait_pipeline
from tiny_shards import tiny_shards
from video_folders import talking, write

import s2tf
import s2tf.metrics
from s2tf.errors import UserError


def loaded_by(line: str) -> set[str]:
    """Top-level packages that a fresh Python has loaded after a line."""
    code = f"import sys; {line}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("line", ["import s2tf", "import s2tf.metrics", "import s2tf; dir(s2tf); dir(s2tf.metrics)"])
def test_importing_s2tf_loads_neither_torch_nor_lightning(line):
    assert not loaded_by(line) & {"torch", "lightning", "transformers", "numpy", "wandb"}


def test_every_public_name_can_be_used_and_is_listed():
    for module in (s2tf, s2tf.metrics):
        assert set(module.__all__) <= set(dir(module))
        assert all(getattr(module, name) is not None for name in module.__all__)


@pytest.mark.parametrize("module", [s2tf, s2tf.metrics])
def test_an_unknown_name_is_refused_by_its_name(module):
    with pytest.raises(AttributeError, match="lod_pipeline"):
        _ = module.lod_pipeline


def test_a_pipeline_folder_opens_as_the_class_that_its_index_names(tmp_path):
    small_portrait_pipeline().save_pretrained(tmp_path)
    pipeline = s2tf.load_pipeline(tmp_path)
    assert type(pipeline).__name__ == "PortraitPipeline"
    assert pipeline(coloured_noise(1.0)).image.shape == (32, 32, 3)


@pytest.mark.gpu
def test_a_pipeline_opens_on_a_gpu(tmp_path):
    small_portrait_pipeline().save_pretrained(tmp_path)
    pipeline = s2tf.load_pipeline(tmp_path, device="cuda")
    assert pipeline.device.type == "cuda"
    assert pipeline(coloured_noise(1.0)).image.shape == (32, 32, 3)


@pytest.mark.slow
def test_a_fit_trains_in_its_run_folder_and_finds_it_again(tmp_path):
    shards = tiny_shards(tmp_path / "shards")
    overrides = ["+debug/conre.yaml", f"vars.shards={shards}", "trainer.max_steps=1"]
    result = s2tf.fit("conre.yaml", overrides, runs=tmp_path / "runs")
    assert (result.step, (result.run.networks / "speech_encoder").is_dir()) == (1, True)
    assert s2tf.fit("conre.yaml", overrides, runs=tmp_path / "runs").run.folder == result.run.folder


def test_videos_are_measured_like_by_the_command(tmp_path):
    frames = talking(0)
    write(tmp_path / "generated" / "a.mp4", frames)
    write(tmp_path / "reference" / "a.mp4", frames)
    scores = s2tf.evaluate_videos(tmp_path / "generated", tmp_path / "reference", metrics="pixels", size=64)
    numbers = {one.name: one.value for one in scores.measurements}
    assert numbers["PSNR"] > 50
    assert (tmp_path / "generated-evaluation" / "metrics.json").is_file()


def test_videos_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist, expected a file or folder"):
        s2tf.evaluate_videos(tmp_path / "nothing", tmp_path)


def test_a_metric_of_the_api_is_a_torchmetrics_metric():
    metric = s2tf.metrics.FrameQuality()
    frames = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    metric.update(frames, frames)
    assert metric.compute()["psnr"] == 100
