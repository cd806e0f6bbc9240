"""The sub-commands of `s2tf report`: old spellings, and options of another subject."""

import pytest

from s2tf.cli import main


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["table3", "--runs", "runs"], "s2tf report table table3"),
        (["table12", "--device", "cuda"], "s2tf report table table12"),
        (["injection"], "s2tf report table injection"),
        (["figure12", "--run", "x"], "s2tf report figure figure12"),
        (["portraits"], "s2tf report figure portraits"),
        (["parameters"], "s2tf report cost parameters"),
        (["html", "--out", "report"], "s2tf report page"),
    ],
)
def test_an_old_spelling_is_refused_with_the_new_one(old, new, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["report", *old])
    assert f"write `{new}`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["table", "table3", "--device", "cuda"],
        ["table", "table12", "--runs", "runs"],
        ["figure", "figure12", "--run", "x", "--out", "x", "--priors", "x"],
        ["figure", "figure10", "--priors", "x", "--out", "x", "--clips", "2"],
        ["cost", "parameters", "--nodes", "2"],
        ["page", "--out", "x", "--seconds", "2"],
    ],
)
def test_an_option_of_another_subject_is_refused_before_any_work(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["report", *words])
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["table", "table13"], ["figure", "table3"], ["cost", "time"]])
def test_an_unknown_subject_is_refused_with_the_known_ones(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["report", *words])
    assert f"{words[1]!r}" in capsys.readouterr().err
