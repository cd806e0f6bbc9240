import json
import math

import pytest

from s2tf.evaluation.measurement import Measurement, measurements_to_json


def test_a_number_without_protocol_is_refused():
    with pytest.raises(ValueError, match="psnr"):
        Measurement("psnr", 30.0, protocol={})


def test_where_neither_more_nor_less_is_better_there_is_no_target():
    assert Measurement("x", 1.0, {"crop": "none"}, truth=2.0, higher_is_better=None).reached is None
    with pytest.raises(ValueError, match="'x' has a target, but higher_is_better is None"):
        Measurement("x", 1.0, {"crop": "none"}, target=0.5, higher_is_better=None)


@pytest.mark.parametrize(
    ("value", "higher_is_better", "reached"),
    [(0.9, True, True), (0.8, True, False), (0.8, False, True), (0.9, False, False), (math.nan, False, False)],
)
def test_a_target_is_read_in_its_direction(value, higher_is_better, reached):
    measurement = Measurement("x", value, {"crop": "none"}, target=0.85, higher_is_better=higher_is_better)
    assert measurement.reached is reached


def test_the_record_is_plain_json_with_the_truth_beside_the_number():
    measurement = Measurement("r1", math.nan, {"gallery_size": 32}, baseline=1 / 32, truth=0.9, counts={"queries": 32})

    record = json.loads(json.dumps(measurements_to_json([measurement]), allow_nan=False))["r1"]

    assert record["value"] is None
    assert record["truth"] == 0.9
    assert record["protocol"] == {"gallery_size": 32}
    assert record["reached"] is None


def test_two_numbers_of_one_name_are_refused():
    measurement = Measurement("r1", 0.5, {"gallery_size": 32})
    with pytest.raises(ValueError, match="r1"):
        measurements_to_json([measurement, measurement])
