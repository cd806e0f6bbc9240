"""Overrides and YAML files mean what they say: a scalar stays text until the field that it reaches reads it."""

import json
import math
import shlex
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonargparse import ArgumentParser
from typed_fields import TypedFields

from s2tf.cli import main
from s2tf.config import EXPERIMENTS, compose, composition, identity_hash
from s2tf.errors import UserError
from s2tf.runs.build import build
from s2tf.runs.folder import Run, read_config, write_config

HASHES = Path(__file__).parents[1] / "fixtures" / "override_hashes.json"
FIELDS = "vars: {{x: old}}\nmodel: {{class_path: typed_fields.TypedFields, init_args: {{{name}: '${{vars.x}}'}}}}"
YAML_LIKE = st.text("0123456789_+-.eExobinfa:,=#&*!%@|>~ \\'\"[]{}?ntrulOY\n\t", max_size=12)
NUMBERS = (
    st.floats(allow_nan=False).map(repr) | st.integers().map(str) | st.from_regex(r"[-+]?[0-9_]{1,5}", fullmatch=True)
)
ANY = YAML_LIKE | st.text(max_size=8) | NUMBERS | st.sampled_from(["on", "null", "~", "???", "", "nan", "0123", "1e-4"])
DRAWS = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def fields(tmp_path):
    """Composes an experiment whose only variable reaches the argument of that name."""

    def read(name, override, **config):
        path = tmp_path / f"{name}.yaml"
        if not path.is_file():
            path.write_text(FIELDS.format(name=name))
        return compose(path, [override])["model"]["init_args"][name]

    return read


