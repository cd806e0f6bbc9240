"""Sources of shards: folders, globs, brace patterns, URLs and pipes, each with a manifest that counts its clips."""

import filecmp
import json
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import braceexpand
import numpy as np
import webdataset as wds

from datamodules.shards.errors import ShardError
from datamodules.shards.records import SPLITS

MANIFEST = "manifest.json"
SCRATCH = "S2TF_SCRATCH"
"""Environment variable that names a folder on the node's own disk."""
KEY = "data.init_args.shards"
SHARD_NAME = re.compile(rf"(?:{'|'.join(SPLITS)})-[0-9]+\.tar")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True)
class ShardSource:
    """One data set of a mixture.

    Args:
        shards: A folder written by `s2tf prepare`; a glob or brace pattern of its shards
            (`vox/train-{000000..000127}.tar`); the same with a scheme that WebDataset opens (`https:`, `gs:`, `hf:`,
            ...) or `s3:` (by the `aws` command); or a shell command, `pipe:ssh store cat /data/train-{000000..9}.tar`.
        weight: Share of the training rows that come from it, relative to the other data sets' weights.
        manifest: Path or URL of its `manifest.json`. Required for `pipe:`; the default is the file beside the shards.
    """

    shards: str
    weight: float = 1.0
    manifest: str | None = None


@dataclass(frozen=True)
class ShardSet:
    """The shards of one split of a source."""

    urls: list[str]
    counts: np.ndarray
    """(n,) clips in each shard, from the manifest."""
    local: bool
    """True for files, which can be read from any position; all else is read from its beginning."""


@dataclass(frozen=True)
class OpenSource:
    """A source whose manifest was read.

    Args:
        source: The source as configured.
        manifest: The folder's manifest.
        urls: URL of every shard by its name; None: all shards that the manifest names, in `folder`.
        folder: Folder of the shards.
        local: True for files.
    """

    source: ShardSource
    manifest: dict[str, Any]
    urls: dict[str, str] | None
    folder: str
    local: bool

    def split(self, name: str) -> ShardSet:
        """The shards of a split; empty where the source has none.

        Raises:
            ShardError: The manifest does not count a shard, or a file that it names is missing.
        """
        counts: dict[str, int] = self.manifest["splits"].get(name, {}).get("shards", {})
        if self.urls is None:
            names = sorted(counts)
            if self.local:
                self._check_files(names)
            urls = [f"{self.folder}/{shard}" for shard in names]
        else:
            names = sorted(shard for shard in self.urls if shard.startswith(f"{name}-"))
            unknown = [shard for shard in names if shard not in counts]
            if unknown:
                raise ShardError(
                    f"{KEY}: {self.source.shards!r}: {len(unknown)} shards are not in the manifest, the first is "
                    f"{unknown[0]}: prepare the recordings again, or give the manifest that belongs to them"
                )
            urls = [self.urls[shard] for shard in names]
        return ShardSet(urls, np.array([counts[shard] for shard in names], np.int64), self.local)

    def require_all_frames(self, use: str) -> None:
        """Check that the clips have all of their frames.

        Args:
            use: The user of the frames, for the message.

        Raises:
            ValueError: The shards hold portraits only.
        """
        portraits = self.manifest.get("settings", {}).get("portraits")
        if portraits:
            raise ValueError(
                f"{self.source.shards!r} has {portraits} pictures of each clip (`s2tf prepare --portraits`), but {use} "
                "needs all frames: expected shards that were prepared without --portraits"
            )

    def _check_files(self, names: Sequence[str]) -> None:
        # One listing instead of a hundred thousand stats.
        missing = sorted(set(names) - set(os.listdir(self.folder)))
        if missing:
            raise ShardError(
                f"{KEY}: {self.folder!r} lacks {len(missing)} of the shards that its {MANIFEST} names, the first is "
                f"{missing[0]}"
            )


def is_url(text: str) -> bool:
    """True for a URL or a pipe; False for a path, even if a colon is in the name of its first folder."""
    return _URL.match(text) is not None and (text.startswith("pipe:") or not os.path.exists(text.split("/")[0]))


def open_source(source: ShardSource) -> OpenSource:
    """Read a source's manifest and list its shards.

    Raises:
        FileNotFoundError: The folder or its manifest is missing, or no file matches the pattern.
        ValueError: The pattern names no shard, a pipe has no `manifest`, or the weight is not positive.
    """
    text = source.shards
    if not source.weight > 0:
        raise ValueError(f"{KEY}: {text!r}: weight {source.weight}, expected a positive number")
    # A folder that exists is one, whatever its name looks like.
    if not os.path.isdir(text) and (text.startswith("pipe:") or text.endswith(".tar")):
        return _open_pattern(source)
    folder = text.rstrip("/")
    if is_url(text):
        return OpenSource(source, _read_manifest(source, folder), None, folder, local=False)
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{KEY}: no folder {text!r}; `s2tf prepare` writes one from recordings")
    return OpenSource(source, _read_manifest(source, folder), None, on_scratch(folder), local=True)


