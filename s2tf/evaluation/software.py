"""The versions of what reads pictures and computes: told beside each number, and no part of its protocol.

A protocol says what was done, and results of different ones are refused side by side. Versions say with which
implementation: those of torch or OpenCV agree to rounding, those of a detector to less than the distance of two systems
that is worth telling, and nobody could compare with last year's result otherwise. So `s2tf report` shows them and
refuses nothing for them. Which detector or landmark finder it was is in the protocol.
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import distributions

import cv2

OPENCV = "opencv"
FRAMES = ("av", OPENCV, "torch")
"""What every measure of videos needs: frames are decoded, resized, and counted with."""
PACKAGED_AS = {"dlib": ("dlib-bin", "dlib")}
"""By name, the distributions that it may come in."""


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of packages by name, in the order of the names; of one that is not installed, `not installed`.

    Args:
        names: As their distributions are called, and `opencv`, of which several may be installed over each other.
    """
    return {name: _version(name) for name in sorted(set(names))}


def _version(name: str) -> str:
    if name == OPENCV:
        return cv2.__version__
    found = [one.version for called in PACKAGED_AS.get(name, (name,)) for one in distributions(name=called)]
    return found[0] if found else "not installed"


def software_notes(software: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Lines for below a table: the versions of all results, or of each where they differ.

    Args:
        software: Versions by the result's name; empty where they were not noted.
    """
    names_of: dict[str, list[str]] = {}
    for name, found in software.items():
        if found:
            told = ", ".join(f"{package} {version}" for package, version in found.items())
            names_of.setdefault(told, []).append(name)
    if len(names_of) < 2:
        return [f"Software: {told}." for told in names_of]
    return [f"Software of {', '.join(names)}: {told}." for told, names in names_of.items()]