def taken(name, value):
    """What the class gets, through jsonargparse, as in a training."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(TypedFields, "model")
    config = {"model": {"class_path": "typed_fields.TypedFields", "init_args": {name: value}}}
    return parser.instantiate(parser.parse_object(config)).model.taken[name]


AS_TYPED = [
    "2024_11_27", "2024-11-27", "20241127", "0123", "0o17", "0x1F", "on", "yes", "No", "true", "null", "~", "1e3",
    "1e-4", "1.10", "1:30", "12:00:00", ".inf", "nan", "*.tar", "&a", "!x", "@x", "%41", "|", ">", "?", "- a", "a: b",
    "set #1", "#1", "'a'b", "'a' #b", "[a", "{0..3}.tar", "train-{000000..000127}.tar", "a=b", "=", "C:\\data\\new",
    "/a b/c d", "~/x", "s3://bucket/x?y=1&z=2", " a ", "a\tb", "größe", "größe", "名前", "\udce4", "$HOME", "a\\b",
    "1_000", "[]", "{}", "",
]  # fmt: skip


@pytest.mark.parametrize("text", AS_TYPED)
def test_a_text_reaches_a_text_as_it_was_typed(fields, text):
    found = fields("text", f"vars.x={text}")
    assert found == text
    assert taken("text", found) == text
    assert fields("sources", f"vars.x={text}") == ([] if text == "[]" else text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("number", "1e-4", 1e-4),
        ("number", "1e3", 1000.0),
        ("number", "0123", 123),
        ("number", "inf", math.inf),
        ("number", "-.inf", -math.inf),
        ("number", "1_000.5", 1000.5),
        ("count", "0123", 123),
        ("count", "1_000", 1000),
        ("count", "0b11", 3),
        ("flag", "on", True),
        ("flag", "No", False),
        ("flag", "true", True),
        ("maybe", "null", None),
        ("maybe", "", None),
        ("maybe", "0123", "0123"),
        ("either", "0123", 123),
        ("either", "1_000", 1000),
        ("mode", "on", "on"),
        ("texts", "[0123, on, a, 1e3, '5', *.tar, null]", None),
        (
            "texts",
            "[0123, on, a b, 1e3, '5', null, 2024_11_27]",
            ["0123", "on", "a b", "1e3", "5", "null", "2024_11_27"],
        ),
        ("numbers", "[1e-4, 1_0, inf, 5]", None),
        ("numbers", "[1e-4, 5]", [1e-4, 5]),
        ("names", "{a: 0123, on: off, 1: null}", {"a": "0123", "on": "off", "1": "null"}),
        (
            "sources",
            "[{shards: 0123, weight: 1e1}, {shards: a}]",
            [{"shards": "0123", "weight": 10.0}, {"shards": "a"}],
        ),
        ("anything", "on", True),
        ("anything", "a", "a"),
        ("anything", "1e3", 1000.0),
        ("text", "'set #1'", "set #1"),
        ("text", '"a\\tb"', "a\tb"),
        ("text", "'0123'", "0123"),
        ("text", "'[a, b]'", "[a, b]"),
        ("text", "\\${HOME}", "${HOME}"),
    ],
)
def test_a_field_reads_its_type(fields, name, text, value):
    if name in ("texts", "numbers") and value is None:
        with pytest.raises(UserError) as raised:
            fields(name, f"vars.x={text}")
        assert f"vars.x={text}: model.{name} (TypedFields): expected" in str(raised.value)
        return
    found = fields(name, f"vars.x={text}")
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("count", "abc", "expected int"),
        ("count", "1:30", "expected int"),
        ("count", "1e3", "expected int"),
        ("count", "", "expected int"),
        ("number", "on", "expected float"),
        ("number", "[1, 2]", "expected float"),
        ("flag", "maybe", "expected bool"),
        ("mode", "middle", "expected Literal['on', 'off']"),
        ("text", "[a, b]", "expected str"),
        ("text", "{a: b}", "expected str"),
        ("texts", "{a: b}", "expected list"),
        ("sources", "[{shards: a, wieght: 2}]", "sources (Source): Option 'wieght' is not accepted"),
        ("numbers", "[1, x]", "expected float"),
        ("sources", "[a, b]", "expected str"),
    ],
)
def test_a_value_that_a_field_does_not_take_is_named_with_its_key(fields, name, text, expected):
    with pytest.raises(UserError) as raised:
        fields(name, f"vars.x={text}")
    assert str(raised.value) == f"vars.x={text}: model.{name} (TypedFields): {expected}"


@pytest.mark.parametrize("text", ["${HOME}", "${", "a${b", "${vars.y}", "???"])
def test_what_cannot_be_filled_in_is_named_with_its_key(fields, text):
    with pytest.raises(UserError, match=r"vars\.[xy]"):
        fields("text", f"vars.x={text}")


def read(fields, name, override):
    """The value that the argument gets, and the message if the override is refused."""
    try:
        return fields(name, override), ""
    except UserError as error:
        return None, str(error)


@DRAWS
@given(text=ANY)
@example("'")
@example("[" * 3000)
def test_any_text_reaches_a_text_unchanged_or_is_refused(fields, text):
    found, refused = read(fields, "text", f"vars.x={text}")
    if refused:
        # A list, a mapping, or what OmegaConf fills in.
        assert text.strip()[:1] in ("[", "{") or "${" in text or text == "???"
        assert f"vars.x={text}" in refused or repr(f"vars.x={text}") in refused or text == "???"
    else:
        assert found == text or found == unquoted(text)


def unquoted(text):
    """The text of one scalar in quotes."""
    assert text.strip()[0] == text.strip()[-1] in "'\"" or "${" in text
    return yaml.safe_load(text) if text.strip()[0] in "'\"" else text.replace("\\${", "${")


@DRAWS
@given(text=ANY)
@example("٣")
@example("1" * 5000)
def test_any_text_reaches_a_number_as_python_reads_it(fields, text):
    try:
        number = float(text)
    except ValueError:
        number = None
    found, refused = read(fields, "number", f"vars.x={text}")
    if refused:
        assert number is None or abs(number) == math.inf
        assert f"vars.x={text}" in refused or repr(f"vars.x={text}") in refused or text == "???"
    elif number is not None:
        assert float(found) == number or (math.isnan(found) and math.isnan(number))


def test_a_yaml_file_is_read_like_overrides(tmp_path):
    path = tmp_path / "mine.yaml"
    text = "vars: {x: 0123, folder: 2024_11_27}\nmodel:\n  class_path: typed_fields.TypedFields\n  init_args:\n"
    init_args = {
        "text: ${vars.folder}": ("text", "2024_11_27"),
        "texts: [0123, on, !!str 5, '6', \"${vars.x}/a\"]": ("texts", ["0123", "on", "5", "6", "0123/a"]),
        "number: 1e-4": ("number", 1e-4),
        "count: 0123": ("count", 123),
        "flag: on": ("flag", True),
        "maybe: ~": ("maybe", None),
        "names: {on: off, a: '${vars.x}'}": ("names", {"on": "off", "a": "0123"}),
        "anything: 1:30": ("anything", "1:30"),
    }
    path.write_text(text + "".join(f"    {line}\n" for line in init_args))
    assert compose(path)["model"]["init_args"] == dict(init_args.values())
    path.write_text(f"{text}    text: ${{vars.folder}}\n    count: ${{vars.x}}s\n    flag: 3\n")
    with pytest.raises(UserError, match=r"mine\.yaml, line 7: 3: model\.flag \(TypedFields\): expected bool"):
        compose(path, ["model.init_args.count=1"])


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("model: {a: 1,\n  a: 2}", "line 2: the key 'a' is given twice"),
        ("model: [1,\n  2", "line 2"),
        ("model: &a [*a]", "not a readable YAML file"),
        ("model: \x00", "not a readable YAML file"),
    ],
)
def test_a_file_that_is_no_yaml_is_named_with_the_line(tmp_path, text, telling):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        compose(path)
    assert str(raised.value).startswith(f"{path} is not a readable YAML file: ")
    assert telling in str(raised.value)


def test_a_key_may_have_any_letters_and_the_later_of_two_wins(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "vars: {größe: 1}\nmodel: {class_path: typed_fields.TypedFields, init_args: {count: '${vars.größe}'}}",
        encoding="utf-8",
    )
    # The name composed, decomposed, and given twice.
    for overrides in (["vars.größe=2"], ["vars.gro\u0308ße=2"], ["vars.größe=1", "vars.größe=2"]):
        assert compose(path, overrides)["model"]["init_args"] == {"count": 2}


@pytest.mark.parametrize("text", ["20241127", "0123", "1e3", "1e-4", "on", "~", "", " a", "\udce4", "größe: 1 #2"])
def test_a_run_folder_is_read_back_to_its_config_and_hash(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(FIELDS.format(name="text"))
    config = compose(path, [f"vars.x={text}"])
    run = Run("mine", config, tmp_path / "run")
    write_config(run)
    assert read_config(run.folder) == config == compose(run.folder / "config.yaml")
    assert yaml.safe_load((run.folder / "config.yaml").read_text()) == config
    assert identity_hash(compose(run.folder / "config.yaml")) == identity_hash(config)


def test_every_experiment_keeps_its_hash_under_overrides():
    """As commit 70210f4 computed them, which read overrides by YAML 1.1."""
    hashes = json.loads(HASHES.read_text())
    commands = {words: shlex.split(words) for words in hashes}
    found = {
        words: identity_hash(compose(EXPERIMENTS / path, overrides, missing="random"))
        for words, (path, *overrides) in commands.items()
    }
    assert found == hashes


@pytest.mark.slow
def test_the_files_of_s2tf_hold_what_their_fields_want(monkeypatch):
    """Their scalars are read without a look at the fields."""
    paths = [shlex.split(words)[0] for words in json.loads(HASHES.read_text())]
    before = {path: compose(EXPERIMENTS / path, missing="random") for path in paths}
    monkeypatch.setattr(composition, "EXPERIMENTS", Path("/nowhere"))
    assert {path: compose(EXPERIMENTS / path, missing="random") for path in paths} == before


@pytest.mark.parametrize("name", ["2024_11_27", "20241127", "0123", "on", "1e3", "set #1", "a: b", "null"])
def test_a_folder_of_shards_may_have_any_name(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    words = [f"vars.shards={name}", "trainer.max_steps=1", "trainer.logger=false"]
    assert build(compose("demo/conre.yaml", words), instantiate=False).config.data.init_args.shards == name
    assert main(["fit", "demo/conre.yaml", *words]) == 2
    # The folder is empty.
    assert name in capsys.readouterr().err


def test_a_class_path_is_left_to_the_building_of_the_class():
    """A logger of the trainer gets its folder from the run, and may be of a package that is not here."""
    for name in ("lightning.pytorch.loggers.CSVLogger", "no_such_package.Logger"):
        config = compose("scfp.yaml", [f"trainer.logger.class_path={name}"], missing="x")
        assert config["trainer"]["logger"]["class_path"] == name


@pytest.mark.parametrize("override", ["trainer=3", "data=", "model=x", "model.class_path=3", "data.class_path=a b"])
def test_a_section_that_is_no_mapping_and_a_path_that_is_none_are_named(override):
    with pytest.raises(UserError, match=rf"override '{override}': "):
        compose("demo/conre.yaml", [override], missing="x")
