"""Make a portrait speak (second stage)."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands import portrait

if TYPE_CHECKING:
    import numpy as np

    from s2tf.pipelines.talking_face import TalkingFacePipeline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("portrait", type=Path, help="a square picture of a face, framed as the pipeline's crops")
    portrait.add_speech_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the video to write, such as talking.mp4")
    add_gains(parser)
    parser.add_argument("--crop", action="store_true", help="find the face and crop it by the pipeline's own rule")


def add_gains(parser: argparse.ArgumentParser) -> None:
    """Declare the gains of the motion."""
    gains = parser.add_argument_group("gains: 0 none of it, 1 as the speech has it, 2 twice as much")
    gains.add_argument("--blink", type=float, help="blinks (as stored in the pipeline)")
    gains.add_argument("--head", type=float, help="the head's motion (as stored in the pipeline)")
    gains.add_argument("--lips", type=float, help="the lips' motion (as stored in the pipeline)")


def run(args: argparse.Namespace) -> int:
    """Generate the video."""
    from s2tf.pipelines.talking_face import TalkingFacePipeline

    waveform = portrait.read_speech(args.speech)
    pipeline = portrait.open_pipeline(TalkingFacePipeline, args)
    picture = read_picture(args.portrait)
    if args.crop:
        picture = crop_face(args.portrait, picture, pipeline)
    made = speak(pipeline, picture, waveform, args)
    portrait.report(args, pipeline.random_weights, made)
    return 0


def read_picture(path: Path) -> "np.ndarray":
    """A picture file as (H, W, 3) uint8 RGB.

    Raises:
        UserError: there is no such file, or it is no picture, or a damaged one.
        OSError: The disk fails.
    """
    import numpy as np
    from PIL import Image

    from s2tf.errors import UserError

    if not path.is_file():
        raise UserError(f"{path}: no such file, expected a picture")
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # What the system says has a number; what Pillow says of a damaged picture has none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{path}: not a picture that can be read: {error}") from error


def crop_face(path: Path, picture: "np.ndarray", pipeline: "TalkingFacePipeline") -> "np.ndarray":
    """The largest face of a picture, cropped by the rule that the pipeline was trained with.

    Raises:
        UserError: no face is found, or the pipeline has no rule.
    """
    import numpy as np

    from s2tf.errors import UserError
    from s2tf.media.face_backends import open_detector, open_landmarks
    from s2tf.media.faces import CropRule, choose_face, crop, square_box

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
    from s2tf.errors import UserError
    from s2tf.media.audio import FPS
    from s2tf.media.video import VideoWriter

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
