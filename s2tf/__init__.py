"""s2tf: train, ablate and compare systems that turn speech alone into a talking face.

The public Python API. Each name is imported when it is first used, so that `import s2tf` loads neither torch nor
Lightning:

    pipeline = s2tf.load_pipeline()  # the packaged one; or a folder, such as "demo/pipeline"
    result = s2tf.fit("conre.yaml", ["vars.shards=shards", "trainer.max_steps=100"])
    scores = s2tf.evaluate_videos("generated", "reference", metrics="pixels")
    metric = s2tf.metrics.FrameQuality()
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2tf import metrics
    from s2tf.evaluation.videos.measure_folders import evaluate_folders as evaluate_videos
    from s2tf.packaged.files import sample_speech
    from s2tf.runs.fit import fit
    from s2tf.systems.registry import open_pipeline as load_pipeline

__version__ = "0.2.0"
__all__ = ["__version__", "evaluate_videos", "fit", "load_pipeline", "metrics", "sample_speech"]

_FUNCTIONS = {
    "load_pipeline": ("s2tf.systems.registry", "open_pipeline"),
    "sample_speech": ("s2tf.packaged.files", "sample_speech"),
    "fit": ("s2tf.runs.fit", "fit"),
    "evaluate_videos": ("s2tf.evaluation.videos.measure_folders", "evaluate_folders"),
}


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("s2tf.metrics")
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 's2tf' has no attribute {name!r}")
    module, function = _FUNCTIONS[name]
    return getattr(importlib.import_module(module), function)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
