"""The examples in docstrings run, and every public metric has one unless it needs weights of a network."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

PACKAGES = ("s2tf.diffusion", "s2tf.losses", "s2tf.media.pictures", "s2tf.metrics", "s2tf.nn")
MODULES = sorted(
    name
    for package in map(importlib.import_module, PACKAGES)
    for name in (
        [module.name for module in pkgutil.iter_modules(package.__path__, package.__name__ + ".")]
        if hasattr(package, "__path__")
        else [package.__name__]
    )
)
WITHOUT = {
    # Networks that need files of weights, and the metrics that need such a network, a crop of a face.
    *("RaftFlow", "MotionDifference", "InceptionFeatures", "FrechetDistance", "LPIPS", "IdentitySimilarity"),
    "LipSyncReader",
    # Protocols, records of numbers, and checks.
    *("FlowReader", "PictureFeatures", "PerceptualDistance", "MotionDifferences", "Correlation"),
    *("check_bytes", "check_shapes", "moments_in", "gallery_embeddings"),
}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_every_public_metric_has_an_example():
    missing = set()
    for name in MODULES:
        module = importlib.import_module(name)
        for kind, thing in vars(module).items():
            own = inspect.isclass(thing) or inspect.isfunction(thing)
            if not own or thing.__module__ != name or kind.startswith("_") or not name.startswith("s2tf.metrics"):
                continue
            text = inspect.getsource(thing) if inspect.isclass(thing) else thing.__doc__
            if ">>>" not in (text or ""):
                missing.add(kind)
    assert missing == WITHOUT
