"""A quick start of torch trains the same bytes, and leaves a user's own model all of torch."""

import subprocess
import sys
from pathlib import Path

import pytest

TRAIN = """
import sys
sys.path.insert(0, {tests!r})
from actrepro import quickstart
from actrepro.config import RunConfig, default_study

quickstart.cuda_usable = lambda: False
study = default_study()
request = study.run_config("quick", {model!r}, "swiglu", 1)
protocol = request.protocol.model_copy(
    update=dict(iterations=3, context=16, batch=4, dropout=0.1, history_windows=8)
)
request = request.model_copy(update=dict(protocol=protocol, custom_models={own!r}))
{start}
import made_up
from actrepro.checkpoints import hash_weights
from actrepro.devices import prepare_torch
from actrepro.training import train

run = train(request, made_up.corpus(), prepare_torch("cpu", 1))
rules = hasattr(sys.modules["torch._meta_registrations"], "register_meta")
print(hash_weights(run.checkpoint.final), rules)
"""


def _train(model: str, start: str, own: dict[str, str] | None = None) -> list[str]:
    tests = str(Path(__file__).parent)
    code = TRAIN.format(tests=tests, model=model, start=start, own=own or {})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("model", ["charlm", "hybridlm"])
def test_a_quick_start_trains_the_same_bytes(model: str) -> None:
    quick, with_rules = _train(model, "quickstart.start_torch([request])")
    plain, all_rules = _train(model, "import torch")
    assert quick == plain
    assert (with_rules, all_rules) == ("False", "True")


def test_a_users_own_model_gets_all_of_torch() -> None:
    own = {"convlm": "actrepro.models.convlm"}
    _, with_rules = _train("convlm", "quickstart.start_torch([request])", own)
    assert with_rules == "True"


def test_leaving_at_once_is_a_success_that_loses_no_output() -> None:
    code = "from actrepro.quickstart import leave_at_once; print('kept'); leave_at_once(); print(1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "kept\n")