def on_scratch(folder: str) -> str:
    """The copy of a shard folder on this node's disk if it is complete (`shards.staging`), else the folder."""
    scratch = os.environ.get(SCRATCH)
    copy = staged(folder, scratch) if scratch else None
    return str(copy) if copy is not None and is_whole(Path(folder), copy) else folder


def is_whole(folder: Path, copy: Path) -> bool:
    """True if a copy of a shard folder is complete: the same manifest, which is copied last, lies in both."""
    return (copy / MANIFEST).is_file() and filecmp.cmp(folder / MANIFEST, copy / MANIFEST, shallow=False)


def staged(folder: str, scratch: str) -> Path:
    """The path of a shard folder's copy."""
    return Path(scratch) / Path(folder).resolve().relative_to("/")


def open_sources(shards: str | Sequence[ShardSource]) -> list[OpenSource]:
    """The sources of a datamodule's `shards`: a single text, or a mixture.

    Raises:
        ValueError: The mixture is empty; also raises as `open_source`.
    """
    sources = [ShardSource(shards)] if isinstance(shards, str) else list(shards)
    if not sources:
        raise ValueError(f"{KEY}: an empty list, expected at least one data set")
    return [open_source(source) for source in sources]


def _open_pattern(source: ShardSource) -> OpenSource:
    local = not is_url(source.shards)
    urls = _expand(source.shards) if local else list(braceexpand.braceexpand(source.shards))
    # One URL for each name of a shard.
    named = {}
    for url in urls:
        names = SHARD_NAME.findall(url)
        if not names:
            raise ValueError(f"{KEY}: {url!r} names no shard of the form train-000000.tar")
        if names[-1] in named:
            raise ValueError(
                f"{KEY}: {source.shards!r} names {names[-1]} twice: list the folders as data sets of their own"
            )
        named[names[-1]] = url
    if not named:
        raise FileNotFoundError(f"{KEY}: no file for the pattern {source.shards!r}")
    if local:
        missing = [url for url in named.values() if not Path(url).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{KEY}: {source.shards!r}: {len(missing)} of its {len(named)} files are missing, the first is "
                f"{missing[0]!r}"
            )
    # All lie in the folder of one manifest.
    folders = {url.rpartition("/")[0] or "." for url in named.values()}
    if len(folders) > 1 and source.manifest is None:
        raise ValueError(f"{KEY}: {source.shards!r} is in {len(folders)} folders: list them as data sets of their own")
    folder = min(folders)
    return OpenSource(source, _read_manifest(source, folder), named, folder, local)


def _expand(text: str) -> list[str]:
    """The files of a local pattern; the folders at its beginning that exist are no pattern, as in `[x]/*.tar`."""
    parts = text.split("/")
    existing = next(
        (count for count in range(len(parts) - 1, 0, -1) if os.path.isdir("/".join(parts[:count]) or "/")), 0
    )
    folder, rest = "/".join(parts[:existing]), "/".join(parts[existing:])
    found = []
    for pattern in braceexpand.braceexpand(rest):
        if not re.search(r"[*?\[]", pattern):
            found.append(pattern)
        else:
            top = Path(folder or ("/" if existing else "."))
            found += sorted(path.relative_to(top).as_posix() for path in top.glob(pattern))
    return [f"{folder}/{path}" if existing else path for path in found]


def _read_manifest(source: ShardSource, folder: str) -> dict[str, Any]:
    if source.manifest is None and folder.startswith("pipe:"):
        raise ValueError(f"{KEY}: {source.shards!r} needs `manifest`, the path of the {MANIFEST} of its shards")
    where = source.manifest or f"{folder}/{MANIFEST}"
    if not is_url(where) and not Path(where).is_file():
        raise FileNotFoundError(
            f"{KEY}: {source.shards!r} has no {MANIFEST} at {where!r}: not (yet) a shard folder, or give `manifest`"
        )
    try:
        with open_url(where) as file:
            manifest = json.loads(file.read())
        counts = {name: split["shards"] for name, split in manifest["splits"].items()}
        manifest["crop_rule"]["size"]
        if not all(type(count) is int for split in counts.values() for count in split.values()):
            raise ValueError("a shard's count of clips is no whole number")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, subprocess.SubprocessError) as error:
        raise ShardError(f"{KEY}: {where!r} is no manifest of shards: {type(error).__name__}: {error}") from error
    return manifest


def open_url(url: str) -> BinaryIO:
    """Open a file, or a URL as WebDataset does; `s3:` through the `aws` command."""
    if url.startswith("s3:") and is_url(url):
        url = f"pipe:aws s3 cp {shlex.quote(url)} -"
    return wds.gopen(url, "rb") if is_url(url) else open(url, "rb")
