"""Folders of shards with any name: no bracket, brace or colon in it is a pattern or a scheme."""

import json
import os

import pytest

from datamodules.shards.sources import ShardSource, is_url, open_source

NAMES = ["plain", "[x]", "{a,b}", "take:1", "100%d", "-a b", "a*", "真実", "out.tar", "s3:"]
SHARDS = [f"train-{number:06d}.tar" for number in range(2)]


def folder_of_shards(folder):
    folder.mkdir(parents=True)
    counts = dict.fromkeys(SHARDS, 1)
    (folder / "manifest.json").write_text(
        json.dumps({"splits": {"train": {"shards": counts}}, "crop_rule": {"size": 64}})
    )
    for name in SHARDS:
        (folder / name).touch()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pattern", ["", "/train-{000000..000001}.tar", "/train-*.tar", "/train-00000[01].tar"])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_folder_of_any_name_is_read_by_itself_and_by_patterns_below_it(
    tmp_path, monkeypatch, name, pattern, absolute
):
    monkeypatch.chdir(tmp_path)
    folder_of_shards(tmp_path / name)
    source = open_source(ShardSource(f"{tmp_path}/{name}{pattern}" if absolute else f"{name}{pattern}"))
    shards = source.split("train")
    assert shards.local
    assert [os.path.basename(url) for url in shards.urls] == SHARDS
    assert all(os.path.isfile(url) for url in shards.urls)


def test_patterns_over_folders_are_still_patterns(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / SHARDS["ab".index(name)]).touch()
    folder_of_shards(tmp_path / "all")
    manifest = str(tmp_path / "all" / "manifest.json")
    for pattern in ("{a,b}/train-*.tar", "[ab]/*.tar", "?/train-00000?.tar"):
        source = open_source(ShardSource(f"{tmp_path}/{pattern}", manifest=manifest))
        assert len(source.split("train").urls) == 2


@pytest.mark.parametrize("text", ["https://x/y", "s3://bucket/x", "hf:x", "pipe:cat x", "file:/x"])
def test_schemes_are_urls(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    assert is_url(text)
