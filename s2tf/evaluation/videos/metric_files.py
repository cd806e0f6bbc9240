"""Names of the metrics of videos, and the files of public weights that their networks need."""

from dataclasses import dataclass

METRICS = ("sync", "lpips", "pixels", "fid", "mad", "landmarks", "identity", "sharpness")
"""Names of all metrics, in the order of the table."""
TORCHVISION = "https://github.com/pytorch/vision"


@dataclass(frozen=True)
class PublicFile:
    """A file of public weights that a metric needs."""

    file: str
    content: str
    """Network and origin of the weights, in words."""
    available_at: str
    """Web page with the file; nothing is downloaded automatically."""


FILES = {
    "sync": PublicFile(
        "syncnet_v2.model",
        "syncnet_python's SyncNet (or a network of your own as `syncnet`)",
        "download_model.sh of https://github.com/joonson/syncnet_python",
    ),
    "lpips": PublicFile(
        "alexnet-owt-7be5be79.pth",
        "torchvision's ImageNet weights of AlexNet",
        f"the address in torchvision/models/alexnet.py of {TORCHVISION}",
    ),
    "fid": PublicFile(
        "weights-inception-2015-12-05-6726825d.pth",
        "torch-fidelity's Inception",
        "https://github.com/toshas/torch-fidelity/releases/tag/v0.2.0",
    ),
    "mad": PublicFile(
        "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        "torchvision's weights of RAFT large",
        f"the address in torchvision/models/optical_flow/raft.py of {TORCHVISION}",
    ),
    "identity": PublicFile(
        "vgg_face_dag.pth",
        "VGGFace as converted by Albanie's pytorch-mcn",
        "https://www.robots.ox.ac.uk/~albanie/pytorch-models.html",
    ),
}
"""Public file of each metric that needs one."""
