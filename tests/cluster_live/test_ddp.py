"""Two nodes of two processes train as one process does on the same global batches, in every stage, and end alike."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ddp_equality import STEPS, fit_stage
from tiny_shards import tiny_shards

from s2tf.config import compose
from s2tf.models.face_prior import FacePrior
from s2tf.precompute.copying import ShardCopy
from s2tf.precompute.latent_codes import write_codes
from s2tf.runs.build import build

SCRIPT = Path(__file__).parents[1] / "support" / "ddp_equality.py"
EXPERIMENTS = Path(__file__).parents[2] / "experiments"
NODES, DEVICES = 2, 2
RANKS = range(NODES * DEVICES)
STAGES = (
    *("conre", "scfp", "motion_autoencoder", "turns", "codebook"),
    *("lip_landmarks", "motion_diffusion", "syncnet"),
)
pytestmark = [
    pytest.mark.slow,
    # Frozen parts are in evaluation mode on purpose.
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training"),
]


def plan(folder):
    """By name: the file of an experiment, and what it is given."""
    debug = {path.stem: f"+{path}" for path in (EXPERIMENTS / "debug").glob("*.yaml")}
    small = f"+{EXPERIMENTS / 'small' / 'lip_landmarks.yaml'}"
    shards, init = f"vars.shards={folder / 'shards'}", "model.init_args"
    weights = f"{init}.weights"
    side = ("vars.size=32", f"{init}.autoencoder.init_args.lip_refiner.init_args.guider.init_args.finest=32")
    motion_autoencoder = ["motion_autoencoder", debug["motion_autoencoder"], shards, *side, "vars.output_size=32"]
    adversarial = (f"{init}.adversarial_start=3", f"{weights}.r1=1.0", f"{weights}.outside_mouth=1.0")
    networks = folder / "networks"
    no_vgg = f"{init}.vgg=null"
    # Convolutions in float64 are slow: fewer of them.
    speech = f"{init}.speech_encoder.init_args"
    conre = [
        *("conre", debug["conre"], shards, f"{init}.warmup_steps=5", f"{speech}.dropout=0.3", f"{speech}.width=1.0"),
        *(f"{speech}.channels=[4,6,8]", f"{speech}.time_strides=[4,2,2]", f"{speech}.frequency_strides=[2,2,2]"),
        f"{speech}.pooled=[]",
        # Rests for some steps, then judges.
        f"{init}.discriminator.class_path=s2tf.models.patch_discriminator.PatchDiscriminator",
        *(f"{init}.discriminator.init_args.channels=4", f"{init}.adversarial_weight=0.3", f"{init}.r1_weight=1.0"),
        *(f"{init}.features_weight=2.0", f"{init}.adversarial_start=3"),
    ]
    entries = {
        "conre": conre,
        "scfp": [
            *("scfp", debug["scfp"], shards, f"vars.conre={networks}", f"vars.prior={networks / 'prior'}"),
            *(f"{init}.speech_dropout=0.2", f"{init}.draws=2", f"{init}.warmup_steps=5", f"{init}.learning_rate=0.001"),
        ],
        "motion_autoencoder": [*motion_autoencoder, *adversarial, f"{init}.placement_noise=0.05"],
        "turns": [*motion_autoencoder, *adversarial, f"{init}.alternate=true", f"{init}.schedule=cosine", no_vgg],
        "codebook": [
            *("codebook", debug["codebook"], shards, f"{init}.adversarial_start=3", no_vgg),
            *(f"vars.motion_autoencoder={networks / 'motion_autoencoder'}", "vars.size=32", "vars.output_size=64"),
            f"{init}.autoencoder.init_args.codebook.init_args.widths=[16,16,8,8]",
            f"{init}.autoencoder.init_args.codebook.init_args.code_widths=[8,8,16,16]",
            # Dead codes move to random latents of all ranks, which have another order than those of one process.
            f"{init}.restart_codes_every=0",
        ],
        "lip_landmarks": [
            *("lip_landmarks", small, shards, f"{init}.lip_landmarks.init_args.hidden=16"),
            *(f"{init}.silence=0.5", f"{init}.velocity_weight=0.5", "data.init_args.frames=20"),
        ],
        "motion_diffusion": [
            *("motion_diffusion", debug["motion_diffusion"], f"vars.shards={folder / 'codes'}"),
            *(f"{init}.diffusion.init_args.unet.init_args.dropout=0.1", f"{init}.statistics_batches=5"),
        ],
        "syncnet": ["syncnet", debug["syncnet"], shards, f"{init}.warmup_steps=5", "data.init_args.windows=2"],
    }
    return {name: (str(EXPERIMENTS / f"{file}.yaml"), given) for name, (file, *given) in entries.items()}


def untrained(name, stages):
    experiment, given = stages[name]
    return build(compose(experiment, [*given, "trainer.callbacks=null"])).model


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """The plan; clips to validate on are ten, for four ranks, and what later stages need of earlier ones is there."""
    folder = tmp_path_factory.mktemp("stages")
    tiny_shards(folder / "shards", people=30, seconds=2.0, size=128)
    stages = plan(folder)
    for name in ("conre", "motion_autoencoder"):
        untrained(name, stages).export(folder)
    FacePrior(64).save_pretrained(folder / "networks" / "prior")
    write_codes(ShardCopy(folder / "shards", folder / "codes"), folder / "networks" / "motion_autoencoder")
    return stages


@pytest.fixture(scope="module")
def ranks(stages, slurm, tmp_path_factory):
    """Records that every rank has saved of every stage; one start of the processes for all of them."""
    folder = tmp_path_factory.mktemp("ranks")
    file = folder / "plan.json"
    file.write_text(json.dumps({"stages": stages, "nodes": NODES, "devices": DEVICES, "val_batch": 2}))
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    command = ["srun", f"-N{NODES}", f"--ntasks-per-node={DEVICES}", sys.executable, SCRIPT, file, folder]
    result = subprocess.run(
        command, env=environment, cwd=EXPERIMENTS.parent, capture_output=True, text=True, timeout=600, check=False
    )
    assert result.returncode == 0, result.stderr[-5000:]
    return {name: [torch.load(folder / name / f"rank{rank}.pt") for rank in RANKS] for name in stages}


@pytest.mark.parametrize("name", STAGES)
def test_four_ranks_train_as_one_process_does(name, stages, ranks, tmp_path):
    one = fit_stage(*stages[name], 1, 1, 3, tmp_path)
    four = ranks[name]
    assert len(one["steps"]) == STEPS
    for step, numbers in enumerate(one["steps"]):
        means = {key: sum(rank["steps"][step][key] for rank in four) / len(four) for key in numbers}
        assert means == pytest.approx(numbers, rel=1e-9, abs=1e-12), step
    for rank in four:
        assert rank["validation"] == pytest.approx(one["validation"], rel=1e-9, abs=1e-12)
        for part in ("weights", "averages", "optimizer"):
            torch.testing.assert_close(rank[part], one[part], rtol=1e-9, atol=1e-9)
