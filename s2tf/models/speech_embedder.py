"""What every speech encoder E_s is: speech in some form to one embedding."""

from typing import ClassVar, Literal

from s2tf.nn.network import Network


class SpeechEmbedder(Network):
    """Maps a batch of speech to z_s, shape (B, d).

    Attributes:
        reads: which of a batch's forms of the speech it takes: the spectrogram (B, 2, T, F) or the waveform (B, S).
    """

    reads: ClassVar[Literal["spectrogram", "waveform"]]
