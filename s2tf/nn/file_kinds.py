"""Names for what a file is that should be another: a pointer of git-lfs, a web page, a part of a file, an archive.

It is read without torch.
"""

import json
import re
import tarfile
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

HEAD = 4096
"""Number of bytes at the beginning of a file that tell its kind."""
SHOWN = 60
"""Number of characters of a text that a message shows."""
LENGTH = 8
"""Bytes of safetensors' number in front of its header."""
LONGEST_HEADER = 100_000_000
RIFF = b"RIFF"
POINTER = b"version https://git-lfs"
SIGNATURES = {
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"BZh": "a bzip2 archive: unpack it first",
    b"\xfd7zXZ": "an xz archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"\x89HDF": "a file of HDF5, such as Keras writes",
    b"GGUF": "a file of GGUF",
    b"\x93NUMPY": "a NumPy array",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    RIFF: "a RIFF file, such as WAV",
    b"\x7fELF": "a program",
}


def odd_kind(path: Path, usual: Collection[bytes] = ()) -> str | None:
    """Say what a file is that no program writes as weights or JSON, and what to do; None for any other file.

    Args:
        path: The file.
        usual: Beginnings of `SIGNATURES` that are to be expected here, such as `RIFF` of a sound.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: The file cannot be read.
    """
    if path.is_dir():
        return "a folder, expected a file"
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if not head.strip(b"\0"):
        return f"empty or only zeros ({path.stat().st_size} bytes): copy or download it again"
    if head.startswith(POINTER):
        size = re.search(rb"^size (\d+)", head, re.MULTILINE)
        whole = f" for a file of {size[1].decode()} bytes" if size else ""
        return f"a pointer of git-lfs{whole}: run `git lfs pull` where it came from"
    if (page := _page(head)) is not None:
        return page
    return next((kind for start, kind in SIGNATURES.items() if head.startswith(start) and start not in usual), None)


def plain_text(path: Path) -> str | None:
    """Say what a text is, such as an error that was saved in the place of weights; None for any other file."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
    try:
        # A character may be cut at the end of what was read.
        text = head.decode("utf-8", "strict" if len(head) < HEAD else "ignore")
    except UnicodeDecodeError:
        return None
    if not text or not all(letter.isprintable() or letter.isspace() for letter in text):
        return None
    return f"a text, {' '.join(text.split())[:SHOWN]!r}: download the file again"


def odd_archive(path: Path) -> str | None:
    """Say what a zip or tar file is that holds no weights of torch; None for any other file."""
    with open(path, "rb") as file:
        head = file.read(4)
    if head == b"PK\x03\x04":
        if not zipfile.is_zipfile(path):
            return f"cut off: its list of contents is missing after {path.stat().st_size} bytes; copy it again"
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith("/constants.pkl") for name in names):
            return "a program of TorchScript, expected its state dict, saved by `torch.save`"
        if not any(name.endswith("data.pkl") for name in names):
            return f"a zip archive of {', '.join(names[:3]) or 'nothing'}: unpack it first"
    elif tarfile.is_tarfile(path):
        try:
            with tarfile.open(path) as archive:
                names = archive.getnames()
        except (tarfile.TarError, EOFError, OSError):
            return "a tar archive that is not whole"
        # Releases of torch before 0.1.10 wrote tar files, which it still reads.
        if "pickle" not in names:
            return f"a tar archive of {', '.join(names[:3]) or 'nothing'}: unpack it first"
    return None


def safetensors_fault(path: Path) -> str | None:
    """Say what is wrong with a file of safetensors, by its header and its size; None if nothing is."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        if size < LENGTH or length > LONGEST_HEADER:
            return f"no file of safetensors: its first {LENGTH} bytes are no length of a header"
        if size < LENGTH + length:
            return _cut(size, f"its header alone has {length}")
        try:
            header = json.loads(file.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, LookupError, AttributeError):
            return "no file of safetensors: its header is not readable"
    expected = LENGTH + length + max(ends, default=0)
    if size < expected:
        return _cut(size, f"expected {expected}")
    return f"longer than its contents: {size} bytes, expected {expected}" if size > expected else None


def is_safetensors(path: Path) -> bool:
    """True for a file that begins like one of safetensors, whatever its name."""
    with open(path, "rb") as file:
        head = file.read(LENGTH + 1)
    return head[LENGTH:] == b"{" and int.from_bytes(head[:LENGTH], "little") <= LONGEST_HEADER


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not JSON; the message names the file and says what it is.
    """
    if (kind := odd_kind(path)) is not None:
        raise ValueError(f"{path} is {kind}")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8, expected JSON") from error
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg:
            raise ValueError(f"{path} is cut off: its JSON ends after {len(data)} bytes; copy it again") from error
        raise ValueError(f"{path} is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{path} is not JSON: nested too deeply") from error


def _page(head: bytes) -> str | None:
    """The kind of a page of the web, HTML or XML."""
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not text.startswith("<"):
        return None
    kind = "an HTML page" if re.search("<html|<!doctype html|<body|<head", text, re.IGNORECASE) else "an XML page"
    title = re.search("<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    shown = " ".join((title[1] if title else text).split())[:SHOWN]
    return f"{kind}, {shown!r}: download the file again"


def _cut(size: int, expected: str) -> str:
    return f"cut off: {size} bytes, {expected}; copy or download it again"
