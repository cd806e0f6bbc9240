import json
from collections import Counter
from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from datamodules.prepare.synthetic.hair import STYLES
from datamodules.prepare.synthetic.looks import MEN_STYLES, WOMEN_STYLES
from datamodules.prepare.synthetic.speaker import VOICE_LINKED, Face, make_speaker, restyle

SPEAKERS = [make_speaker(3, index) for index in range(600)]


def correlation(first, second):
    return float(np.corrcoef(first, second)[0, 1])


def column(group, name):
    return np.array([asdict(getattr(speaker, group))[name] for speaker in SPEAKERS])


def test_same_arguments_give_the_same_person():
    assert make_speaker(3, 5) == make_speaker(3, 5)


def test_other_seeds_and_indices_give_other_people():
    people = {make_speaker(seed, index).voice for seed in range(4) for index in range(20)}
    assert len(people) == 80
    assert make_speaker(1, 0).identity != make_speaker(2, 0).identity


@pytest.mark.parametrize("arguments", [(-1, 0), (0, -1), (0, 0, -1)])
def test_negative_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="must be 0 or more"):
        make_speaker(*arguments)


def test_any_even_block_has_as_many_women_as_men_in_no_fixed_order():
    genders = [speaker.gender for speaker in SPEAKERS]
    assert Counter(genders[:32]) == {"female": 16, "male": 16}
    assert Counter(genders[10:24]) == {"female": 7, "male": 7}
    assert 0.4 < np.mean([genders[index] == "female" for index in range(0, 600, 2)]) < 0.6


def test_ages_cover_18_to_80():
    ages = [speaker.age for speaker in SPEAKERS]
    assert min(ages) >= 18
    assert max(ages) <= 80
    assert np.ptp(ages) > 60


def test_pitch_and_formants_stay_within_a_human_range_and_tell_the_genders_apart():
    pitch, scale = column("voice", "pitch"), column("voice", "formant_scale")
    women = np.array([speaker.gender == "female" for speaker in SPEAKERS])
    assert pitch.min() >= 80
    assert pitch.max() <= 260
    assert scale.min() > 0.8
    assert scale.max() < 1.22
    assert pitch[women].mean() > 1.4 * pitch[~women].mean()
    assert scale[women].mean() > 1.1 * scale[~women].mean()


@pytest.mark.parametrize("name", ["face_length", "jaw_width"])
def test_face_shape_follows_the_vocal_tract(name):
    assert correlation(column("face", name), column("voice", "formant_scale")) < -0.9


@pytest.mark.parametrize("name", ["brow_thickness", "nose_size"])
@pytest.mark.parametrize("gender", ["female", "male"])
def test_brows_and_nose_follow_the_pitch_within_a_gender(name, gender):
    chosen = np.array([speaker.gender == gender for speaker in SPEAKERS])
    assert correlation(column("face", name)[chosen], np.log(column("voice", "pitch")[chosen])) < -0.8


@pytest.mark.parametrize("name", ["wrinkles", "grey"])
def test_ageing_is_seen_and_heard(name):
    assert correlation(column("face", name), column("voice", "breathiness")) > 0.8
    assert correlation(column("face", name), column("voice", "rate")) < -0.7


@pytest.mark.parametrize("name", [field.name for field in fields(Face) if field.name not in VOICE_LINKED])
def test_the_other_dimensions_do_not_follow_the_voice(name):
    for voice in ("pitch", "formant_scale", "brightness", "breathiness", "rate"):
        assert abs(correlation(column("face", name), column("voice", voice))) < 0.15


def test_another_day_changes_the_looks_and_nothing_else():
    for speaker in SPEAKERS[:20]:
        other = restyle(speaker, 3)
        assert other == make_speaker(speaker.seed, speaker.index, 3)
        assert replace(other, appearance=speaker.appearance) == speaker
        assert other.identity == speaker.identity
        assert other.appearance.background != speaker.appearance.background
        kept = ("skin", "eyes", "brows", "beard", "hair_style")
        assert all(getattr(other.appearance, name) == getattr(speaker.appearance, name) for name in kept)


def test_truth_is_json_and_groups_every_dimension():
    truth = json.loads(json.dumps(SPEAKERS[0].truth()))
    assert set(truth["voice_linked"]) == set(VOICE_LINKED)
    assert set(truth["voice_linked"]) | set(truth["voice_independent"]) == {field.name for field in fields(Face)}


def test_every_hair_style_exists():
    assert {*WOMEN_STYLES, *MEN_STYLES} == set(STYLES)
