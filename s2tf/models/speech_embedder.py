"""The interface of every speech encoder E_s: speech in some form to an embedding."""

from typing import ClassVar, Literal

from s2tf.nn.network import Network


class SpeechEmbedder(Network):
    """Maps a batch of speech to z_s, shape (B, d).

    Attributes:
        reads: the form of speech in a batch that it reads: the spectrogram (B, 2, T, F) or the waveform (B, S).
    """

    reads: ClassVar[Literal["spectrogram", "waveform"]]
