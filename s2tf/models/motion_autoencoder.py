"""Motion autoencoder (Section III-B.1, Eq. 11-13 and 18): a source picture, a motion code and lips to a frame."""

from dataclasses import dataclass

from torch import Tensor

from s2tf.models.flow_generator import FlowGenerator
from s2tf.models.hd_decoder import ChangeCodes, CodebookDecoder, RGBDecoder
from s2tf.models.image_encoder import ImageEncoder
from s2tf.models.lip_refiner import LipRefiner
from s2tf.models.motion_encoder import IdentityEncoder, MotionEncoder
from s2tf.models.motion_reader import FaceState, MotionReader
from s2tf.nn.export import register_for_export
from s2tf.nn.lips import place_lips
from s2tf.nn.network import Network
from s2tf.nn.quantiser import Quantised


@register_for_export
@dataclass(frozen=True)
class SourceFeatures:
    """The features of a source picture, computed once and used for all its frames."""

    latent: Tensor
    """(B, latent_dim) of the image encoder."""
    z_id: Tensor
    """(B, latent_dim) identity code."""
    pyramid: tuple[Tensor, ...]
    """Feature maps from coarse to fine, (B, C_side, side, side)."""

    def expand(self, batch: int) -> "SourceFeatures":
        """The features of one source for `batch` frames, without copying; unchanged where the number fits already.

        Raises:
            ValueError: there are several sources, but not `batch` of them.
        """
        sources = len(self.z_id)
        if sources == batch:
            return self
        if sources != 1:
            raise ValueError(f"{sources} sources for {batch} motion codes: expected one source or equal numbers")
        return SourceFeatures(
            self.latent.expand(batch, -1),
            self.z_id.expand(batch, -1),
            tuple(features.expand(batch, -1, -1, -1) for features in self.pyramid),
        )


@register_for_export
@dataclass(frozen=True)
class Rendering:
    """A decoded frame with its intermediate results."""

    image: Tensor
    """(B, 3, R, R) the frame at the output size, near [-1, 1] but not clamped."""
    coarse: Tensor
    """(B, 3, S, S) the RGB decoder's frame at the input size; `image` itself without a codebook."""
    flow: Tensor
    """(B, 2, S, S) finest flow."""
    occlusion: Tensor
    """(B, 1, S, S) finest occlusion map in 0..1."""
    face: FaceState
    """Lips, eyes and placement predicted from z_id and z_m."""
    source_face: FaceState
    """Lips, eyes and placement of the source picture, predicted in the same way."""
    code: Quantised | None
    """The codes, None without a codebook."""
    unrefined: Tensor | None = None
    """(N, 3, R, R) the first rows of `image` decoded without the lip refiner; None where not requested."""
    mouth: Tensor | None = None
    """(B, 20, 2) placed lips that the refiner has read; None without a refiner."""


