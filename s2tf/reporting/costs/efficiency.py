"""Table XII on the machine at hand: parameters, peak memory and frames a second of the whole generation."""

import platform
import resource
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s2tf.diffusion.portrait_diffusion import PortraitDiffusion
from s2tf.errors import UserError
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.scores import Scores
from s2tf.media.audio import SAMPLE_RATE
from s2tf.models.audio_to_mesh import AudioToMesh
from s2tf.models.face_prior import FacePrior
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.nn.network import Network, build_network
from s2tf.pipelines.portrait import PortraitPipeline
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline
from s2tf.pipelines.talking_face import TalkingFacePipeline
from s2tf.reporting.build_table import build_table
from s2tf.reporting.costs.parameters import paper_networks
from s2tf.reporting.paper import TABLES
from s2tf.reporting.read_scores import EFFICIENCY
from s2tf.reporting.run_scores import RunScores
from s2tf.reporting.table import ReportTable
from s2tf.systems.registry import open_pipeline

ROWS = {"HRTF": "hrtf", "HRTF-SCFP": "hrtf-scfp"}
"""Row of Table XII -> name of the measured stages."""
WARM_UP_SECONDS = 0.2
"""Length of the speech that is generated before anything is timed."""


@dataclass(frozen=True)
class Efficiency:
    """Parameters, memory and speed of HRTF alone and of the whole system, measured on one machine."""

    parameters: Mapping[str, int]
    """By experiment: `hrtf` is the second stage, `hrtf-scfp` both."""
    memory: Mapping[str, float]
    """Peak memory in bytes, by experiment."""
    speed: float
    """Frames a second of the second stage."""
    portrait_seconds: float
    """Seconds for a portrait."""
    protocol: Mapping[str, Any]

    def values(self, name: str) -> dict[str, float]:
        """Return the numbers of `hrtf` or `hrtf-scfp`, named as in Table XII."""
        return {"parameters": self.parameters[name], "memory": self.memory[name], "speed": self.speed}

    @property
    def full_protocol(self) -> dict[str, Any]:
        """The protocol, with the time of a portrait."""
        return {**self.protocol, "seconds for a portrait": round(self.portrait_seconds, 2)}


def efficiency_table(found: Efficiency) -> ReportTable:
    """Return Table XII with a measurement on this machine, see `measure_efficiency`."""
    scores = {
        label: [RunScores(name, "", 0, found.values(name), {}, {}, found.full_protocol)] for label, name in ROWS.items()
    }
    return build_table(TABLES["table12"], scores)


def write_efficiency(found: Efficiency, out: Path) -> None:
    """Write `out`/hrtf/metrics.json and `out`/hrtf-scfp/metrics.json, results of Table XII for a page of all tables."""
    for name in ROWS.values():
        measurements = [Measurement(key, value, found.full_protocol) for key, value in found.values(name).items()]
        (out / name).mkdir(parents=True, exist_ok=True)
        Scores(EFFICIENCY, name, measurements, found.full_protocol, []).write(out / name)


def measure_efficiency(folder: Path | None, device: str, seconds: float) -> Efficiency:
    """Generate once and measure.

    The second stage is measured before the first one is on the device; on the CPU, where only the peak of the whole
    process is known, both are in it.

    Args:
        folder: A pipeline folder; None for networks of the paper's size with random weights, on which neither memory
            nor speed depend.
        device: Device to run on, such as `cuda`.
        seconds: Length of the speech in seconds.

    Raises:
        UserError: `seconds` is not positive, the folder is no pipeline of both stages, or there is no such device.
    """
    if not seconds > 0:
        raise UserError(f"--seconds {seconds}: expected more than 0")
    _check_device(device)
    pipeline = _open(folder) if folder else paper_pipeline()
    # Count before the networks move to the device.
    parameters = {
        name: count_once(stage.components.values())
        for name, stage in (("hrtf", pipeline.talking_face), ("hrtf-scfp", pipeline))
    }
    memory, speed, portrait_seconds = _measure(pipeline, device, seconds)
    protocol = {
        "machine": machine(device),
        "networks": str(folder.name) if folder else "the paper's size, random weights",
        "speech (s)": seconds,
        "picture (px)": pipeline.talking_face.output_size,
        "denoiser calls": pipeline.talking_face.talking_settings.steps,
        "memory": "peak of the device's allocator"
        if device.startswith("cuda")
        else "peak of the whole process, both stages in it",
        "speed": "from speech and portrait to the last frame, including the sampling of the motion",
    }
    return Efficiency(parameters, memory, speed, portrait_seconds, protocol)


