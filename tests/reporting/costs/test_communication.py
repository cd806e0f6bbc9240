"""`s2tf report cost communication`: computed traffic against the bytes that are sent."""

import json

import pytest
import torch
import torch.distributed as dist

from s2tf.cli import main
from s2tf.losses.contrastive import ContrastiveLoss
from s2tf.models.syncnet import SyncNet
from s2tf.nn.quantiser import VectorQuantiser
from s2tf.reporting.costs.communication import Traffic, traffic

RANKS = 4


@pytest.fixture
def collectives(monkeypatch):
    """Bytes that this process gives to each kind of collective, as one of four that all do the same."""
    given = {"reduced": 0, "gathered": 0}

    def all_gather(parts, own):
        given["gathered"] += own.nbytes
        for part in parts:
            part.copy_(own)

    def all_reduce(value):
        given["reduced"] += value.nbytes
        value *= RANKS

    for name in ("is_initialized", "get_world_size", "get_rank"):
        answer = {"is_initialized": True, "get_world_size": RANKS, "get_rank": 1}[name]
        monkeypatch.setattr(dist, name, lambda answer=answer: answer)
    monkeypatch.setattr(dist, "all_gather", all_gather)
    monkeypatch.setattr(dist, "all_reduce", all_reduce)
    return given


def test_embeddings_are_sent_as_reckoned(collectives):
    z_s, z_f = (torch.randn(6, 5, requires_grad=True) for _ in range(2))
    ContrastiveLoss()(z_s, z_f, torch.arange(6)).backward()
    model = Traffic(gradients=0, buffers=0, embeddings=2 * 6 * 5 * 4, identities=6 * 8)
    assert collectives["gathered"] == model.embeddings + model.identities
    assert collectives["reduced"] == RANKS * model.embeddings
    sent = (RANKS - 1) * collectives["gathered"] + 2 * (RANKS - 1) / RANKS * collectives["reduced"]
    assert model.sent(RANKS)["embeddings"] == pytest.approx(sent)


def test_use_of_the_codes_is_sent_as_reckoned(collectives):
    quantiser = VectorQuantiser(16, 4)
    quantiser(torch.randn(2, 4, 3, 3))
    assert collectives["reduced"] == traffic([quantiser]).reduced_statistics


def test_gradients_buffers_and_statistics_are_those_of_the_networks():
    network, frozen = SyncNet(72, 0.1, 8), torch.nn.BatchNorm1d(3)
    network.lip_head.requires_grad_(False)
    one = traffic([network], [frozen])
    trained = sum(value.numel() for value in network.parameters() if value.requires_grad)
    channels = [module.num_features for module in network.modules() if hasattr(module, "running_mean")]
    assert one.gradients == 4 * trained
    # Mean, variance, and an int64 count of batches.
    assert one.buffers == sum(8 * count + 8 for count in [*channels, 3])
    assert one.gathered_statistics == sum(8 * count + 4 for count in channels)
    assert one.sent(1) == dict.fromkeys(one.sent(1), 0)
    assert one.sent(8)["gradients"] == pytest.approx(1.75 * one.gradients)
    # A link half as fast takes twice as long.
    assert one.seconds(8)["100 GbE"] == pytest.approx(2 * one.seconds(8)["HDR InfiniBand"])


@pytest.mark.slow
def test_stages_of_the_papers_size_are_shown(tmp_path, capsys):
    assert main(["report", "cost", "communication", "--nodes", "2", "--json", str(tmp_path / "sent.json")]) == 0
    shown = capsys.readouterr().out
    assert "each of 16 GPUs" in shown
    assert "not measured" in shown
    stages = json.loads((tmp_path / "sent.json").read_text())
    # The paper's first stage has 640 M parameters, of which ConRe's encoders and decoder are trained apart.
    assert stages["scfp"]["payload"]["gradients"] == pytest.approx(4 * 350e6, rel=0.05)
    assert stages["conre"]["payload"]["embeddings"] == 2 * 32 * 4096 * 4
    assert stages["codebook"]["payload"]["reduced_statistics"] == 4 * 1024
    with pytest.raises(SystemExit, match="2"):
        main(["report", "cost", "communication", "--nodes", "0"])
    assert "--nodes: '0', expected a whole number of at least 1" in capsys.readouterr().err
