"""Experiments of the paper's size and of small width train the same, or say beside the value why they do not."""

import re
from pathlib import Path

import pytest
import yaml

from s2tf.config import EXPERIMENTS, compose

FREE = re.compile(
    # One machine, its logs, the length of the training, and the data.
    r"trainer\.(accelerator|devices|strategy|precision|logger|enable_|limit_val_batches|max_steps)|tracking\."
    r"|data\.init_args\.(batch_size|num_workers|size|input_size|output_size|seconds|frames|pairs_per_clip)$|prior\.faces$"
    r"|model\.init_args\.warmup_steps$"
    # The width of a network: channels, layers, sides, lengths of vectors.
    r"|.*\.(width|dim|hidden|channels|channel_base|channel_max|image_size|size|output_size|latent_dim|latent_shape"
    r"|motion_dim|feature_dim|context_dim|condition_dim|embedding|heads|head_dim|tokens|norm_groups|layers_per_block"
    r"|blocks_per_level|attention_levels|depths|halvings|pooled|window|time_strides|frequency_strides|out_dim"
    r"|codes|code_dim|latent_side|widths|res_blocks)$"
)
"""Keys that may differ without a reason: width, batch, steps, data and device."""
STAGES = ("conre", "prior", "scfp", "motion_autoencoder", "lip_landmarks", "motion_diffusion", "syncnet", "codebook")
PAIRS = [
    pytest.param(stage, folder, id=f"{stage}-{folder}")
    for stage in STAGES
    for folder in ("small", "demo")
    if (EXPERIMENTS / folder / f"{stage}.yaml").is_file()
]


def flat(tree, path="") -> dict[str, object]:
    """Every value by its dotted path; a list is one value."""
    if not isinstance(tree, dict):
        return {path: tree}
    return {key: value for name in tree for key, value in flat(tree[name], f"{path}.{name}".lstrip(".")).items()}


def files_of(path: Path) -> list[Path]:
    """A file and its bases."""
    bases = (yaml.safe_load(path.read_text()) or {}).get("base") or []
    return [
        path,
        *(one for base in ([bases] if isinstance(bases, str) else bases) for one in files_of(path.parent / base)),
    ]


def reasons(path: Path) -> set[str]:
    """Dotted paths of the keys of a file whose line ends in a comment."""
    lines, found = path.read_text().splitlines(), set()

    def walk(node, place):
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            own = f"{place}.{key.value}".lstrip(".")
            if re.search(r"\s# \w", lines[key.start_mark.line]):
                found.add(own)
            walk(value, own)

    walk(yaml.compose(path.read_text()), "")
    return found


def is_said(key: str, said: set[str]) -> bool:
    """True if the key has a reason, or its variable; that of another class counts for all of its arguments."""
    variable = f"vars.{key.rpartition('.')[2]}"
    return bool({key, variable} & said) or any(
        f"{key[: place.start()]}.class_path" in said for place in re.finditer(r"\.init_args\.", key)
    )


def differences(stage: str, folder: str) -> list[str]:
    """Describe each difference that is neither free nor has a reason."""
    paper, file = EXPERIMENTS / f"{stage}.yaml", EXPERIMENTS / folder / f"{stage}.yaml"
    own = compose(paper, [f"+{file}"], "random") if folder == "small" else compose(file, missing="random")
    one, other = flat(compose(paper, missing="random")), flat(own)
    said = set().union(*(reasons(path) for path in (*files_of(file), paper)))
    return [
        f"{key}: {one.get(key, 'default')} at the paper's size, {other.get(key, 'default')} in {folder}"
        for key in sorted(one.keys() | other.keys())
        if one.get(key, "default") != other.get(key, "default") and not FREE.match(key) and not is_said(key, said)
    ]


@pytest.mark.parametrize(("stage", "folder"), PAIRS)
def test_a_differing_target_loss_weight_or_schedule_has_its_reason_beside_it(stage, folder):
    assert differences(stage, folder) == []


def test_a_value_without_a_reason_is_found(tmp_path, monkeypatch):
    text = (EXPERIMENTS / "small" / "scfp.yaml").read_text()
    (tmp_path / "small").mkdir()
    for name in ("scfp.yaml", "base/trainer.yaml", "demo/cpu.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((EXPERIMENTS / name).read_text())
    (tmp_path / "small" / "scfp.yaml").write_text(re.sub(r"(draws: 4) .*", r"\1\n    speech_dropout: 0.1", text))
    monkeypatch.setitem(globals(), "EXPERIMENTS", tmp_path)
    found = differences("scfp", "small")
    assert [one.split(":")[0].rpartition(".")[2] for one in found] == ["draws", "speech_dropout"]
