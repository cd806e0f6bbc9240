"""CodeFormer's public weights: encoder, code predictor, codebook, generator and fusion, 512 px."""

from pathlib import Path

from s2tf.importers.mapping import Imported, load_mapped, read_state
from s2tf.models.codebook_generator import CodebookGenerator
from s2tf.models.codeformer import CodeFormer, CodePredictor, FaceCodeEncoder

KEY = "params_ema"
"""Key of the averaged weights in the public checkpoint, codeformer.pth."""
OWN = {"quantiser.usage": "how often our training uses each code"}
SIDES = (16, 32, 64, 128, 256, 512)
FUSED = (32, 64, 128, 256)
LAYERS = 9


def import_codeformer(path: str | Path) -> Imported:
    """Build CodeFormer with the weights of a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not CodeFormer; the first tensors that differ are named.
    """
    network = CodeFormer(FaceCodeEncoder(), CodePredictor(), CodebookGenerator())
    unused = load_mapped({"codeformer": network}, read_state(path, KEY), names(), {}, str(path), OWN)
    return Imported({"": network.eval()}, unused)


def names() -> dict[str, str]:
    """The map of our names to CodeFormer's."""
    found = {"quantiser.embedding.weight": "quantize.embedding.weight", "predictor.positions": "position_emb"}
    found |= _encoder() | _generator()
    found |= _pair("predictor.embed", "feat_emb") | _pair("predictor.norm", "idx_pred_layer.0")
    found["predictor.to_logits.weight"] = "idx_pred_layer.1.weight"
    for layer in range(LAYERS):
        ours, theirs = f"predictor.layers.{layer}", f"ft_layers.{layer}"
        for name in ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"):
            found[f"{ours}.attention.{name}"] = f"{theirs}.self_attn.{name}"
        for one, other in (("norm1", "norm1"), ("norm2", "norm2"), ("mlp.0", "linear1"), ("mlp.2", "linear2")):
            found |= _pair(f"{ours}.{one}", f"{theirs}.{other}")
    return {f"codeformer.{ours}": theirs for ours, theirs in found.items()}


def _encoder() -> dict[str, str]:
    """Names of the encoder. Theirs is a list: a convolution, then per side two residual blocks and a halving."""
    found = _pair("encoder.from_rgb", "encoder.blocks.0")
    block, wider = 1, (False, True, False, True, False, True)
    for level, widens in enumerate(wider):
        if level:
            found |= _pair(f"encoder.levels.{level}.down", f"encoder.blocks.{block}.conv")
            block += 1
        last = level == len(wider) - 1
        for index in range(2):
            found |= _residual(
                f"encoder.levels.{level}.blocks.{index}", f"encoder.blocks.{block}", widens and not index
            )
            block += 1
            if last:
                found |= _attention(f"encoder.levels.{level}.attentions.{index}", f"encoder.blocks.{block}")
                block += 1
    found |= _residual("encoder.tail.0", f"encoder.blocks.{block}", False)
    found |= _attention("encoder.tail.1", f"encoder.blocks.{block + 1}")
    found |= _residual("encoder.tail.2", f"encoder.blocks.{block + 2}", False)
    found |= _pair("encoder.tail.3", f"encoder.blocks.{block + 3}")
    return found | _pair("encoder.tail.4", f"encoder.blocks.{block + 4}")


def _generator() -> dict[str, str]:
    """Names of the generator. Theirs is a list: a convolution, three blocks, then per side two and a doubling."""
    found = _pair("generator.head.0", "generator.blocks.0")
    found |= _residual("generator.head.1", "generator.blocks.1", False)
    found |= _attention("generator.head.2", "generator.blocks.2")
    found |= _residual("generator.head.3", "generator.blocks.3", False)
    block, narrower = 4, (False, True, False, True, False, True)
    for level, (side, narrows) in enumerate(zip(SIDES, narrower, strict=True)):
        ours = f"generator.levels.{level}"
        for index in range(2):
            found |= _residual(f"{ours}.blocks.{index}", f"generator.blocks.{block}", narrows and not index)
            block += 1
            if level == 0:
                found |= _attention(f"{ours}.attentions.{index}", f"generator.blocks.{block}")
                block += 1
        if side < SIDES[-1]:
            found |= _pair(f"{ours}.up.conv", f"generator.blocks.{block}.conv")
            block += 1
        if side in FUSED:
            fusion = f"fuse_convs_dict.{side}"
            found |= _residual(f"{ours}.fusion.encode", f"{fusion}.encode_enc", True)
            for head in ("scale", "shift"):
                for layer in (0, 2):
                    found |= _pair(f"{ours}.fusion.{head}.{layer}", f"{fusion}.{head}.{layer}")
    found |= _pair("generator.norm", f"generator.blocks.{block}")
    return found | _pair("generator.to_rgb", f"generator.blocks.{block + 1}")


def _pair(ours: str, theirs: str) -> dict[str, str]:
    return {f"{ours}.{value}": f"{theirs}.{value}" for value in ("weight", "bias")}


def _residual(ours: str, theirs: str, skip: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in ("norm1", "conv1", "norm2", "conv2"):
        found |= _pair(f"{ours}.{part}", f"{theirs}.{part}")
    return found | (_pair(f"{ours}.skip", f"{theirs}.conv_out") if skip else {})


def _attention(ours: str, theirs: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in ("norm", "q", "k", "v"):
        found |= _pair(f"{ours}.{part}", f"{theirs}.{part}")
    return found | _pair(f"{ours}.out", f"{theirs}.proj_out")
