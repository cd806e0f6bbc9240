"""The package as a user gets it: what a wheel holds, and that its commands work from an empty folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaged_files import judges_stand_in, packaged_stand_in
from slurm_stubs import stub_slurm
from tiny_shards import tiny_shards

ROOT = Path(__file__).parents[1]
BUILT = ("s2tf", "datamodules", "experiments", "slurm", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md")
"""Files and folders that a build reads, besides the licence."""
BUILD = "import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"


def build(kind: str, source: Path, out: Path) -> Path:
    """Build a wheel or an sdist of `source`, without network and without touching the checkout."""
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", BUILD.format(kind=kind), str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of the checkout in which an earlier version was built."""
    folder = tmp_path_factory.mktemp("source")
    for name in (*BUILT, "LICENSE"):
        path = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(path, folder / name, ignore=ignore) if path.is_dir() else shutil.copy(path, folder / name)
    stale = folder / "build" / "lib" / "experiments" / "conre.yaml"
    stale.parent.mkdir(parents=True)
    stale.write_text("vars: {}\n")
    # Small networks in the place of those that ship, if these are there.
    packaged = folder / "s2tf" / "packaged"
    for name in ("speech_to_talking_face", "judges"):
        shutil.rmtree(packaged / name, ignore_errors=True)
    packaged_stand_in(packaged)
    judges_stand_in(packaged)
    (packaged / "speech_to_talking_face" / "MODEL_CARD.md").write_text("## Measurements\n")
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A function that runs the installed wheel's `s2tf` in an empty folder."""
    target, empty = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("empty")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, text=True)

    def run(*words: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(target / "bin" / "s2tf"), *words]
        return subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
def test_a_wheel_installs_s2tf_and_datamodules_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"s2tf", "datamodules"}
    assert "s2tf/py.typed" in names


@pytest.mark.slow
def test_a_wheel_carries_every_experiment_and_batch_template(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    carried = [path for folder in ("experiments", "slurm") for path in (ROOT / folder).rglob("*") if path.is_file()]
    carried = [path for path in carried if path.suffix in (".yaml", ".sbatch", ".sh")]
    assert len(carried) > 50
    assert {f"s2tf/{path.relative_to(ROOT)}" for path in carried} <= names


@pytest.mark.slow
def test_a_wheel_carries_the_package_data_beside_the_modules(wheel, source):
    names = set(zipfile.ZipFile(wheel).namelist())
    kinds = ("*.yaml", "*.md", "*.wav", "*.json", "*.safetensors")
    data = {str(path.relative_to(source)) for kind in kinds for path in (source / "s2tf").rglob(kind)}
    assert {f"s2tf/packaged/{name}" for name in ("speech.wav", "judges/judges.json")} <= data
    assert data <= names
    assert not [name for name in names if name.endswith(".pyc")]


@pytest.mark.slow
def test_an_installed_wheel_generates_a_video_at_once_from_any_folder(installed, tmp_path):
    result = installed("generate", "sample", "--out", str(tmp_path / "talking.mp4"))
    assert result.returncode == 0, result.stderr
    assert "talking.mp4: 125 frames, 5.0 seconds" in result.stdout


@pytest.mark.slow
def test_a_wheel_from_the_source_distribution_is_the_same(source, wheel, tmp_path):
    archive = build("sdist", source, tmp_path / "sdist")
    shutil.unpack_archive(archive, tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = build("wheel", unpacked, tmp_path / "wheel")
    assert set(zipfile.ZipFile(again).namelist()) == set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
def test_the_demo_of_an_installed_wheel_shows_its_help(installed):
    result = installed("demo", "--help")
    assert result.returncode == 0, result.stderr
    assert "--out" in result.stdout


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards")


@pytest.mark.slow
def test_an_installed_wheel_trains_an_experiment_by_its_short_name(installed, shards):
    narrow = ["+debug/conre.yaml", "trainer.max_steps=1", "trainer.limit_val_batches=0", "data.init_args.num_workers=0"]
    result = installed("fit", "demo/conre.yaml", *narrow, f"vars.shards={shards}")
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_an_installed_wheel_prepares_a_submission(installed, shards, tmp_path, monkeypatch):
    stub_slurm(tmp_path, monkeypatch)
    words = ["+debug/conre.yaml", f"vars.shards={shards}", "--cluster", "local", "--dry-run"]
    result = installed("submit", "run", "conre.yaml", *words)
    assert result.returncode == 0, result.stderr
    assert "#SBATCH" in result.stdout


@pytest.mark.slow
def test_opencv_can_be_imported_beside_face_alignment_which_brings_its_own():
    code = "import cv2, face_alignment, numpy; print(cv2.resize(numpy.zeros((4, 4)), (2, 2)).shape)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "(2, 2)", result.stderr