class MotionAutoencoder(Network):
    """The networks of Section III-B.1 together; a part that is None is left out.

    Args:
        image_encoder: E_f.
        identity_encoder: phi_id.
        motion_encoder: phi_m.
        flow_generator: motion warper G_w.
        decoder: the decoder to the input's size.
        motion_reader: network that predicts lips and placement if they are not given.
        lip_refiner: lip guider and refiner G_R, or None to use the warped latents unchanged.
        codebook: HD_f with the codebook, at its output size, or None for the decoder's picture.
    """

    def __init__(
        self,
        image_encoder: ImageEncoder,
        identity_encoder: IdentityEncoder,
        motion_encoder: MotionEncoder,
        flow_generator: FlowGenerator,
        decoder: RGBDecoder,
        motion_reader: MotionReader,
        lip_refiner: LipRefiner | None = None,
        codebook: CodebookDecoder | None = None,
    ) -> None:
        super().__init__()
        _check_equal("size", image_encoder.size, flow_generator.size, decoder.size)
        _check_equal("motion_dim", motion_encoder.motion_dim, flow_generator.motion_dim)
        self.image_encoder = image_encoder
        self.identity_encoder = identity_encoder
        self.motion_encoder = motion_encoder
        self.flow_generator = flow_generator
        self.decoder = decoder
        self.motion_reader = motion_reader
        self.lip_refiner = lip_refiner
        self.codebook = codebook

    @property
    def input_size(self) -> int:
        """Side of the input pictures in pixels."""
        return self.image_encoder.size

    @property
    def output_size(self) -> int:
        """Side of the output pictures in pixels."""
        return self.decoder.size if self.codebook is None else self.codebook.output_size

    @property
    def motion_dim(self) -> int:
        """m, the length of a motion code."""
        return self.motion_encoder.motion_dim

    def encoder_fingerprints(self) -> str:
        """Fingerprints of the networks that a motion code depends on; shards with motion codes name them."""
        return f"{self.image_encoder.fingerprint()} {self.motion_encoder.fingerprint()}"

    def encode_source(self, image: Tensor) -> SourceFeatures:
        """E_f and phi_id of source pictures (B, 3, S, S) in [-1, 1], Eq. 11."""
        encoded = self.image_encoder(image)
        return SourceFeatures(encoded.latent, self.identity_encoder(encoded.latent), encoded.pyramid)

    def encode_motion(self, image: Tensor) -> Tensor:
        """z_m = phi_m(E_f(image)) (B, m) of pictures (B, 3, S, S) in [-1, 1], Eq. 11."""
        return self.motion_encoder(self.image_encoder(image).latent)

    def source_motion(self, source: SourceFeatures) -> Tensor:
        """z_m (B, m) of the source picture itself, without encoding it again."""
        return self.motion_encoder(source.latent)

    def read_face(self, source: SourceFeatures, z_m: Tensor | None = None) -> FaceState:
        """The source's face under the motion z_m (B, m), or in the source picture itself without one."""
        z_m = self.source_motion(source) if z_m is None else z_m
        return self.motion_reader(source.expand(len(z_m)).z_id, z_m)

    def decode(
        self,
        source: SourceFeatures,
        z_m: Tensor,
        lips: Tensor | None = None,
        placement: Tensor | None = None,
        fidelity: float | Tensor | None = None,
        compare_unrefined: int = 0,
        change_codes: ChangeCodes | None = None,
    ) -> Rendering:
        """Move the source by z_m and give it the lips, Eq. 12, 13 and 18.

        Args:
            source: features of one picture, or of one picture for each motion code.
            z_m: (B, m) motion codes.
            lips: (B, 20, 2) canonical lips, or None to predict them from z_id and z_m.
            placement: (B, 4) place of the lips' frame in the picture, or None to predict it.
            fidelity: weight w of the finer latents in the codebook's generator, in 0..1: a number, or
                (B, 1, 1, 1) for one of each row; None for the codebook's own.
            compare_unrefined: number of rows that are also decoded without the lip refiner, if there is one.
            change_codes: gives the codes (B, d, S, S) that the picture is generated from; None for the nearest ones.
        """
        source = source.expand(len(z_m))
        face = self.motion_reader(source.z_id, z_m)
        warped = self.flow_generator(source.z_id, z_m, source.pyramid)
        z_wr, mouth, unrefined = warped.pyramid, None, None
        if self.lip_refiner is not None:
            lips = face.lips if lips is None else lips
            placement = face.placement if placement is None else placement
            # Detached, since the refiner's error must not move the predicted lips.
            mouth = place_lips(lips.detach(), placement.detach())
            z_wr = self.lip_refiner(warped.pyramid, mouth)
            if compare_unrefined:
                rows = slice(compare_unrefined)
                own = fidelity[rows] if isinstance(fidelity, Tensor) else fidelity
                unrefined = self._paint(tuple(z_w[rows] for z_w in warped.pyramid), own, change_codes)[0]
        image, coarse, code = self._paint(z_wr, fidelity, change_codes)
        flow, occlusion = warped.flows[-1], warped.occlusions[-1]
        return Rendering(image, coarse, flow, occlusion, face, self.read_face(source), code, unrefined, mouth)

    def _paint(
        self, pyramid: tuple[Tensor, ...], fidelity: float | Tensor | None, change_codes: ChangeCodes | None = None
    ) -> tuple[Tensor, Tensor, Quantised | None]:
        """Latents to the picture, the RGB decoder's picture and the codes."""
        coarse = self.decoder(pyramid)
        if self.codebook is None:
            return coarse, coarse, None
        decoded = self.codebook(pyramid, coarse, fidelity, change_codes)
        return decoded.image, coarse, decoded.code

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        lips: Tensor | None = None,
        placement: Tensor | None = None,
        compare_unrefined: int = 0,
        fidelity: float | Tensor | None = None,
        change_codes: ChangeCodes | None = None,
    ) -> Rendering:
        """Reconstruct target pictures (B, 3, S, S) from source pictures of the same shape; see `decode`."""
        source_features, z_m = self.encode_source(source), self.encode_motion(target)
        return self.decode(source_features, z_m, lips, placement, fidelity, compare_unrefined, change_codes)


def with_codebook(folder: str, codebook: CodebookDecoder) -> MotionAutoencoder:
    """The motion autoencoder in `folder` with a new codebook: the beginning of the high-resolution phase.

    Raises:
        ValueError: the autoencoder already has a codebook.
    """
    earlier = MotionAutoencoder.from_pretrained(folder)
    if earlier.codebook is not None:
        raise ValueError(f"{folder} has a codebook already: expected an autoencoder from before that phase")
    return MotionAutoencoder(
        earlier.image_encoder,
        earlier.identity_encoder,
        earlier.motion_encoder,
        earlier.flow_generator,
        earlier.decoder,
        earlier.motion_reader,
        earlier.lip_refiner,
        codebook,
    )


def from_folder(folder: str) -> MotionAutoencoder:
    """The motion autoencoder in `folder`, to be trained further."""
    return MotionAutoencoder.from_pretrained(folder)


def from_lia(
    folder: str,
    motion_reader: MotionReader,
    identity_layers: int = 0,
    lip_refiner: LipRefiner | None = None,
    codebook: CodebookDecoder | None = None,
) -> MotionAutoencoder:
    """A motion autoencoder that starts from LIA's parts.

    Args:
        folder: folder written by `s2tf import lia`.
        motion_reader: a new motion reader; LIA has none.
        identity_layers: layers of a new identity encoder; 0 is LIA, whose latent is the identity itself.
        lip_refiner: a new lip refiner, or None.
        codebook: a new codebook, or None.
    """
    image_encoder = ImageEncoder.from_pretrained(f"{folder}/image_encoder")
    return MotionAutoencoder(
        image_encoder,
        IdentityEncoder(image_encoder.latent_dim, identity_layers),
        MotionEncoder.from_pretrained(f"{folder}/motion_encoder"),
        FlowGenerator.from_pretrained(f"{folder}/flow_generator"),
        RGBDecoder.from_pretrained(f"{folder}/decoder"),
        motion_reader,
        lip_refiner,
        codebook,
    )


def _check_equal(name: str, *values: int) -> None:
    if len(set(values)) > 1:
        raise ValueError(f"the motion autoencoder's networks have different {name}: {values}, expected equal ones")
