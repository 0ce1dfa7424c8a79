"""Random streams: independent by name, the same for every activation and model."""

import inspect

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from actrepro.core import seeds
from actrepro.core.seeds import batch_starts, stream_seed

NAMES = (seeds.INITIALISATION, seeds.BATCHES, seeds.DROPOUT)
SEEDS = st.integers(0, 2**31 - 1)


@given(SEEDS)
def test_a_stream_seed_is_a_63_bit_number_of_seed_and_name(seed: int) -> None:
    found = [stream_seed(seed, name) for name in NAMES]
    assert found == [stream_seed(seed, name) for name in NAMES]
    assert all(0 <= value < 2**63 for value in found)
    assert len(set(found)) == 3


def test_no_two_streams_of_many_seeds_are_the_same() -> None:
    found = {stream_seed(seed, name) for seed in range(1000) for name in NAMES}
    assert len(found) == 3000


def test_stream_seeds_do_not_change_with_the_version() -> None:
    # A change here would change every result: runs would no longer be the same.
    assert stream_seed(42, seeds.INITIALISATION) == 3282084749954839580
    assert batch_starts(42, 1, 4, 1000, 10).tolist() == [[720, 833, 272, 799]]


@given(seed=SEEDS, iterations=st.integers(1, 5), batch=st.integers(1, 5), more=st.integers(1, 50))
def test_every_sequence_lies_in_the_text(seed: int, iterations: int, batch: int, more: int) -> None:
    starts = batch_starts(seed, iterations, batch, 16 + more, 16)
    assert starts.shape == (iterations, batch)
    assert starts.min() >= 0
    # A sequence is the context and the character after it.
    assert starts.max() + 16 + 1 <= 16 + more


def test_every_start_can_be_drawn() -> None:
    starts = batch_starts(1, 200, 5, 16 + 7, 16)
    counts = np.bincount(starts.flatten(), minlength=7)
    assert len(counts) == 7
    assert counts.min() > 90


def test_longer_training_begins_with_the_same_batches() -> None:
    short, long = (batch_starts(1, iterations, 4, 1000, 16) for iterations in (5, 9))
    np.testing.assert_array_equal(short, long[:5])


def test_other_seeds_see_other_batches() -> None:
    assert not np.array_equal(batch_starts(1, 5, 4, 1000, 16), batch_starts(2, 5, 4, 1000, 16))


def test_batches_cannot_depend_on_model_or_activation() -> None:
    assert list(inspect.signature(batch_starts).parameters) == [
        "seed",
        "iterations",
        "batch",
        "text_length",
        "context",
    ]
