"""Still pictures of every kind: as a viewer shows them, or one clear message."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from s2tf.errors import UserError
from s2tf.media.picture_modes import MID_GREY, TRANSPOSES
from s2tf.media.pictures import read_picture

HEIGHT, WIDTH = 24, 32


@pytest.fixture
def upright():
    """A smooth picture without any symmetry."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 7, y * 9, 255 - x * 3 - y * 2], axis=-1).astype(np.uint8)


def difference(one, other):
    return np.abs(one.astype(int) - other).mean()


def turned_back(orientation):
    """The transpose that undoes the one of an orientation."""
    inverse = {6: 8, 8: 6}
    return TRANSPOSES[inverse.get(orientation, orientation)]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_whatever_its_exif_orientation(tmp_path, upright, suffix, orientation):
    picture = Image.fromarray(upright)
    if orientation > 1:
        picture = picture.transpose(turned_back(orientation))
    tag = Image.Exif()
    tag[0x0112] = orientation
    picture.save(tmp_path / f"a{suffix}", exif=tag, quality=95)
    found = read_picture(tmp_path / f"a{suffix}")
    assert found.shape == upright.shape
    assert difference(found, upright) < 3


def test_an_orientation_that_is_none_and_damaged_exif_leave_the_picture_as_it_is(tmp_path, upright):
    odd = Image.Exif()
    odd[0x0112] = 99
    for name, data in (("odd", odd.tobytes()), ("cut", b"Exif\0\0II*")):
        Image.fromarray(upright).save(tmp_path / f"{name}.png", exif=data)
        assert np.array_equal(read_picture(tmp_path / f"{name}.png"), upright)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_become_eight(tmp_path, upright, suffix):
    grey = upright[..., 0]
    wide = grey.astype(np.uint16) * 257
    Image.fromarray(wide).save(tmp_path / f"grey{suffix}")
    assert np.array_equal(read_picture(tmp_path / f"grey{suffix}"), np.stack([grey] * 3, axis=-1))
    cv2.imwrite(str(tmp_path / f"rgb{suffix}"), upright[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(read_picture(tmp_path / f"rgb{suffix}"), upright)


@pytest.mark.parametrize("scale", [1 / 255, 1, 257])
def test_floats_have_the_white_that_their_range_shows(tmp_path, upright, scale):
    grey = upright[..., 0].astype(np.float32)
    Image.fromarray(grey * np.float32(scale)).save(tmp_path / "grey.tif")
    assert difference(read_picture(tmp_path / "grey.tif"), np.stack([grey] * 3, axis=-1)) < 0.01
    plain = [cv2.IMWRITE_TIFF_COMPRESSION, 1]
    cv2.imwrite(str(tmp_path / "rgb.tif"), upright[..., ::-1].astype(np.float32) * np.float32(scale), plain)
    assert difference(read_picture(tmp_path / "rgb.tif"), upright) < 0.01
    # All of it transparent: its background is seen.
    clear = np.dstack([upright[..., ::-1], np.zeros_like(upright[..., :1])]).astype(np.float32)
    cv2.imwrite(str(tmp_path / "rgba.tif"), clear * np.float32(scale), plain)
    assert (read_picture(tmp_path / "rgba.tif", (10, 20, 30)) == (10, 20, 30)).all()


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "not finite"), (-50, "between -50 and 200"), (1e7, "between 0 and 1e.07"), (0.02, "between 0 and 8")],
)
def test_floats_that_are_no_colours_are_refused(tmp_path, value, message):
    values = np.zeros((HEIGHT, WIDTH), np.float32)
    values[0] = 8 if value == 0.02 else 200
    values[1] = value
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match=rf"a\.tif: .*{message}"):
        read_picture(tmp_path / "a.tif")


def test_palettes_one_bit_and_grey_are_colours(tmp_path, upright):
    picture = Image.fromarray(upright)
    for name, made in (
        ("palette.png", picture.quantize(32)),
        ("palette.gif", picture.quantize(32)),
        ("bit.png", picture.convert("1")),
        ("grey.jpg", picture.convert("L")),
        ("bit.tif", picture.convert("1")),
    ):
        made.save(tmp_path / name)
        assert difference(read_picture(tmp_path / name), np.asarray(made.convert("RGB"))) < 2


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparent_parts_show_the_background(tmp_path, upright, mode):
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, :8] = 0
    picture = Image.fromarray(np.dstack([upright, alpha]))
    if mode == "LA":
        picture = picture.convert("LA")
    elif mode == "P":
        picture = picture.convert("RGB").quantize(16)
        picture.info["transparency"] = 3
    elif mode == "PA":
        picture = picture.quantize(16, method=Image.Quantize.FASTOCTREE)
    path = tmp_path / "a.png"
    picture.save(path, **({"transparency": 3} if mode == "P" else {}))
    whole = np.asarray(picture.convert("RGBA"))
    clear, solid = whole[..., 3] == 0, whole[..., 3] == 255
    assert clear.any()
    for background in (MID_GREY, (255, 0, 10)):
        found = read_picture(path, background)
        assert (found[clear] == background).all()
        assert np.array_equal(found[solid], whole[solid][:, :3])
    half = np.dstack([np.full((8, 8, 3), 250, np.uint8), np.full((8, 8), 128, np.uint8)])
    Image.fromarray(half).save(tmp_path / "half.png")
    assert np.abs(read_picture(tmp_path / "half.png") - 189.0).max() < 2


