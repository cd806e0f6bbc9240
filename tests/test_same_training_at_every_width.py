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
CAUSES = {
    "from scratch": r"from scratch|random (weights|features)|trained (weights|AlexNet)|(weights are|LPIPS is) absent"
    r"|public weights|needs a download",
    "narrow network": r"narrow",
    "short schedule": r"few steps|hundreds of steps|of \d+ steps|times its length",
    "small data": r"a few hundred speakers|one short clip|one speech|synthetic speakers",
    "cost": r"cost \d+ times|at the price of",
    "one phase": r"no phase of its own",
    "in proportion": r"as at paper size|as \d+ of \d+|none is finer than the codes",
}
"""Words by which a comment names why a narrow training differs; any other comment is no reason."""
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
    """A file and its bases, each before the files that change it."""
    bases = (yaml.safe_load(path.read_text()) or {}).get("base") or []
    return [
        *(one for base in ([bases] if isinstance(bases, str) else bases) for one in files_of(path.parent / base)),
        path,
    ]


def comments_of(path: Path) -> dict[str, str]:
    """Comments of a file by the dotted paths of their keys: behind the value, or alone on the line above."""
    text = path.read_text()
    lines, found = text.splitlines(), {}

    def walk(node, place):
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            own, line = f"{place}.{key.value}".lstrip("."), key.start_mark.line
            behind = re.search(r"\s# (.+)", lines[line]) or re.match(r"\s+# (.+)", lines[line - 1] if line else "")
            if behind:
                found[own] = behind[1]
            walk(value, own)

    walk(yaml.compose(text), "")
    return found


def reasons(path: Path) -> dict[str, str]:
    """Comments of a narrow experiment and its narrow bases; the paper's own comments do not count."""
    narrow = [one for one in files_of(path) if one.resolve().parent.name in ("small", "demo")]
    return {key: text for one in narrow for key, text in comments_of(one).items()}


def cause(text: str, said: dict[str, str], seen: frozenset[str] = frozenset()) -> str | None:
    """Name the cause in a comment, or in that of the key to which it points: `see learning_rate`."""
    for name, words in CAUSES.items():
        if re.search(words, text):
            return name
    for pointed in re.findall(r"\bsee (?:the )?(\w+)", text):
        for key, other in said.items():
            if re.search(rf"(^|[._]){pointed}(\.|$)", key) and other not in seen | {text}:
                found = cause(other, said, seen | {text})
                if found:
                    return found
    return None


def cause_of(key: str, said: dict[str, str]) -> str | None:
    """Name the cause of a key or of its variable; that of another class counts for all of its arguments."""
    classes = [f"{key[: place.start()]}.class_path" for place in re.finditer(r"\.init_args\.", key)]
    places = (key, f"{key}.class_path", f"vars.{key.rpartition('.')[2]}", *classes)
    return next((found for one in places if one in said and (found := cause(said[one], said))), None)


def differences(stage: str, folder: str) -> list[str]:
    """Describe each difference that is neither free nor has its cause beside it."""
    paper, file = EXPERIMENTS / f"{stage}.yaml", EXPERIMENTS / folder / f"{stage}.yaml"
    own = compose(paper, [f"+{file}"], "random") if folder == "small" else compose(file, missing="random")
    one, other = flat(compose(paper, missing="random")), flat(own)
    said = reasons(file)
    return [
        f"{key}: {one.get(key, 'default')} at the paper's size, {other.get(key, 'default')} in {folder}"
        for key in sorted(one.keys() | other.keys())
        if one.get(key, "default") != other.get(key, "default") and not FREE.match(key) and not cause_of(key, said)
    ]


@pytest.mark.parametrize(("stage", "folder"), PAIRS)
def test_a_differing_target_loss_weight_or_schedule_has_its_reason_beside_it(stage, folder):
    assert differences(stage, folder) == []


@pytest.fixture
def narrow_scfp(tmp_path, monkeypatch):
    """Give the text of small/scfp.yaml to a change, and describe the differences of the result."""
    (tmp_path / "small").mkdir()
    for name in ("scfp.yaml", "base/trainer.yaml", "demo/cpu.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((EXPERIMENTS / name).read_text())
    text = (EXPERIMENTS / "small" / "scfp.yaml").read_text()
    monkeypatch.setitem(globals(), "EXPERIMENTS", tmp_path)

    def changed(pattern: str, by: str) -> list[str]:
        assert re.search(pattern, text)
        (tmp_path / "small" / "scfp.yaml").write_text(re.sub(pattern, by, text))
        return [one.split(":")[0].rpartition(".")[2] for one in differences("scfp", "small")]

    return changed


DRAWS = r"( +)draws: 4 .*"


def test_a_value_without_a_reason_is_found(narrow_scfp):
    assert narrow_scfp(DRAWS, r"\1draws: 4\n\1speech_dropout: 0.1") == ["draws", "speech_dropout"]


@pytest.mark.parametrize(
    "comment", ["# as in the paper", "# noise draws of a sample", "# see warmup_steps", "# see draws"]
)
def test_a_comment_that_names_no_cause_is_no_reason(narrow_scfp, comment):
    assert narrow_scfp(DRAWS, rf"\1draws: 4  {comment}") == ["draws"]


def test_a_reason_beside_the_papers_value_does_not_speak_for_the_narrow_one(narrow_scfp):
    paper = EXPERIMENTS / "scfp.yaml"
    paper.write_text(re.sub(r"(portrait: first)  #.*", r"\1  # narrow networks and few steps", paper.read_text()))
    assert narrow_scfp(r"(portrait: aligned)  #.*", r"\1") == ["portrait"]


@pytest.mark.parametrize(
    "lines",
    [r"\1draws: 4  # few steps", r"\1# few steps\n\1draws: 4", r"\1draws: 4  # see learning_rate"],
    ids=["behind", "above", "pointer"],
)
def test_a_cause_behind_the_value_or_above_it_or_where_it_points_is_a_reason(narrow_scfp, lines):
    assert narrow_scfp(DRAWS, lines) == []
