import numpy as np
import torch

from s2tf.nn.cbam import CBAM


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _reference(cbam, x):
    """CBAM in NumPy, by loops over places."""
    channel, spatial = cbam
    first, _, second = channel.perceptron
    weights = [p.detach().double().numpy() for p in (first.weight, first.bias, second.weight, second.bias)]

    def perceptron(v):
        return np.maximum(v @ weights[0].T + weights[1], 0) @ weights[2].T + weights[3]

    gate = _sigmoid(perceptron(x.mean((2, 3))) + perceptron(x.max((2, 3))))
    x = x * gate[:, :, None, None]
    summary = np.pad(np.stack([x.max(1), x.mean(1)], 1), ((0, 0), (0, 0), (3, 3), (3, 3)))
    kernel = spatial.convolution.weight.detach().double().numpy()[0]
    height, width = x.shape[2:]
    logits = np.array(
        [
            [[(summary[b, :, i : i + 7, j : j + 7] * kernel).sum() for j in range(width)] for i in range(height)]
            for b in range(len(x))
        ]
    )
    norm = spatial.norm
    logits = (logits - norm.running_mean.item()) / np.sqrt(norm.running_var.item() + norm.eps)
    logits = logits * norm.weight.item() + norm.bias.item()
    return x * _sigmoid(logits)[:, None]


def test_gates_are_those_of_a_numpy_computation():
    cbam = CBAM(32).double().eval()
    cbam[1].norm.running_mean.fill_(0.3)
    cbam[1].norm.running_var.fill_(2.0)
    x = torch.randn(2, 32, 5, 9, dtype=torch.float64)
    np.testing.assert_allclose(cbam(x).detach().numpy(), _reference(cbam, x.numpy()), rtol=1e-10)


def test_hidden_width_is_a_sixteenth_of_the_channels():
    assert CBAM(512)[0].perceptron[0].out_features == 32