def cmyk_profile():
    """A CMYK profile of two points an axis, whose colours are the wrong way round: more ink is brighter."""
    curve = bytes(range(256))
    corners = [(min(255, 64 * bin(number).count("1")), 128, 128) for number in range(16)]
    grid = b"".join(bytes(corner) for corner in corners)
    identity = struct.pack(">9i", *(65536 if index % 4 == 0 else 0 for index in range(9)))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + curve * 4 + grid + curve * 3
    text = b"upside down"
    desc = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" * 79
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    copyright_text = b"text\0\0\0\0none\0"
    tags, data, offset = b"", b"", 128 + 4 + 4 * 12
    for name, part in ((b"desc", desc), (b"wtpt", white), (b"cprt", copyright_text), (b"A2B0", table)):
        part += b"\0" * (-len(part) % 4)
        tags += name + struct.pack(">II", offset + len(data), len(part))
        data += part
    body = struct.pack(">I", 4) + tags + data
    header = struct.pack(">I", 128 + len(body)) + b"lcms" + b"\x02\x10\0\0" + b"prtrCMYKLab " + b"\0" * 12 + b"acsp"
    header += b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return header + b"\0" * (128 - len(header)) + body


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_converted_by_its_profile_if_it_has_one(tmp_path, suffix):
    light = Image.new("CMYK", (WIDTH, HEIGHT), (10, 0, 0, 0))
    light.save(tmp_path / f"plain{suffix}", quality=95)
    assert read_picture(tmp_path / f"plain{suffix}").mean() > 240
    light.save(tmp_path / f"profile{suffix}", quality=95, icc_profile=cmyk_profile())
    assert read_picture(tmp_path / f"profile{suffix}").mean() < 30
    light.save(tmp_path / f"damaged{suffix}", quality=95, icc_profile=cmyk_profile()[:300])
    assert read_picture(tmp_path / f"damaged{suffix}").mean() > 240


def test_a_profile_of_srgb_leaves_every_bit(tmp_path, upright):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(upright).save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(read_picture(tmp_path / "a.png"), upright)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path, upright, suffix):
    first, second = Image.fromarray(upright), Image.new("RGB", (WIDTH, HEIGHT), (9, 200, 9))
    options = {"lossless": True} if suffix == ".webp" else {}
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=[second], **options)
    assert difference(read_picture(tmp_path / f"a{suffix}"), upright) < 12


def encoded(picture, kind):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_picture_that_is_cut_off_is_named_with_its_size(tmp_path, kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    data = encoded(noise, kind)
    data = data[: max(12, int(share * len(data)))]
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"a\.png: the {kind} file of {len(data):,} bytes is cut off or damaged"):
        read_picture(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "it is a pointer of git-lfs for a file of 9 bytes: run `git lfs pull`",
        ),
        (b"<!DOCTYPE html><html>no such page</html>", "it is an HTML page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture .*convert it to JPEG"),
        (b"some words", "it is a text, 'some words'"),
        (b"\xfe" * 10, r"not a picture that can be read \(10 bytes, beginning with b'.xfe.xfe"),
    ],
)
def test_what_is_no_picture_is_named_with_what_it_is(tmp_path, data, message):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UserError, match=rf"a\.png: {message}"):
        read_picture(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"no\.png does not exist"):
        read_picture(tmp_path / "no.png")
    with pytest.raises(UserError, match="is a folder, expected a picture"):
        read_picture(tmp_path)


@pytest.mark.parametrize("size", [(1, 1), (30000, 2), (2, 30000), (2000, 50)])
def test_a_picture_of_extreme_size_is_refused_by_its_size(tmp_path, size):
    Image.new("L", size).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=rf"a\.png: a picture of {size[0]}x{size[1]} pixels, expected at least 8"):
        read_picture(tmp_path / "a.png")


def test_a_picture_that_would_fill_the_memory_is_refused_and_a_large_photo_is_not(tmp_path, monkeypatch):
    Image.new("1", (20000, 20000)).save(tmp_path / "bomb.png")
    with pytest.raises(UserError, match=r"bomb\.png: a picture of more than 178 million pixels"):
        read_picture(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100 * 60)
    Image.new("L", (100, 100)).save(tmp_path / "photo.png")
    assert read_picture(tmp_path / "photo.png").shape == (100, 100, 3)


def test_names_with_anything_in_them_are_read(tmp_path, upright, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("12:30 %03d.png", "[x].png", "-a.png", "真実.png"):
        Image.fromarray(upright).save(tmp_path / name)
        assert np.array_equal(read_picture(Path(name)), upright)
