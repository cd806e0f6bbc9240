"""Generate a video for a sound file, by the packaged pipeline or one of your own.

python examples/pipeline_to_video.py talking.mp4
python examples/pipeline_to_video.py talking.mp4 --speech speech.wav --pipeline demo/pipeline
"""

import argparse
from pathlib import Path

import s2tf
from s2tf.pipelines.files import read_speech, write_video


def main() -> None:
    """Generate a portrait and its video from speech alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, help="video to write")
    parser.add_argument("--speech", type=Path, help="sound file (default: the packaged sample)")
    parser.add_argument(
        "--pipeline", type=Path, help="folder of `s2tf demo` or `s2tf assemble` (default: the packaged)"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    pipeline = s2tf.load_pipeline(args.pipeline)
    speech = read_speech(args.speech or s2tf.sample_speech())
    # The portrait is generated first; frames are rendered while they are written, so that a long video fits in memory.
    talking = pipeline(speech, seed=args.seed, gains={"head": 0.5})
    video = write_video(talking, speech, args.video)
    print(f"{video.path}: {video.frames} frames of {video.size} px, portrait {talking.portrait.shape}")


if __name__ == "__main__":
    main()
