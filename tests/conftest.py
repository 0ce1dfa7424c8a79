"""What all tests share: one thread for torch, no deadlines, an evaluation set."""

import gc
from collections.abc import Iterator

import pytest
import synthetic
import torch
from hypothesis import settings

from actrepro.data.evaluation_set import EvaluationSet, evaluation_set

torch.set_num_threads(1)
# How long an example takes says nothing about the code on a machine that others use too.
settings.register_profile("actrepro", deadline=None, max_examples=50)
settings.load_profile("actrepro")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run workflows come first: side by side with them, short ones fill the end."""
    long = {item.path for item in items if item.get_closest_marker("workflow")}
    items.sort(key=lambda item: item.path not in long)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What computes on a GPU is skipped where there is none."""
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")


@pytest.fixture(scope="session", autouse=True)
def _no_collecting() -> Iterator[None]:
    """statsmodels' Holm collects garbage at each call: 0.3 seconds in a process this large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda *_: 0)
        yield


@pytest.fixture(scope="session")
def evaluation() -> EvaluationSet:
    """The invented corpus's evaluation set."""
    return evaluation_set(synthetic.corpus(), synthetic.BLOCK, None)
