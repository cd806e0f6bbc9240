import lightning as L
import torch
from torch.utils.data import DataLoader

from s2tf.models.syncnet import SyncNet
from s2tf.stages.syncnet import SyncNetStage

WINDOWS, SIZE = 4, 72


def make_rows(rows, seed=0):
    """A mouth as bright as the speech is loud, which differs between a clip's windows, on a face of the clip's own."""
    generator = torch.Generator().manual_seed(seed)
    loudness = torch.stack([torch.randperm(WINDOWS, generator=generator) / WINDOWS for _ in range(rows)])
    face = 100 * torch.rand(rows, 1, 3, 1, 1, 1, generator=generator)
    lips = face.expand(rows, WINDOWS, 3, 5, SIZE, SIZE).clone()
    lips[..., 40:60, 20:50] += 150 * loudness[:, :, None, None, None, None]
    voice = torch.randn(rows, 1, 1, 13, 1, generator=generator)
    mfcc = (voice + 5 * loudness[:, :, None, None, None]).expand(rows, WINDOWS, 1, 13, 20).clone()
    return [{"key": str(row), "lips": lips[row], "mfcc": mfcc[row]} for row in range(rows)]


def loader(rows):
    return DataLoader(rows, batch_size=4)


def stage():
    return SyncNetStage(SyncNet(SIZE, width=0.0625, embedding=16), learning_rate=5e-3)


def trainer(tmp_path, steps):
    return L.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, num_sanity_val_steps=0, default_root_dir=tmp_path,
    )  # fmt: skip


def test_unseen_windows_find_their_speech_after_training(tmp_path):
    trained, run = stage(), trainer(tmp_path, 30)
    unseen = loader(make_rows(4, seed=1))
    run.fit(trained, loader(make_rows(16)), unseen)
    metrics = run.validate(trained, unseen, verbose=False)[0]
    assert metrics["val/accuracy"] > 0.8
    assert metrics["val/loss"] < 0.6
    assert trained.best == ("val/accuracy", "max")


def test_wrong_answers_are_other_times_of_the_same_clip():
    trained = stage().eval()
    batch = next(iter(loader(make_rows(3))))
    distances = trained.distances(batch)
    assert distances.shape == (3, WINDOWS, WINDOWS)
    lips, audio = trained.syncnet(batch["lips"][1], batch["mfcc"][1])
    by_hand = torch.stack([(lips[i] - audio).norm(dim=1) for i in range(WINDOWS)])
    torch.testing.assert_close(distances[1], by_hand, rtol=1e-4, atol=1e-5)


def test_a_finished_network_that_is_fitted_again_is_still_a_trained_one(tmp_path):
    """Of a training that was killed while it exported, the next start does nothing else."""
    first, before = stage(), trainer(tmp_path, 1)
    before.fit(first, loader(make_rows(8)), loader(make_rows(2)))
    before.save_checkpoint(tmp_path / "last.ckpt")
    again = stage()
    trainer(tmp_path, 1).fit(again, loader(make_rows(8)), loader(make_rows(2)), ckpt_path=tmp_path / "last.ckpt")
    assert not SyncNet.from_pretrained(again.export(tmp_path / "run") / "syncnet").is_random


def test_the_network_is_handed_on(tmp_path):
    trained = stage()
    trainer(tmp_path, 1).fit(trained, loader(make_rows(8)), loader(make_rows(2)))
    again = SyncNet.from_pretrained(trained.export(tmp_path / "run") / "syncnet")
    assert not again.is_random
    rows = make_rows(1)[0]
    torch.testing.assert_close(
        tuple(trained.eval().syncnet(rows["lips"], rows["mfcc"])), tuple(again(rows["lips"], rows["mfcc"]))
    )
