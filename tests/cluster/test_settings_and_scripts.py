"""Cluster settings, and the scripts that come of them: what SLURM would read, and what the shell would run."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from s2tf.cluster.resources import Resources
from s2tf.cluster.script import render, staging, values_of
from s2tf.cluster.settings import SLURM, Cluster, in_seconds, load_cluster
from s2tf.errors import UserError

CLUSTERS = sorted((SLURM / "clusters").glob("*.yaml"))
EIGHT = Resources(nodes=2, tasks=8, gpus=8)


def script(template, cluster=None, resources=EIGHT, after=(), folder=Path("/runs/a b/1a2b"), **values):
    cluster = cluster or load_cluster("a6000x8")
    command = ["s2tf", "fit", f"{folder}/train.yaml"]
    shared = values_of(cluster, resources, "conre-1a2b", folder, command, ["s2tf", "submit", "x.yaml", "a=it's"], after)
    array = {"array": "0-1", "cases": "0)\n    run=/a\n    ;;", "sweep": "us/faces/here", "job_pattern": "%j"}
    array["submission"] = """'{"job": "JOB"}'"""
    return render(template, {**shared, **(array if template != "train.sbatch" else {}), **values})


def options(text):
    return dict(re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", text, re.M))


def test_a_training_asks_for_its_nodes_processes_and_gpus():
    asked = options(script("train.sbatch", after=["12", "13"]))
    wanted = {
        "nodes": "2",
        "ntasks-per-node": "8",
        "gres": "gpu:a6000:8",
        "cpus-per-task": "8",
        "mem": "384G",
        "time": "2-00:00:00",
        "signal": "USR1@600",
        "requeue": "",
        "open-mode": "append",
        "dependency": "afterok:12:13",
        "kill-on-invalid-dep": "yes",
    }
    assert {name: asked.get(name) for name in wanted} == wanted
    assert not {"partition", "account", "qos", "array"} & set(asked)


def test_what_a_cluster_says_is_done_before_the_training(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "partition: gpu\ngpus: a6000:8\nmodules: [cuda/12.4]\nsetup: ['source venv/bin/activate']\n"
        'scratch: /scratch/$USER\nenvironment: {NOTE: "a \\"b\\" $HOME"}\nsbatch: [--constraint=nvlink]\n'
        "srun: [--mpi=none]\ncontainer: apptainer exec s2tf.sif\n"
    )
    cluster = load_cluster(str(path))
    values = values_of(cluster, EIGHT, "n", tmp_path, ["s2tf"], [])
    text = script("train.sbatch", cluster, stage=staging(values, ["/data/shards"]))
    assert options(text)["constraint"] == "nvlink"
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    wanted = [
        'export NOTE="a \\"b\\" $HOME"',
        'export S2TF_SCRATCH="/scratch/$USER"',
        "module load cuda/12.4",
        "source venv/bin/activate",
    ]
    assert lines[2:6] == wanted
    staged = next(line for line in lines if "datamodules.shards.staging" in line)
    assert staged.endswith("--mpi=none apptainer exec s2tf.sif python -m datamodules.shards.staging /data/shards")
    assert "command=(apptainer exec s2tf.sif s2tf fit '/runs/a b/1a2b/train.yaml')" in lines


TEMPLATES = ["train.sbatch", "array.sbatch", "prepare.sbatch", "agent.sbatch"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_ranks_get_the_environment_where_sbatch_hands_none_on(template):
    lines = script(template, Cluster(sbatch=["--export=NONE"]), Resources()).splitlines()
    assert "#SBATCH --export=NONE" in lines
    first = next(number for number, line in enumerate(lines) if line.startswith("srun ") or "    srun " in line)
    assert lines.index("export SLURM_EXPORT_ENV=ALL") < first


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("cluster", CLUSTERS, ids=lambda path: path.stem)
def test_every_script_is_one_that_bash_reads(template, cluster):
    settings = load_cluster(cluster.stem)
    request = EIGHT if settings.gpus else Resources(nodes=2, tasks=2)
    text = script(template, settings, request, part='command+=(--part "1/2")', done="touch it")
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert "@{" not in text
    assert not re.search(r"^#SBATCH .*(None|=)$", text, re.M)
    if shutil.which("shellcheck"):
        # A cluster's own activation is not at hand.
        subprocess.run(["shellcheck", "--exclude=SC1090,SC1091", "-"], input=text, text=True, check=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("partiton: main", "unknown key 'partiton', expected one of partition, account"),
        ('time: "5"', "signal_seconds is 300, and time is '5'"),
        ('time: "5:00"\nsignal_seconds: 300', "signal_seconds is 300, and time is '5:00'"),
        ('time: "0-00:05"', "expected fewer than 300"),
        ('time: "two days"', "time is 'two days', expected days-hours:minutes:seconds"),
        ("gpus: 8:a6000", "gpus is '8:a6000', expected KIND:NUMBER"),
        ("memory_per_task: lots", "memory_per_task is 'lots', expected a number with K, M, G or T"),
        ("cpus_per_task: few", "cpus_per_task"),
        ("cpus_per_task: 0", "cpus_per_task is 0, expected a positive number"),
        ("modules: cuda", "modules"),
        ("[1, 2]", "expected a mapping"),
    ],
)
def test_what_is_wrong_in_settings_is_named_with_their_file(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(str(path))) as raised:
        load_cluster(str(path))
    assert message in str(raised.value)


def test_settings_are_read_as_they_are_typed(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("time: 12:00:00\naccount: 0123\nqos: on\npartition: null\nenvironment: {A: 1e3, B: no, C: 2024_11}")
    cluster = load_cluster(str(path))
    assert (cluster.time, cluster.account, cluster.qos, cluster.partition) == ("12:00:00", "0123", "on", None)
    assert cluster.environment == {"A": "1e3", "B": "no", "C": "2024_11"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("30:05", 1805),
        ("1:30:05", 5405),
        ("2-1", 176400),
        ("2-1:30", 178200),
        ("2-1:30:05", 178205),
        ("UNLIMITED", None),
    ],
)
def test_a_time_is_read_as_slurm_reads_it(text, seconds):
    assert in_seconds(text) == seconds


def test_a_name_that_the_shell_or_slurm_would_read_otherwise_is_one_word(tmp_path):
    """A comment of two lines would run its second, and `%j` is a job's number."""
    folder = tmp_path / "a b %j it's"
    values = values_of(Cluster(), Resources(), "a b;c", folder, ["s2tf"], ["s2tf", "x=1\ntouch here"])
    text = render("train.sbatch", values)
    assert "\ntouch here" not in text
    asked = options(text)
    assert shlex.split(asked["job-name"]) == ["a b;c"]
    assert shlex.split(asked["output"]) == [f"{tmp_path}/a b %%j it's/slurm-%j.out"]
    assert f"\nrun={shlex.quote(str(folder))}\n" in text


def test_an_unknown_cluster_is_told_which_there_are():
    with pytest.raises(UserError, match="--cluster b200x8: unknown cluster, expected .*a6000x8, container, local"):
        load_cluster("b200x8")


def test_more_gpus_than_a_node_has_are_refused():
    with pytest.raises(UserError, match=r"trainer\.devices is 9, but a node of a6000x8 has 8 GPUs"):
        values_of(load_cluster("a6000x8"), Resources(1, 9, 9), "n", Path("f"), [], [])


def test_a_step_s_settings_are_checked_as_the_cluster_s_own():
    changed = Cluster(name="mine").changed("step a: job", {"cpus_per_task": 4})
    assert (changed.name, changed.cpus_per_task) == ("mine", 4)
    with pytest.raises(UserError, match="step a: job: unknown key 'cpus'"):
        Cluster().changed("step a: job", {"cpus": 4})
