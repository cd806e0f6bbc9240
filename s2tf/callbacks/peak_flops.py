"""The peak rates of devices, for the share of them that a training uses (MFU)."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Peak:
    """Peak FLOP/s of a GPU's tensor cores for dense products (without 2:4 sparsity), accumulated in float32."""

    half: float
    """Rate of float16 and bfloat16."""
    tf32: float
    """Rate of float32 as TensorFloat-32, the default of convolutions."""


AMPERE = "NVIDIA Ampere GA102 GPU Architecture whitepaper, appendices; A40 datasheet"
ADA = "NVIDIA Ada GPU Architecture whitepaper, appendices; L40S datasheet"
A100 = "NVIDIA A100 datasheet"
HOPPER = "NVIDIA H100 and H200 datasheets, whose numbers with sparsity are halved"

# Patterns of the whole `torch.cuda.get_device_name`: laptops' chips, later revisions and MIG slices are other devices.
# GeForce cards accumulate in float32 at half the rate; the number often quoted, twice this one, holds for float16.
PEAKS: dict[str, tuple[Peak, str]] = {
    r"NVIDIA A100[ -](SXM4|PCIE|PCIe|80GB PCIe).*": (Peak(312e12, 156e12), A100),
    r"NVIDIA A40": (Peak(149.7e12, 74.8e12), AMPERE),
    r"NVIDIA RTX A6000": (Peak(154.8e12, 77.4e12), AMPERE),
    r"NVIDIA GeForce RTX 3090": (Peak(71e12, 35.6e12), AMPERE),
    r"NVIDIA GeForce RTX 4090": (Peak(165.2e12, 82.6e12), ADA),
    r"NVIDIA L40S": (Peak(362e12, 183e12), ADA),
    r"NVIDIA RTX 6000 Ada Generation": (Peak(364.2e12, 182.1e12), ADA),
    r"NVIDIA H100 80GB HBM3": (Peak(989.4e12, 494.7e12), HOPPER),
    r"NVIDIA H100 PCIe": (Peak(756e12, 378e12), HOPPER),
    r"NVIDIA H100 NVL": (Peak(835e12, 417.5e12), HOPPER),
    r"NVIDIA H200": (Peak(989.4e12, 494.7e12), HOPPER),
}
"""Peak and its source, by a pattern of the device's name."""


def peak_flops(device_name: str, precision: str) -> float | None:
    """Return the peak of a device in FLOP/s, or None if it is not known.

    Args:
        device_name: As `torch.cuda.get_device_name` gives it.
        precision: A Trainer's, such as `bf16-mixed` or `32-true`.
    """
    bits = re.match(r"(bf16|16|32)", precision)
    for pattern, (peak, _) in PEAKS.items():
        if bits and re.fullmatch(pattern, device_name):
            return peak.tf32 if bits.group() == "32" else peak.half
    return None
