"""Messages about files that cannot be decoded as a picture: cut off, empty, or something else."""

from pathlib import Path

from s2tf.nn.file_kinds import odd_kind, plain_text

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
}
HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
"""Brands of the pictures of phones that Pillow does not read."""
BEGINNING = 64
"""Bytes of a file that are looked at."""
PICTURES = "expected a picture such as PNG, JPEG, WebP or TIFF"


def describe_damage(path: Path, error: Exception) -> str:
    """Describe the fault of a file that could not be decoded, and say what to do.

    Args:
        path: The file.
        error: Error of the decoder.
    """
    with open(path, "rb") as file:
        start = file.read(BEGINNING)
    size = f"{path.stat().st_size:,} bytes"
    # A picture that is not read, or not whole.
    if start[4:8] == b"ftyp" and start[8:12] in HEIC:
        return f"a HEIC picture ({size}), which is not supported: convert it to JPEG or PNG"
    kind = next((name for signature, name in SIGNATURES.items() if start.startswith(signature)), None)
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        kind = "WebP"
    if kind is not None:
        reason = "" if "cannot identify" in str(error) else f" ({error})"
        return f"the {kind} file of {size} is cut off or damaged{reason}: copy or download it again"
    # No picture at all.
    other = odd_kind(path) or plain_text(path)
    if other is not None:
        return f"it is {other}; {PICTURES}"
    return f"not a picture that can be read ({size}, beginning with {start[:12]!r}): {PICTURES}"
