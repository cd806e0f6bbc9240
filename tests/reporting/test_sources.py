"""Results that are given for a report by name."""

import unicodedata

import pytest

from s2tf.reporting.sources import Result


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_row_is_named_alike_however_its_letters_are_spelt(form):
    found = Result.parse(unicodedata.normalize(form, "table8: Zoë = 1 =12:30 results/metrics.json"))
    assert (found.name, found.table) == ("Zoë", "table8")


def test_a_path_may_have_colons_and_equal_signs():
    found = Result.parse("mine=a=b/12:30 %d [x].json")
    assert (found.name, str(found.path), found.table) == ("mine", "a=b/12:30 %d [x].json", None)
