import pytest

from s2tf.errors import UserError
from s2tf.evaluation.process_share import Part, choose_part


def test_parts_take_every_thing_once():
    things = list(range(11))
    parts = [Part(index, 4).of(things) for index in range(4)]
    assert sorted(thing for part in parts for thing in part) == things
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("given", "environment", "part"),
    [
        (None, {}, Part(0, 1)),
        ((1, 8), {"RANK": "3", "WORLD_SIZE": "4"}, Part(0, 8)),
        (None, {"RANK": "3", "WORLD_SIZE": "4"}, Part(3, 4)),
        # Inside `srun`; in a batch script alone SLURM_PROCID is 0 of all the job's tasks, which do not run.
        (None, {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2"}, Part(1, 2)),
        (None, {"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, Part(0, 1)),
    ],
)
def test_the_part_is_given_or_read_off_the_environment(given, environment, part):
    assert choose_part(given, environment) == part


def test_tasks_of_an_array_share_with_their_processes():
    found = set()
    for task in (3, 4):
        for process in (0, 1):
            numbers = {"ID": task, "MIN": 3, "MAX": 4, "COUNT": 2}
            environment = {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in numbers.items()}
            found.add(choose_part(None, environment | {"RANK": str(process), "WORLD_SIZE": "2"}))
    assert found == {Part(index, 4) for index in range(4)}


def test_an_array_with_holes_is_refused():
    environment = {
        f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in {"ID": 1, "MIN": 1, "MAX": 9, "COUNT": 3}.items()
    }
    with pytest.raises(UserError, match="expected consecutive numbers"):
        choose_part(None, environment)
