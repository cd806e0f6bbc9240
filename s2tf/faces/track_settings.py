"""Settings of face tracks and crops for SyncNet."""

from dataclasses import asdict, dataclass
from typing import Any

SIZE = 224
"""Side of SyncNet's pictures in pixels."""


@dataclass(frozen=True)
class TrackSettings:
    """Settings of tracks and crops: those of `syncnet_python` unless a reason is given.

    Args:
        detector: `dlib` or `mediapipe`; the original's is S3FD, whose boxes reach higher up the forehead.
        every: Step between the frames in which faces are detected; the last frame is one of them, and the boxes between
            are interpolated. The original detects faces in every frame. Dlib's boxes move in steps of about 6 % of a
            crop: detected in every frame, crops of 224 pixels jumped by up to 18 pixels between frames; in every fifth
            frame, by less than 4, in a fifth of the time.
        overlap: Intersection over union that a box must exceed with the last one of its track.
        max_gap: Largest step, in frames, from one box of a track to its next.
        min_track: Fewest frames of a track. The original's 100 refuses clips under 4 s; 50 is LatentSync's.
        min_face: Least side of a face in pixels: the larger side of its mean box over the first `min_track` frames.
            The original's 100 is meant for S3FD's larger boxes and for broadcasts; 64 admits a face in a picture of
            128 pixels.
        smoothing: Odd number of frames of the median over the box's centre and size; zeros beyond the track's ends.
        crop_scale: Reach c of a crop beyond the box of half-size s: s (1 + c) to the left and right of the centre,
            s (1 + 2 c) below it, and s above it.
        padding: Grey level beyond the picture's border.
        size: Side of the crops in pixels.
        cut: Least mean difference of hue, saturation and value from frame to frame, in levels, that counts as a cut and
            ends all tracks; PySceneDetect's default, as in the original.
    """

    detector: str = "dlib"
    every: int = 5
    overlap: float = 0.5
    max_gap: int = 25
    min_track: int = 50
    min_face: float = 64
    smoothing: int = 13
    crop_scale: float = 0.4
    padding: int = 110
    size: int = SIZE
    cut: float = 27

    def __post_init__(self) -> None:
        if not 1 <= self.every <= self.max_gap:
            raise ValueError(f"face tracks: every is {self.every}, expected 1 to max_gap = {self.max_gap}")
        if self.smoothing < 1 or self.smoothing % 2 == 0:
            raise ValueError(f"face tracks: smoothing is {self.smoothing}, expected an odd number of frames")
        if self.min_track < self.smoothing:
            raise ValueError(
                f"face tracks: min_track is {self.min_track}, expected at least smoothing = {self.smoothing}"
            )

    def to_json(self) -> dict[str, Any]:
        """The settings as a JSON object."""
        return asdict(self)