def count_once(networks: Iterable[Network]) -> int:
    """Count the parameters of networks, one that several components have in common once, as it is loaded once."""
    return sum({id(network): network.parameter_count for network in networks}.values())


def _open(folder: Path) -> SpeechToTalkingFacePipeline:
    pipeline = open_pipeline(folder, task="generate")
    if not isinstance(pipeline, SpeechToTalkingFacePipeline):
        raise UserError(f"{folder}: a {type(pipeline).__name__}, but Table XII measures a SpeechToTalkingFacePipeline")
    return pipeline


def paper_pipeline() -> SpeechToTalkingFacePipeline:
    """Build both stages at the paper's size, with random weights."""
    # Build every network once.
    configs = paper_networks()
    one, two = (
        {name: _plain(build_network(config, name).eval()) for name, config in configs[stage].items()}
        for stage in ("stage_one", "stage_two")
    )
    # Put them into pipelines.
    prior = FacePrior()
    portrait = PortraitPipeline(
        one["speech_encoder"],
        PortraitDiffusion(one["denoiser"], one["prior_weighting"], prior).eval(),
        one["face_decoder"],
        random_weights=list(PortraitPipeline.component_types),
    )
    first = two["motion_autoencoder"]
    parts = {name: module for name, module in first.named_children() if name != "codebook"}
    talking_face = TalkingFacePipeline(
        MotionAutoencoder(**parts, codebook=two["codebook"]).eval(),
        two.get("lip_features", None if isinstance(two["lip_landmarks"], AudioToMesh) else two["speech_features"]),
        two["lip_landmarks"],
        two["speech_features"],
        two["motion_diffusion"],
        random_weights=list(TalkingFacePipeline.component_types),
    )
    return SpeechToTalkingFacePipeline(portrait, talking_face)


def machine(device: str) -> str:
    """Describe the machine."""
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads), torch {torch.__version__}"


def _measure(
    pipeline: SpeechToTalkingFacePipeline, device: str, seconds: float
) -> tuple[dict[str, float], float, float]:
    """Measure peak memory in bytes of the second stage and of both, frames a second, and seconds of a portrait."""
    # Prepare a black picture and noise as speech, and warm up.
    speech = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32)
    talking_face = pipeline.talking_face.to(device)
    size = talking_face.motion_autoencoder.input_size
    picture = np.zeros((size, size, 3), np.uint8)
    for _ in talking_face(speech[: max(1, round(WARM_UP_SECONDS * SAMPLE_RATE))], picture, steps=2):
        pass
    # Measure the second stage.
    _reset_peak(device)
    started = time.perf_counter()
    frames = sum(1 for _ in talking_face(speech, picture))
    _synchronise(device)
    speed = frames / (time.perf_counter() - started)
    memory = {"hrtf": _peak(device)}
    # Measure the first stage beside it.
    pipeline.portrait.to(device)
    _reset_peak(device)
    started = time.perf_counter()
    pipeline.portrait(speech)
    _synchronise(device)
    portrait = time.perf_counter() - started
    memory["hrtf-scfp"] = _peak(device)
    return memory, speed, portrait


def _plain(network: Any) -> Any:
    return network.requires_grad_(False)


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {device}: not on this machine: {str(error).splitlines()[0]}") from error


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def _reset_peak(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: str) -> float:
    if device.startswith("cuda"):
        return float(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
