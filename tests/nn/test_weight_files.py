"""Files of weights that are something else or not whole: the message says what they are."""

import io
import json
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from s2tf.nn.file_kinds import odd_kind, read_json
from s2tf.nn.weight_files import check_finite, read_content, read_tensors

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 54573114\n"


def saved(content, **options):
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def tarred(*names):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


class Stranger:
    """An object that no file of weights needs."""


OLD = {"_use_new_zipfile_serialization": False}
BAD = {
    "pointer": (POINTER, "a pointer of git-lfs for a file of 54573114 bytes: run `git lfs pull`"),
    "html": (
        b"\n<!DOCTYPE html><html>Quota exceeded</html>",
        "an HTML page, '<!DOCTYPE html><html>Quota exceeded</html>'",
    ),
    "title": (b"\xef\xbb\xbf<html><head><title>Sign\nin</title></head>", "an HTML page, 'Sign in'"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML page, .*AccessDenied"),
    "empty": (b"", r"empty or only zeros \(0 bytes\)"),
    "zeros": (bytes(5000), r"empty or only zeros \(5000 bytes\)"),
    "cut zip": (saved(STATE)[:-200], "cut off: its list of contents is missing after"),
    "cut pickle": (saved(STATE, **OLD)[:-9], "cut off or damaged"),
    "other zip": (zipped("readme.txt", "weights.pth"), "a zip archive of readme.txt, weights.pth: unpack it first"),
    "other tar": (tarred("weights.pth"), "a tar archive of weights.pth: unpack it first"),
    "gzip": (b"\x1f\x8b\x08" + bytes(range(99)), "a gzip archive: unpack it first"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(range(99)), "a file of HDF5"),
    "numpy number": (
        saved({"epoch": np.float64(3), **STATE}),
        r"a pickled object numpy\.[\w.]*scalar, which is not loaded",
    ),
    "object": (saved({"model": Stranger()}), r"a pickled object [\w.]*Stranger, which is not loaded"),
    "old object": (pickle.dumps(Stranger(), protocol=2), "a pickled object [\\w.]*Stranger|no readable weight file"),
    "text": (b"404: not here", "a text, '404: not here'"),
    "checkpoint": (
        saved({"epoch": 3, "state_dict": STATE, "optimizer": {"lr": 0.1}}),
        r"epoch, state_dict, optimizer \(tensors by name are under state_dict\), expected tensors by name",
    ),
    "list": (saved([1, 2]), "holds a list, expected tensors by name"),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ""])
@pytest.mark.parametrize("kind", sorted(BAD))
def test_a_bad_file_is_told_by_its_content(kind, suffix, tmp_path):
    content, reason = BAD[kind]
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    if suffix == ".safetensors" and kind != "text" and odd_kind(path) is None:
        reason = "no file of safetensors|cut off"
    with pytest.raises(ValueError, match=reason) as caught:
        read_tensors(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "weights_only" not in message
    assert "\n" not in message
    assert message.isprintable()


@pytest.mark.parametrize("size", [3, 9, 40, -1])
def test_a_cut_file_of_safetensors_is_told_by_its_size(size, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(STATE, path)
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:size])
    reason = f"cut off: {whole - 1} bytes, expected {whole}" if size == -1 else "cut off|no file of safetensors"
    with pytest.raises(ValueError, match=reason):
        read_tensors(path)


def test_weights_are_read_whatever_the_name_of_their_file(tmp_path):
    save_file(STATE, tmp_path / "a.pth")
    torch.save({"params_ema": STATE}, tmp_path / "b.bin")
    torch.save(STATE, tmp_path / "c.model", **OLD)
    for name in ("a.pth", "b.bin", "c.model"):
        found = read_tensors(tmp_path / name, "params_ema")
        assert found.keys() == STATE.keys()
        assert all(torch.equal(found[key], STATE[key]) for key in STATE)
    assert list(read_content(tmp_path / "b.bin")) == ["params_ema"]


def test_a_folder_or_nothing_in_place_of_a_file(tmp_path):
    with pytest.raises(ValueError, match="is a folder, expected a file"):
        read_tensors(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.pth does not exist"):
        read_tensors(tmp_path / "none.pth")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(bad):
    broken = {**STATE, "b.weight": torch.tensor([1.0, bad]), "steps": torch.tensor(3)}
    check_finite(STATE, "x.pth")
    with pytest.raises(ValueError, match=r"x\.pth: 1 of 2 numbers of the tensor b\.weight are NaN or infinite"):
        check_finite(broken, "x.pth")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "is cut off: its JSON ends after 1 bytes"),
        (b'{"a": "b', "is cut off"),
        (b'{"a": 1,, }', "is not JSON"),
        (b"[" * 100_000, "is not JSON|is cut off"),
        (POINTER, "a pointer of git-lfs"),
        (b"<html>", "an HTML page"),
        (b"", "is empty"),
        (b"\xff\xfe{", "is no text in UTF-8"),
    ],
)
def test_json_that_is_not_whole_is_named(content, reason, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        read_json(path)
    assert str(path) in str(caught.value)
    path.write_text(json.dumps({"ü": 1}), encoding="utf-8-sig")
    assert read_json(path) == {"ü": 1}


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("text", ['{"error": "Entry not found"}', "hello"])
def test_a_text_in_the_place_of_weights_is_quoted(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name} is a text, '{text}': download the file again"):
        read_content(tmp_path / name)
