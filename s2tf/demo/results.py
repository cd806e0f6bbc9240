"""The generating half of the demo: portraits and videos of unseen speakers, and what is measured on them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console

from datamodules.shards.writing import read_split
from s2tf.demo.targets import gender_evidence, mouth_evidence, reconstruction_evidence, retrieval_evidence
from s2tf.demo.train import Chain, DemoPlan
from s2tf.evaluation.judge_training import JudgeData, load_judges
from s2tf.evaluation.measurement import Measurement
from s2tf.faces.crop import resize
from s2tf.faces.lips import canonical_face, mouth_opening, to_picture_units
from s2tf.faces.motion import DetectedMotion
from s2tf.figures.sheet import draw_sheet, sheet_indices
from s2tf.media.audio import FPS, write_wav
from s2tf.media.pictures import to_uint8
from s2tf.media.video_writer import VideoWriter
from s2tf.metrics.image import FrameQuality
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

LEAST_FRAMES = 10
"""Of a clip, for its correlation to mean anything."""
GENDERS = {"female": 0, "male": 1}


@dataclass(frozen=True)
class UnseenSpeaker:
    """A test clip with what was made of its speech."""

    key: str
    gender: int
    """0 female, 1 male, -1 unknown."""
    waveform: "np.ndarray"
    frames: "np.ndarray"
    """(T, H, W, 3) uint8, the true video."""
    landmarks: "np.ndarray"
    """(T, 68, 2) pixels of the true frames."""
    portrait: "np.ndarray"
    """(H', W', 3) uint8, generated from the speech."""
    generated: "np.ndarray"
    """(T', R, R, 3) uint8, the video of the portrait."""
    wrong: "np.ndarray | None" = None
    """The same portrait with the next speaker's speech; None beyond the first `plan.compared` speakers."""


@dataclass
class Results:
    """All unseen speakers and the pipeline that made them."""

    pipeline: "SpeechToTalkingFacePipeline"
    speakers: list[UnseenSpeaker] = field(default_factory=list)


def write_speakers(plan: DemoPlan, chain: Chain, out: Path, console: "Console") -> Results:
    """Generate from the speech of every unseen speaker, and write the files of each below `out`/speakers."""
    pipeline = SpeechToTalkingFacePipeline.from_pretrained(chain.pipeline)
    results = Results(pipeline)
    samples = list({sample.record.identity: sample for sample in read_split(chain.shards, "test")}.values())
    waveforms = [sample.waveform() for sample in samples]
    for index, sample in enumerate(samples):
        portrait = pipeline.portrait(waveforms[index], seed=plan.seed).image
        console.print(f"speaking: {sample.key} ({index + 1} of {len(samples)})", highlight=False)
        generated = _speak(pipeline, portrait, waveforms[index], plan.seed)
        wrong = None
        if index < plan.compared:
            wrong = _speak(pipeline, portrait, waveforms[(index + 1) % len(samples)], plan.seed)
        speaker = UnseenSpeaker(
            key=sample.key,
            gender=GENDERS.get(sample.record.attributes.get("gender", ""), -1),
            waveform=waveforms[index],
            frames=sample.frames(),
            landmarks=sample.landmarks(),
            portrait=portrait,
            generated=generated,
            wrong=wrong,
        )
        _write(speaker, out / "speakers" / sample.key, pipeline.random_weights)
        results.speakers.append(speaker)
    return results


def _speak(
    pipeline: "SpeechToTalkingFacePipeline", portrait: "np.ndarray", waveform: "np.ndarray", seed: int
) -> "np.ndarray":
    return np.stack(list(pipeline(waveform, portrait, seed=seed)))


def _write(speaker: UnseenSpeaker, folder: Path, random_weights: tuple[str, ...]) -> None:
    """Write `speech.wav`, `portrait.png`, `talking.mp4` and `sheet.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_wav(folder / "speech.wav", speaker.waveform)
    Image.fromarray(speaker.portrait).save(folder / "portrait.png")
    size = speaker.generated.shape[1]
    with VideoWriter(folder / "talking.mp4", (size, size), FPS, speaker.waveform) as video:
        for frame in speaker.generated:
            video.write(frame)
    shown = sheet_indices(min(len(speaker.frames), len(speaker.generated)))
    note = f" (random weights: {', '.join(random_weights)})" if random_weights else ""
    sheet = draw_sheet(
        speaker.frames[0],
        speaker.portrait,
        [speaker.frames[index] for index in shown],
        [speaker.generated[index] for index in shown],
        captions=[f"{index / FPS:.2f} s" for index in shown],
        title=f"{speaker.key}: a face and its speech, from the speech alone{note}",
    )
    sheet.save(folder / "sheet.png")


def measure(plan: DemoPlan, chain: Chain, results: Results, console: "Console") -> "list[Measurement]":
    """The demo's evidence; what a judge must read is measured on synthetic speakers only, whose judges are known."""
    measurements = list(_reconstruction(chain, results))
    if plan.source is not None:
        mouths = _mouths(results, _detected_opening, "mediapipe landmarks")
        if not mouths:
            console.print("mouth opening: not measured, mediapipe finds no face in the generated videos")
        console.print("portraits: not measured, no judge of real faces is at hand")
        return [*measurements, *mouths]
    judges = load_judges(JudgeData(), console)
    portraits = [speaker.portrait for speaker in results.speakers]
    videos = [speaker.frames for speaker in results.speakers]
    protocol = {"speakers": "synthetic, unseen", "seed": plan.seed, "judges": judges.settings}
    faces = np.stack(portraits)
    measurements += retrieval_evidence(judges, faces, videos, protocol)
    genders = gender_evidence(judges, faces, videos, [speaker.gender for speaker in results.speakers], protocol)
    if genders is not None:
        measurements.append(genders)
    measurements += _mouths(results, lambda frames: judges.opening(frames).numpy(), "mouth judge")
    return measurements


def _reconstruction(chain: Chain, results: Results) -> "list[Measurement]":
    """Frames of unseen speakers rebuilt from their first frame and their own motion, against that frame copied."""
    autoencoder = results.pipeline.talking_face.motion_autoencoder
    rebuilt, copied = FrameQuality(), FrameQuality()

    def pictures(frames: "np.ndarray", size: int) -> torch.Tensor:
        stacked = np.stack([resize(frame, size) for frame in frames])
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1

    for speaker in results.speakers:
        chosen = speaker.frames[:: FPS // 5][1:]
        true = pictures(chosen, autoencoder.output_size)
        with torch.no_grad():
            source = autoencoder.encode_source(pictures(speaker.frames[:1], autoencoder.input_size))
            codes = autoencoder.encode_motion(pictures(chosen, autoencoder.input_size))
            image = autoencoder.decode(source, codes).image
        rebuilt.update(torch.from_numpy(to_uint8(image)).permute(0, 3, 1, 2), ((true + 1) * 127.5).round().byte())
        copied.update(pictures(speaker.frames[:1], autoencoder.output_size).expand_as(true), true)
    protocol = {
        "source": "frame 0",
        "frames": "every fifth but the first",
        "size": autoencoder.output_size,
        "mouth": "predicted",
        "fps": FPS,
    }
    return reconstruction_evidence(rebuilt, copied, protocol)


def _mouths(results: Results, read: "Callable[[np.ndarray], np.ndarray]", reader: str) -> "list[Measurement]":
    """How the generated mouths follow the true ones, beside the same faces with another's speech.

    Frames whose mouth cannot be read in all of the four videos are left out and counted; no measurement remains where
    no clip has `LEAST_FRAMES` of them.
    """
    rows, frames, unread = [], 0, 0
    for speaker in results.speakers:
        if speaker.wrong is None:
            continue
        length = min(len(speaker.frames), len(speaker.generated), len(speaker.wrong))
        units = to_picture_units(speaker.landmarks[:length], speaker.frames.shape[1])
        true = mouth_opening(canonical_face(units).lips)
        videos = (speaker.generated, speaker.wrong, speaker.frames)
        generated, wrong, true_read = (np.asarray(read(video[:length])) for video in videos)
        signals = np.stack([generated, wrong, true, true_read])
        known = np.isfinite(signals).all(axis=0)
        frames, unread = frames + length, unread + int((~known).sum())
        if known.sum() >= LEAST_FRAMES:
            rows.append(signals[:, known])
    if not rows:
        return []
    protocol = {"reader": reader, "true": "landmarks of the shards", "frames": frames, "frames left out": unread}
    openings = [list(column) for column in zip(*rows, strict=True)]
    return [mouth_evidence(openings[0], openings[1], openings[2], openings[3], protocol)]


def _detected_opening(frames: "np.ndarray") -> "np.ndarray":
    """The mouth's opening (T,) read by a landmark detector on frames (T, H, W, 3); NaN where it finds no face."""
    return DetectedMotion("mediapipe").read(frames).mouth
