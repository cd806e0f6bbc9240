"""The optimizer of the stages: one kernel for all parameters where the precision allows it."""

from types import SimpleNamespace

import pytest
import torch

from s2tf.stages.optimisation import adam


@pytest.mark.parametrize("decoupled", [False, True])
def test_one_kernel_gives_the_steps_of_the_loop(decoupled):
    networks = [torch.nn.Linear(5, 3) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    for network, precision in zip(networks, ("32-true", "bf16-mixed"), strict=True):
        groups = [{"params": [network.weight], "lr": 0.1, "weight_decay": 0.01}, {"params": [network.bias], "lr": 0.2}]
        optimizer = adam(groups, SimpleNamespace(precision=precision), decoupled)
        # Mixed precisions cannot clip the gradients of a fused optimizer.
        assert getattr(optimizer, "_step_supports_amp_scaling", False) == (precision == "32-true")
        assert isinstance(optimizer, torch.optim.AdamW) == decoupled
        for step in range(5):
            inputs = torch.linspace(-1, 1 + step, 10).reshape(2, 5)
            optimizer.zero_grad()
            network(inputs).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(networks[0].weight, networks[1].weight)
    torch.testing.assert_close(networks[0].bias, networks[1].bias)
