"""Speech and portrait files in, video files out."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from s2tf.errors import UserError
from s2tf.faces.backends import open_detector, open_landmarks
from s2tf.faces.crop import CropRule, choose_face, crop, square_box
from s2tf.media.audio import FPS, read_audio
from s2tf.media.video_writer import VideoWriter
from s2tf.pipelines.talking_face import TalkingFacePipeline


def crop_face(path: Path, picture: "np.ndarray", pipeline: "TalkingFacePipeline") -> "np.ndarray":
    """The largest face of a picture, cropped by the rule that the pipeline was trained with.

    Raises:
        UserError: no face is found, or the pipeline has no rule.
    """
    if pipeline.talking_settings.crop is None:
        raise UserError(f"{path}: the pipeline stores no crop rule: give a picture that is cropped already")
    rule = CropRule.from_json(pipeline.talking_settings.crop)
    faces = open_detector("dlib").detect(picture) or open_detector("mediapipe").detect(picture)
    if not faces:
        raise UserError(f"{path}: no face found in it")
    landmarks = open_landmarks("mediapipe").landmarks(picture[None], choose_face(faces)).points
    if not np.isfinite(landmarks).all():
        raise UserError(f"{path}: a face was found, but not its landmarks")
    return crop(picture[None], square_box(landmarks, rule), rule.size)[0]


def speak(
    pipeline: "TalkingFacePipeline", picture: "np.ndarray", waveform: "np.ndarray", args: argparse.Namespace
) -> dict[str, object]:
    """Write the video of a portrait that speaks, frame by frame; returns what was made.

    Raises:
        UserError: the picture is not square.
    """
    given = {name: value for name in ("blink", "head", "lips") if (value := getattr(args, name)) is not None}
    try:
        gains = replace(pipeline.talking_settings.gains(), **given)
    except ValueError as error:
        raise UserError(f"--{error}") from error
    try:
        frames = pipeline(picture, waveform, steps=args.steps, sampler=args.sampler, seed=args.seed, gains=gains)
    except ValueError as error:
        raise UserError(f"{error}; `--crop` finds the face in a larger picture") from error
    args.out.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with VideoWriter(args.out, (pipeline.output_size,) * 2, FPS, waveform) as video:
        for frame in frames:
            video.write(frame)
            count += 1
    return {"out": str(args.out), "frames": count, "seconds": count / FPS, "size": pipeline.output_size}


def read_speech(path: Path) -> "np.ndarray":
    """The sound of a file at 16 kHz.

    Raises:
        UserError: there is no such file, or no sound in it.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file, expected a sound file")
    try:
        return read_audio(path)
    except ValueError as error:
        raise UserError(str(error)) from error


def open_pipeline(kind: Any, args: argparse.Namespace) -> Any:
    """The pipeline of `args.pipeline` on `args.device`.

    Raises:
        UserError: the folder is no pipeline of that kind.
    """
    try:
        return kind.from_pretrained(args.pipeline).to(args.device)
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from error
