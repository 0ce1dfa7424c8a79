"""What all tests share: one thread for torch, and the invented corpus on disk."""

from pathlib import Path

import made_up
import pytest
import torch

from actrepro.evaluation import EvaluationSet, evaluation_set

torch.set_num_threads(1)


@pytest.fixture
def corpus_path(tmp_path: Path) -> Path:
    """The invented corpus, saved."""
    path = tmp_path / "corpus.npz"
    made_up.corpus().save(path)
    return path


@pytest.fixture(scope="session")
def evaluation() -> EvaluationSet:
    """The invented corpus's evaluation set."""
    return evaluation_set(made_up.corpus(), made_up.BLOCK, None)
