import pytest
import torch

from s2tf.nn.network import Network
from s2tf.stages.base import Stage


class Part(Network):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)
        self.norm = torch.nn.BatchNorm1d(2)


class TwoParts(Stage):
    frozen = ("given",)

    def __init__(self) -> None:
        super().__init__()
        self.trained, self.given = Part(), Part()
        self.freeze_parts()

    def networks(self):
        return {"trained": self.trained}


def test_frozen_parts_stay_out_of_the_state_and_in_evaluation_mode():
    stage = TwoParts().train()
    assert not any(key.startswith("given.") for key in stage.state_dict())
    assert stage.trained.training
    assert not stage.given.training
    assert not any(parameter.requires_grad for parameter in stage.given.parameters())


def test_a_state_that_does_not_fit_is_refused_and_frozen_parts_keep_their_weights():
    stage, other = TwoParts(), TwoParts()
    before = stage.given.linear.weight.clone()
    stage.load_state_dict(other.state_dict())
    assert torch.equal(stage.trained.linear.weight, other.trained.linear.weight)
    assert torch.equal(stage.given.linear.weight, before)
    state = other.state_dict()
    del state["trained.linear.weight"]
    with pytest.raises(RuntimeError, match="trained.linear.weight"):
        stage.load_state_dict(state)
    with pytest.raises(RuntimeError, match="stranger"):
        stage.load_state_dict({**other.state_dict(), "stranger": torch.zeros(1)})


def test_export_writes_what_is_handed_on(tmp_path):
    folder = TwoParts().export(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["trained"]
