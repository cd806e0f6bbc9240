"""Networks to save and load; in a module of their own, since they are loaded by its name."""

import torch

from s2tf.nn.network import Network

TINY_TRANSFORMER = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
"""HuBERT or wav2vec 2.0, as small as they can be."""


class Inner(Network):
    def __init__(self, width: int, scale: float = 0.5):
        super().__init__()
        self.linear = torch.nn.Linear(width, width)
        self.scale = scale


class Outer(Network):
    def __init__(self, inner: Inner, channels: tuple[int, ...] = (1, 2), option: Inner | None = None):
        super().__init__()
        self.inner = inner
        self.option = option


class Derived(Inner):
    def __init__(self, depth: int):
        super().__init__(width=depth * 2)


class Plain(Network):
    """A network without a constructor of its own."""
