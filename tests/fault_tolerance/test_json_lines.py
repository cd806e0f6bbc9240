"""Files of a mapping in each line."""

import pytest

from s2tf.cluster.records import Submission, last_submission, note
from s2tf.fault_tolerance.json_lines import append_line, read_lines


@pytest.mark.parametrize(
    ("before", "kept"), [(b"", []), (b'{"a": 1}\n', [{"a": 1}]), (b'{"a": 1}\n{"b": ', [{"a": 1}]), (b'{"a', [])]
)
def test_a_line_behind_one_that_was_cut_off_can_be_read(tmp_path, before, kept):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(before)
    append_line(path, '{"c": 2}')
    append_line(path, '{"d": 3}')
    assert read_lines(path) == [*kept, {"c": 2}, {"d": 3}]


def test_a_job_is_known_though_the_line_before_was_cut_off(tmp_path):
    note(tmp_path, Submission("12", "here", "s2tf submit", "conre"))
    path = tmp_path / "submissions.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    note(tmp_path, Submission("13", "here", "s2tf submit", "conre"))
    assert last_submission(tmp_path).job == "13"
