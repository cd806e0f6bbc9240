"""What stands behind the end of a short clip has no effect on loss or prediction."""

import pytest
import torch

from s2tf.diffusion.motion_diffusion import MotionDiffusion
from s2tf.models.audio_to_mesh import AudioToMesh
from s2tf.models.lip_landmarks import LipLandmarks
from s2tf.models.log_mel_features import LogMelFeatures
from s2tf.models.log_mel_transformer import LogMelTransformer
from s2tf.models.motion_statistics import MotionStatistics
from s2tf.models.motion_unet import MotionUNet
from s2tf.stages.lip_landmarks import LipLandmarksStage
from s2tf.stages.motion_diffusion import MotionDiffusionStage
from s2tf.stages.padding import mean_losses, without_padding

FRAMES = 12
LENGTHS = [12, 5, 10, 5]


def batch(padding=0.0, features=False):
    """Rows of different lengths, with values of the padding."""
    torch.manual_seed(0)
    rows = len(LENGTHS)
    parts = {
        "waveform": torch.randn(rows, FRAMES, 640),
        "lips": torch.rand(rows, FRAMES, 20, 3),
        "face": torch.rand(rows, FRAMES, 68, 3),
        "motion": torch.randn(rows, FRAMES, 3),
    }
    if features:
        parts["features"] = torch.randn(rows, FRAMES, 2, 8)
    for row, length in enumerate(LENGTHS):
        for value in parts.values():
            noise = torch.randn(value[row, length:].shape, generator=torch.Generator().manual_seed(row))
            value[row, length:] = padding * noise
    parts["waveform"] = parts["waveform"].flatten(1)
    if features:
        parts["features"] = parts["features"].flatten(1, 2)
    return {
        "key": [str(row) for row in range(rows)],
        "length": torch.tensor(LENGTHS),
        "reference_lips": torch.rand(rows, 20, 3),
        "reference_face": torch.rand(rows, 68, 3),
        "level": torch.tensor([[0.0, 1.0]]).expand(rows, 2),
        **parts,
    }


def plane(rows):
    return {**rows, "lips": rows["lips"][..., :2], "reference_lips": rows["reference_lips"][..., :2]}


def stage(kind):
    torch.manual_seed(1)
    if kind == "mesh":
        made = LipLandmarksStage(None, AudioToMesh(LogMelTransformer(8, 1, 2), 8, 68, True), silence=0.5)
        torch.nn.init.normal_(made.lip_landmarks.to_offsets.weight)
    elif kind == "landmarks":
        made = LipLandmarksStage(LogMelFeatures(8), LipLandmarks(8, 8, 2), silence=0.5)
        torch.nn.init.normal_(made.lip_landmarks.to_offset.weight)
    else:
        unet = MotionUNet(3, 8, [16, 24], 1, [1], 8, 16)
        made = MotionDiffusionStage(
            LogMelFeatures(8), MotionDiffusion(unet, MotionStatistics(3), window=FRAMES, overlap=4)
        )
    return made


def logged(made, rows):
    """Losses of training and validation."""
    values = {}
    made.log_losses = lambda split, losses, size: values.update({f"{split}/{k}": v for k, v in losses.items()})
    torch.manual_seed(2)
    values["step"] = made.training_step(rows, 0)
    made.validation_step(rows, 0)
    return values


@pytest.mark.parametrize("padding", [0.3, 100.0])
@pytest.mark.parametrize("kind", ["mesh", "landmarks", "motion"])
def test_other_padding_gives_the_same_loss(kind, padding):
    made = stage(kind)
    first, other = (batch(value, features=kind == "motion") for value in (0.0, padding))
    if kind == "landmarks":
        first, other = plane(first), plane(other)
    for name, value in logged(made, first).items():
        torch.testing.assert_close(logged(made, other)[name], value, rtol=0, atol=0)


def test_a_padded_row_is_predicted_like_a_clip_of_its_length():
    made = stage("mesh").eval()
    rows = batch(3.0)
    parts = {key: part for part, _ in without_padding(rows) for key in part["key"]}
    alone = {name: value[1:2] for name, value in rows.items()}
    cut = {
        **alone,
        "waveform": alone["waveform"][:, : 5 * 640],
        "lips": alone["lips"][:, :5],
        "face": alone["face"][:, :5],
    }
    predicted = made.predict_lips(parts["1"])[parts["1"]["key"].index("1")]
    torch.testing.assert_close(predicted, made.predict_lips(cut)[0])
    # The padding would have changed it.
    assert not torch.allclose(made.predict_lips(alone)[0, :5], predicted, atol=1e-3)


def test_rows_count_by_their_frames_and_a_batch_without_padding_is_one():
    losses = mean_losses(batch(1.0), lambda part: {"loss": torch.tensor(float(part["lips"].shape[1]))})
    assert losses["loss"].item() == pytest.approx((12 * 12 + 2 * 5 * 5 + 10 * 10) / 32)
    full = {**batch(), "length": torch.tensor([12] * 4)}
    ((part, share),) = without_padding(full)
    assert part is full
    assert share == 1
