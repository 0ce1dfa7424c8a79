"""Requests to a scheduler for training, against measurements."""

import pytest

from actrepro.config.reading import default_study
from actrepro.train.needs import LONGEST, SHORTEST, training_megabytes, training_minutes

STUDY = default_study()
# The most that any of four models took on a CPU, in MB (README's scales, one step).
MEASURED = {"quick": 313, "cpu": 484, "lite": 966, "partial": 1481, "full": 4687}


@pytest.mark.parametrize("scale", MEASURED)
def test_memory_is_what_was_measured_with_room(scale: str) -> None:
    asked = training_megabytes(STUDY.protocol(scale), cuda=False)
    assert 1.5 * MEASURED[scale] < asked < 2.5 * MEASURED[scale] + 1000


def test_on_a_gpu_the_host_keeps_no_activations() -> None:
    scales = ("quick", "full")
    assert len({training_megabytes(STUDY.protocol(scale), cuda=True) for scale in scales}) == 1


def test_minutes_grow_with_the_work_up_to_a_limit() -> None:
    minutes = [training_minutes(STUDY.protocol(scale), 1, cuda=False) for scale in MEASURED]
    assert minutes == sorted(minutes)
    assert minutes[0] == SHORTEST
    assert minutes[-1] == LONGEST
    partial = STUDY.protocol("partial")
    assert training_minutes(partial, 3, cuda=False) > 2 * training_minutes(partial, 1, cuda=False)
    assert training_minutes(partial, 1, cuda=True) < training_minutes(partial, 1, cuda=False)
