"""Codes that CodeFormer's predictor finds most likely, as the choice of a pipeline in place of the nearest ones.

Eq. 18 takes the code nearest to the latent of each place. CodeFormer, in its own stages II and III, lets a transformer
choose all codes of a picture together, from the same latents.

Frames depend on how many are decoded at once, in their last bits and with either choice: the flow generator's first
linear layer sums in another order (1e-5 of 4.5), and no later layer adds to it. At the paper's width with random
weights, in fp32 on one thread, 3 frames at once and 1 + 2 differ by 5e-5 where the picture reaches 6.4, a step of 255
at most, with equal codes. A predictor that hesitates between two codes may choose the other.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from s2tf.models.codeformer import CodeFormer, CodePredictor, CodeSizes, most_likely
from s2tf.models.hd_decoder import ChangeCodes, CodebookDecoder
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.nn.network import Network
from s2tf.nn.quantiser import Quantised, VectorQuantiser


def predicted_codes(predictor: CodePredictor, codebook: CodebookDecoder) -> ChangeCodes:
    """The choice of codes by a predictor, for `CodebookDecoder.forward`."""

    def choose(code: Quantised) -> Tensor:
        return most_likely(predictor(code.z), codebook.quantiser, code.z)

    return choose


def check_code_predictor(predictor: CodePredictor, codebook: CodebookDecoder | None) -> None:
    """Check that a predictor has the sizes of the codebook.

    Raises:
        ValueError: It has other sizes, or there is no codebook.
    """
    if codebook is None:
        raise ValueError("a code predictor needs a codebook, but the motion autoencoder has none")
    codes, code_dim = codebook.quantiser.embedding.weight.shape
    wanted = CodeSizes(codes, code_dim, codebook.latent_side**2)
    if predictor.sizes != wanted:
        raise ValueError(f"the code predictor is for {predictor.sizes}, but the codebook has {wanted}")


def read_code_predictor(folder: Path, components: Mapping[str, Network]) -> tuple[CodePredictor, str]:
    """Read the predictor for a pipeline, from the folder of CodeFormer or of the predictor alone.

    Args:
        folder: Folder of the network.
        components: The pipeline's other networks.

    Returns:
        The predictor, and a line on the codes that it knows.

    Raises:
        FileNotFoundError: The folder holds no network; the message names the missing file.
        ValueError: It is another network, or does not fit the codebook; the message names the folder.
    """
    network = Network.from_pretrained(folder)
    predictor = network.predictor if isinstance(network, CodeFormer) else network
    if not isinstance(predictor, CodePredictor):
        raise ValueError(f"{folder} holds a {type(network).__name__}, expected a CodeFormer or a CodePredictor")
    autoencoder = components["motion_autoencoder"]
    assert isinstance(autoencoder, MotionAutoencoder)
    codebook = autoencoder.codebook
    try:
        check_code_predictor(predictor, codebook)
    except ValueError as error:
        raise ValueError(f"{folder} does not fit: {error}") from error
    assert codebook is not None
    if not isinstance(network, CodeFormer):
        return predictor, "codes are predicted"
    kept, codes = kept_codes(network.quantiser, codebook.quantiser), predictor.sizes.codes
    return predictor, f"codes are predicted; {kept} of {codes} codes are nearest to CodeFormer's own of the same number"


@torch.no_grad()
def kept_codes(known: VectorQuantiser, trained: VectorQuantiser) -> int:
    """Count the codes of `known` whose nearest code in `trained` has the same number.

    A predictor names codes by their numbers: those that training moved elsewhere mean something else to it.
    """
    nearest = trained.nearest(known.embedding.weight)
    return int((nearest == torch.arange(len(nearest), device=nearest.device)).sum())
