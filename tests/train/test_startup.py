"""A quick start of torch trains the same bytes; custom models get all of torch."""

import ctypes
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import synthetic
import torch
from forking import forked, needs_forks
from study_folder import SUPPORT

from actrepro.train import startup

TRAIN = """
import sys
sys.path.insert(0, {support!r})
from actrepro.train import startup
from actrepro.config.study import RunConfig
from actrepro.config.reading import default_study

startup.cuda_usable = lambda: False
study = default_study()
request = study.run_config("quick", {model!r}, "swiglu", 1)
protocol = request.protocol.model_copy(
    update=dict(iterations=3, context=16, batch=4, dropout=0.1, history_windows=8)
)
request = request.model_copy(update=dict(protocol=protocol, custom_models={own!r}))
{start}
import synthetic
from actrepro.train.checkpoints import hash_weights
from actrepro.train.devices import prepare_torch
from actrepro.train.loop import train

run = train(request, synthetic.corpus(), prepare_torch("cpu", 1))
rules = hasattr(sys.modules["torch._meta_registrations"], "register_meta")
print(hash_weights(run.checkpoint.final), rules)
"""


def _train(model: str, start: str, own: dict[str, str] | None = None) -> list[str]:
    return _output_of(
        TRAIN.format(support=SUPPORT, model=model, start=start, own=own or {})
    ).split()


def _output_of(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("model", ["charlm", "hybridlm"])
def test_a_quick_start_trains_the_same_bytes(model: str) -> None:
    quick, with_rules = _train(model, "startup.start_torch([request])")
    plain, all_rules = _train(model, "import torch")
    assert quick == plain
    assert (with_rules, all_rules) == ("False", "True")


def test_a_users_own_model_gets_all_of_torch() -> None:
    own = {"convlm": "actrepro.models.zoo.convlm"}
    _, with_rules = _train("convlm", "startup.start_torch([request])", own)
    assert with_rules == "True"


PAGES = """
import resource
from actrepro.train import startup
from actrepro.config.reading import default_study

request = default_study().run_config("quick", "charlm", "gelu", 1)
sizes = dict(layers=1, width=256, context=128, batch=64)
protocol = request.protocol.model_copy(update=sizes)
{start}
import numpy as np
import torch
from actrepro.models import build_from_protocol
from actrepro.train.optimiser import AdamW
from actrepro.train.stepping import Stepper

model = build_from_protocol("charlm", protocol, "gelu", 65, seed=1)
text, starts = torch.arange(1000) % 65, np.zeros((12, protocol.batch), dtype=np.int64)
stepper = Stepper(model, AdamW(model, 1e-3), text, starts, protocol.context, "fp32")

def pages_of(steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for step in steps:
        stepper.step(step)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

# The first steps take what all others need.
pages_of(range(2))
print(pages_of(range(2, 12)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_a_step_takes_the_memory_that_the_one_before_has_freed() -> None:
    kept, plain = (
        int(_output_of(PAGES.format(start=start)))
        for start in ("startup.start_torch([request])", "")
    )
    # What lies where settles over some steps: an eighth at most was seen.
    assert kept < plain / 2


def test_where_the_system_has_no_such_setting_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    startup.keep_freed_memory()


class Gpus:
    """A simulated machine with GPUs, of which the fourth is free."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.jobs_per_gpu: list[int] = []
        self.chosen: list[int] = []
        self.held = False
        self.kept = ExitStack()
        patch.setattr(startup, "cuda_usable", lambda: True)
        patch.setattr(startup, "hold_gpu", self.hold)
        patch.setattr(startup, "_HELD", self.kept)
        patch.setattr(torch.cuda, "set_device", self.chosen.append)

    @contextmanager
    def hold(self, jobs_per_gpu: int) -> Iterator[int]:
        self.jobs_per_gpu.append(jobs_per_gpu)
        self.held = True
        yield 3
        self.held = False


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Gpus:
    return Gpus(monkeypatch)


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_a_job_on_a_gpu_computes_on_the_gpu_it_was_given(gpus: Gpus, device: str) -> None:
    startup.claim_gpu(device, jobs_per_gpu=2)
    assert gpus.jobs_per_gpu == [2]
    assert gpus.chosen == [3]
    # Until the process ends.
    assert gpus.held
    gpus.kept.close()
    assert not gpus.held


def test_a_job_on_a_cpu_takes_no_gpu(gpus: Gpus) -> None:
    startup.claim_gpu("cpu", jobs_per_gpu=2)
    assert (gpus.jobs_per_gpu, gpus.chosen) == ([], [])


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_where_no_gpu_can_be_used_no_gpu_is_taken(
    gpus: Gpus, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "cuda_usable", lambda: False)
    startup.claim_gpu(device, jobs_per_gpu=2)
    assert (gpus.jobs_per_gpu, gpus.chosen) == ([], [])


@needs_forks
@pytest.mark.parametrize(("device", "chosen"), [("auto", [3]), ("cpu", [])])
def test_starting_torch_takes_the_gpu_of_the_jobs_runs(
    gpus: Gpus, device: str, chosen: list[int]
) -> None:
    def start() -> None:
        request = synthetic.request().model_copy(update={"device": device})
        startup.start_torch([request], jobs_per_gpu=4)
        assert gpus.chosen == chosen
        assert gpus.jobs_per_gpu == [4] * len(chosen)

    # It sets how this process collects garbage.
    assert forked(start) == 0


def test_leaving_at_once_is_a_success_that_loses_no_output() -> None:
    code = "from actrepro.train.startup import exit_now\nprint('kept'); exit_now(); print(1)"
    assert _output_of(code) == "kept\n"
