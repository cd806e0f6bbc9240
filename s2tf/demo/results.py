"""Generates the results of the demo: portraits and videos of unseen speakers, and their numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console

from datamodules.shards.writing import read_split
from s2tf.demo.picture_targets import detection_target, picture_targets, true_faces, video_target
from s2tf.demo.targets import gender_targets, mouth_target, reconstruction_targets, retrieval_targets
from s2tf.demo.train import Chain, DemoSettings
from s2tf.evaluation.judge_training import JudgeData, load_judges
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.stages.codebook_control import CodebookScores, control_pictures, spread
from s2tf.faces.crop import resize
from s2tf.faces.dlib_networks import DlibFeatures, has_dlib_networks
from s2tf.faces.judges import Judges
from s2tf.faces.motion import DetectedMotion, FaceMotion
from s2tf.figures.sheet import draw_grid, draw_sheet, sheet_indices
from s2tf.media.audio import FPS, write_wav
from s2tf.media.pictures import to_tensor, to_uint8
from s2tf.media.video_writer import VideoWriter
from s2tf.metrics.face_statistics import LEAST_FRAMES
from s2tf.metrics.image import FrameQuality
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

GENDERS = {"female": 0, "male": 1}
COLUMNS = 8
"""Speakers in a row of the sheet of portraits."""


@dataclass(frozen=True)
class UnseenSpeaker:
    """A test clip with the portrait and the videos generated from its speech."""

    key: str
    gender: int
    """0 female, 1 male, -1 unknown."""
    waveform: np.ndarray
    frames: np.ndarray
    """(T, H, W, 3) uint8, the reference video."""
    landmarks: np.ndarray
    """(T, 68, 2) in pixels of the reference frames."""
    portrait: np.ndarray
    """(H', W', 3) uint8, generated from the speech."""
    generated: np.ndarray
    """(T', R, R, 3) uint8, the video of the portrait."""
    wrong: np.ndarray | None = None
    """The same portrait with the next speaker's speech; None after the first `settings.compared` speakers, and for the
    only speaker."""


@dataclass
class Results:
    """All unseen speakers, and the pipeline that generated their faces."""

    pipeline: SpeechToTalkingFacePipeline
    speakers: list[UnseenSpeaker] = field(default_factory=list)


def write_speakers(settings: DemoSettings, chain: Chain, out: Path, console: Console) -> Results:
    """Generates a portrait and a video from the speech of every unseen speaker, and writes them to `out`/speakers.

    All portraits together are `out`/portraits.png.
    """
    pipeline = SpeechToTalkingFacePipeline.from_pretrained(chain.pipeline)
    results = Results(pipeline)
    samples = list({sample.record.identity: sample for sample in read_split(chain.shards, "test")}.values())
    waveforms = [sample.waveform() for sample in samples]
    for index, sample in enumerate(samples):
        # A noise of their own for each: with one noise all would share what the speech does not tell.
        portrait = pipeline.portrait(waveforms[index], seed=settings.seed + index).image
        console.print(f"speaking: {sample.key} ({index + 1} of {len(samples)})", highlight=False)
        # The video of the own speech, and for some also of another one.
        generated = _speak(pipeline, portrait, waveforms[index], settings.seed)
        wrong = None
        if index < settings.compared and len(samples) > 1:
            wrong = _speak(pipeline, portrait, waveforms[(index + 1) % len(samples)], settings.seed)
        # Everything is written at once, so that a stopped demo has shown what it had.
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
    if results.speakers:
        draw_portraits(results.speakers, pipeline.random_weights).save(out / "portraits.png")
    return results


def draw_portraits(speakers: Sequence[UnseenSpeaker], random_weights: Sequence[str] = ()) -> Image.Image:
    """Draw the portrait of every speaker below the speaker's most frontal frame, aligned alike."""
    portraits = [speaker.portrait for speaker in speakers]
    true = true_faces(
        [speaker.frames for speaker in speakers], [speaker.landmarks for speaker in speakers], portraits[0].shape[0]
    )
    # The last row is filled up with white.
    columns = min(COLUMNS, len(speakers))
    white = [np.full_like(portraits[0], 255)] * (-len(speakers) % columns)
    rows = []
    for start in range(0, len(speakers), columns):
        for name, pictures in (("speaker", [*true, *white]), ("from speech", [*portraits, *white])):
            rows.append((name, pictures[start : start + columns]))
    note = f" (random weights: {', '.join(random_weights)})" if random_weights else ""
    return draw_grid(rows, title=f"unseen speakers, and the portraits generated from their speech alone{note}")


def _speak(pipeline: SpeechToTalkingFacePipeline, portrait: np.ndarray, waveform: np.ndarray, seed: int) -> np.ndarray:
    return np.stack(list(pipeline(waveform, portrait, seed=seed)))


def _write(speaker: UnseenSpeaker, folder: Path, random_weights: tuple[str, ...]) -> None:
    """Writes `speech.wav`, `portrait.png`, `talking.mp4` and `sheet.png`."""
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


def measure(settings: DemoSettings, results: Results, console: Console) -> list[Measurement]:
    """The demo's numbers; the judges read synthetic speakers only, and dlib's face network reads real ones."""
    measurements = _reconstruction(results)
    if settings.source is not None:
        mouths = _mouths(results, _detected_opening, "mediapipe landmarks", settings.compared)
        if not mouths:
            console.print("mouth opening: not measured, mediapipe finds no face in the generated videos")
        portraits = _retrieved_by_dlib(settings, results, console)
        console.print("targets: none, they are those of synthetic speakers")
        # A minute of real recordings is not asked for what hundreds of synthetic speakers reach.
        return [replace(one, target=None, target_rule="") for one in (*measurements, *portraits, *mouths)]
    judges = load_judges(JudgeData(), console)
    portraits = np.stack([speaker.portrait for speaker in results.speakers])
    videos = [speaker.frames for speaker in results.speakers]
    genders = [speaker.gender for speaker in results.speakers]
    noise = "seed + number of the speaker"
    protocol = {"speakers": "synthetic, unseen", "seed": settings.seed, "noise": noise, "judges": judges.settings}
    measurements += retrieval_targets(judges, portraits, videos, protocol)
    measurements += gender_targets(judges, portraits, videos, genders, protocol)
    measurements += _pictures(results, judges, protocol, console)
    measurements += _mouths(results, lambda frames: judges.opening(frames).numpy(), "mouth judge", settings.compared)
    return measurements


def _pictures(results: Results, judges: Judges, protocol: dict[str, Any], console: Console) -> list[Measurement]:
    """The look of portraits and videos beside that of the speakers."""
    speakers = results.speakers
    portraits = np.stack([speaker.portrait for speaker in speakers])
    videos = [speaker.frames for speaker in speakers]
    true = true_faces(videos, [speaker.landmarks for speaker in speakers], portraits.shape[1])
    measurements = picture_targets(judges.embed, portraits, true, protocol)
    measurements.append(video_target(videos, [speaker.generated for speaker in speakers], protocol))
    try:
        detector = DetectedMotion("mediapipe")
    except ImportError as error:
        console.print(f"portraits found by a face detector: not measured: {error}", markup=False)
        return measurements
    return [*measurements, detection_target(detector.landmarks, portraits, true, {**protocol, **detector.protocol})]


def _retrieved_by_dlib(settings: DemoSettings, results: Results, console: Console) -> list[Measurement]:
    """Retrieval of real speakers by the features of dlib's face network, where its files are installed."""
    if not has_dlib_networks():
        console.print(
            'portraits: not measured, there is no judge of real faces: pip install "s2tf[dlib]"', markup=False
        )
        return []
    if len(results.speakers) < 2:
        console.print("portraits: not measured, only one person is left for test")
        return []
    faces = DlibFeatures()
    portraits = np.stack([speaker.portrait for speaker in results.speakers])
    videos = [speaker.frames for speaker in results.speakers]
    protocol = {"speakers": "real, unseen", "seed": settings.seed, "faces": faces.protocol}
    ranks = tuple(rank for rank in (1, 5) if rank < len(videos))
    return retrieval_targets(faces, portraits, videos, {**protocol, "embedding": faces.protocol["network"]}, ranks)


def _reconstruction(results: Results) -> list[Measurement]:
    """Frames reconstructed from the first frame and their own motion, against copies of the first frame."""
    autoencoder = results.pipeline.talking_face.motion_autoencoder
    reconstructed, copied = FrameQuality(), FrameQuality()
    codebook = CodebookScores.of(autoencoder)
    for speaker in results.speakers:
        # Frames reconstructed from the first one and their own motion.
        chosen, first = speaker.frames[:: FPS // 5][1:], speaker.frames[:1]
        with torch.no_grad():
            source = autoencoder.encode_source(to_tensor(_resized(first, autoencoder.input_size)))
            codes = autoencoder.encode_motion(to_tensor(_resized(chosen, autoencoder.input_size)))
            image = to_uint8(autoencoder.decode(source, codes).image)
        pictures = (image, *(_resized(frames, autoencoder.output_size) for frames in (chosen, first)))
        generated, reference, copy = (torch.from_numpy(frames).permute(0, 3, 1, 2) for frames in pictures)
        reconstructed.update(generated, reference)
        copied.update(copy.expand_as(reference), reference)
        # The same pictures with other codes.
        if codebook is not None:
            some = spread(len(codes))
            codebook.update(
                control_pictures(autoencoder, source, codes[some], autoencoder.output_size), reference[some], copy
            )
    # The conditions of all these numbers.
    protocol = {
        "source": "frame 0",
        "frames": "every fifth but the first",
        "size": autoencoder.output_size,
        "mouth": "predicted",
        "fps": FPS,
    }
    controls = [] if codebook is None else codebook.measurements(protocol)
    return reconstruction_targets(reconstructed, copied, protocol) + controls


def _resized(frames: np.ndarray, size: int) -> np.ndarray:
    return np.stack([resize(frame, size) for frame in frames])


def _mouths(
    results: Results, read: Callable[[np.ndarray], np.ndarray], reader: str, compared: int
) -> list[Measurement]:
    """Correlation of generated and reference mouths, beside that of the same faces with another person's speech.

    Frames whose mouth cannot be read in one of the videos are left out and counted; there is no measurement if no clip
    has `LEAST_FRAMES` of them. A single speaker has nobody's speech beside their own, and so no baseline.
    """
    rows, frames, unread = [], 0, 0
    alone = len(results.speakers) == 1
    for speaker in results.speakers[:compared]:
        # The own speech stands in the place of the other one, which is not reported then.
        other = speaker.generated if speaker.wrong is None else speaker.wrong
        length = min(len(speaker.frames), len(speaker.generated), len(other))
        reference = FaceMotion.of_landmarks(speaker.landmarks[:length], speaker.frames.shape[1]).mouth
        videos = (speaker.generated, other, speaker.frames)
        generated, wrong, reference_read = (np.asarray(read(video[:length])) for video in videos)
        signals = np.stack([generated, wrong, reference, reference_read])
        known = np.isfinite(signals).all(axis=0)
        frames, unread = frames + length, unread + int((~known).sum())
        if known.sum() >= LEAST_FRAMES:
            rows.append(signals[:, known])
    if not rows:
        return []
    protocol = {"reader": reader, "true": "landmarks of the shards", "frames": frames, "frames left out": unread}
    openings = [list(column) for column in zip(*rows, strict=True)]
    return [mouth_target(openings[0], None if alone else openings[1], openings[2], openings[3], protocol)]


def _detected_opening(frames: np.ndarray) -> np.ndarray:
    """The opening (T,) of the mouth by a landmark detector in frames (T, H, W, 3); NaN where it finds no face."""
    return DetectedMotion("mediapipe").read(frames).mouth
