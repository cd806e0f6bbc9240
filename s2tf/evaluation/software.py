"""Versions of the packages that read pictures and compute: written beside each number, but no part of its protocol.

A protocol says what was done, and results of different protocols are not compared. Versions name the implementation.
Those of torch or OpenCV agree up to rounding. Detector versions differ by less than any meaningful gap between systems,
and refusing them would make last year's results incomparable. So `s2tf report` shows versions and refuses none. The
protocol names the detector and the landmark finder.
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import distributions

import cv2

OPENCV = "opencv"
FRAMES = ("av", OPENCV, "torch")
"""Packages that every measure of videos uses to decode, resize and compute."""
PACKAGED_AS = {"dlib": ("dlib-bin", "dlib")}
"""Package name -> the distributions that may contain it."""


def versions(names: Iterable[str]) -> dict[str, str]:
    """Look up the versions of packages, in the order of their names; `not installed` for an absent package.

    Args:
        names: Names of distributions, or `opencv`, which several distributions install.
    """
    return {name: _version(name) for name in sorted(set(names))}


def _version(name: str) -> str:
    if name == OPENCV:
        return cv2.__version__
    found = [one.version for called in PACKAGED_AS.get(name, (name,)) for one in distributions(name=called)]
    return found[0] if found else "not installed"


def software_notes(software: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Write notes for a table: the versions once for all results, or for each group of results with equal versions.

    Args:
        software: Versions by the result's name; empty where they were not recorded.
    """
    names_of: dict[str, list[str]] = {}
    for name, found in software.items():
        if found:
            told = ", ".join(f"{package} {version}" for package, version in found.items())
            names_of.setdefault(told, []).append(name)
    if len(names_of) < 2:
        return [f"Software: {told}." for told in names_of]
    return [f"Software of {', '.join(names)}: {told}." for told, names in names_of.items()]
