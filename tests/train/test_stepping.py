"""Steps in short memory, and steps that a GPU replays, give the same weights."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import synthetic
import torch
from forking import forked, kill, needs_forks
from torch import Tensor, nn

from actrepro.config.study import RunConfig
from actrepro.core import seeds
from actrepro.core.errors import Stopped, is_out_of_memory
from actrepro.core.files import read_json
from actrepro.core.jobs import job
from actrepro.core.vocabulary import FAILED, FINISHED
from actrepro.models import build_from_protocol
from actrepro.train import loop
from actrepro.train.checkpoints import hash_weights, load_checkpoint
from actrepro.train.devices import prepare_torch
from actrepro.train.loop import TrainedRun, train
from actrepro.train.optimiser import AdamW
from actrepro.train.resume import ResumeFile
from actrepro.train.runs import RunOutputs, train_run
from actrepro.train.stepping import WARM_UP, GraphedStepper, Stepper

CPU = torch.device("cpu")
FILES = ("checkpoint.safetensors", "snapshots.safetensors", "history.csv", "run.json")
NEVER = 3600.0


def _on_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ...")


def _on_a_cpu() -> None:
    """Return torch's own error for more bytes than there are addresses."""
    torch.empty(1 << 50, dtype=torch.uint8)


def _in_python() -> None:
    raise MemoryError


WAYS = (_on_a_gpu, _on_a_cpu, _in_python)
NoRoom = Callable[[nn.Module, Tensor], None]


def _for_more_than(most: int, way: Callable[[], None] = _on_a_gpu) -> NoRoom:
    """Simulate memory for this number of sequences in training."""

    def no_room(model: nn.Module, codes: Tensor) -> None:
        if model.training and len(codes) > most:
            way()

    return no_room


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[NoRoom], None]:
    """Train models that run out of memory at the end of a forward pass."""

    def give(no_room: NoRoom) -> None:
        def build(*arguments: Any, **named: Any) -> nn.Module:
            model = build_from_protocol(*arguments, **named)
            # At its end, so that random numbers were drawn.
            model.register_forward_hook(lambda model, inputs, _: no_room(model, *inputs))
            return model

        monkeypatch.setattr(loop, "build_from_protocol", build)

    return give


def _train(request: RunConfig) -> TrainedRun:
    return train(request, synthetic.corpus(), CPU)


def _final(run: TrainedRun) -> str:
    return hash_weights(run.checkpoint.final)


def _train_into(folder: Path, request: RunConfig, save_state_seconds: float = NEVER) -> None:
    folder.mkdir(exist_ok=True)
    synthetic.corpus().save(folder / "corpus.npz")
    outputs = RunOutputs(*(folder / name for name in FILES))
    state = folder / "state"
    train_run(request, folder / "corpus.npz", outputs, state, save_state_seconds, threads=1)


def _bytes(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES[:3]]


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_that_has_no_room_is_taken_in_parts(
    way: Callable[[], None],
    tmp_path: Path,
    given: Callable[[NoRoom], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    given(_for_more_than(1, way))
    _train_into(tmp_path, synthetic.request())
    record = read_json(tmp_path / "run.json")
    assert (record["status"], record["why"]) == (FINISHED, None)
    assert record["sequences_at_once"] == 1
    told = [message for message in caplog.messages if "out of memory" in message]
    assert [message.split(": ")[1] for message in told] == [
        f"from here on a microbatch has {left} of the batch's 4 sequences, "
        "and gradients are added up"
        for left in (2, 1)
    ]


def test_where_there_is_room_all_are_taken_at_once(tmp_path: Path) -> None:
    _train_into(tmp_path, synthetic.request())
    assert read_json(tmp_path / "run.json")["sequences_at_once"] == 4


def _stepper(microbatch: int | None = None, dropout: float = 0.0, batch: int = 7) -> Stepper:
    """Make a stepper with its own model."""
    corpus, protocol = synthetic.corpus(), synthetic.protocol(dropout=dropout)
    model = build_from_protocol("charlm", protocol, "relu", len(corpus.symbols), seed=0)
    text = torch.from_numpy(corpus.train).long()
    starts = torch.arange(10 * batch).view(10, batch) * 5
    stepper = Stepper(
        model, AdamW(model, 1e-2), text, starts.numpy(), protocol.context, protocol.precision
    )
    stepper.microbatch = microbatch or batch
    torch.manual_seed(3)
    return stepper


@pytest.mark.parametrize("microbatch", [1, 2, 3, 4, 5, 6])
def test_gradients_of_parts_add_up_to_the_whole_batchs(microbatch: int) -> None:
    whole, parts = _stepper(), _stepper(microbatch)
    for stepper in (whole, parts):
        stepper.step(0)
    gradients = parts.optimiser.gradients
    torch.testing.assert_close(gradients, whole.optimiser.gradients, rtol=1e-4, atol=1e-7)
    assert gradients.abs().max() > 0.01


@pytest.mark.parametrize(("batch", "most"), [(4, 2), (5, 2), (7, 3), (7, 6)])
def test_in_parts_it_learns_the_same(
    batch: int, most: int, given: Callable[[NoRoom], None]
) -> None:
    # Attention's biases of keys, which change nothing, are not among its weights.
    request = synthetic.request("nanotransformer", batch=batch)
    whole = _train(request)
    given(_for_more_than(most))
    parts = _train(request)
    assert parts.microbatch <= most
    for name, weights in whole.checkpoint.final.items():
        torch.testing.assert_close(parts.checkpoint.final[name], weights, rtol=1e-3, atol=1e-4)
    for one, other in zip(whole.history, parts.history, strict=True):
        assert other == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize("model", ["charlm", "hybridlm", "tinylstm"])
def test_what_a_failed_try_drew_is_drawn_again(
    model: str, given: Callable[[NoRoom], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare with a run that takes one sequence at a time from its start."""
    request = synthetic.request(model, dropout=0.3)
    given(_for_more_than(1))
    failing = _train(request)
    monkeypatch.undo()
    begin = Stepper.__init__

    def begin_with_one(self: Stepper, *arguments: Any) -> None:
        begin(self, *arguments)
        self.microbatch = 1

    monkeypatch.setattr(Stepper, "__init__", begin_with_one)
    assert _final(failing) == _final(_train(request))
    monkeypatch.undo()
    assert _final(failing) != _final(_train(request))


def _only_late(most: int, steps: int) -> NoRoom:
    """Simulate memory that becomes short after some steps."""
    passes = iter(range(10**6))

    def no_room(model: nn.Module, codes: Tensor) -> None:
        if model.training and next(passes) >= steps and len(codes) > most:
            _on_a_gpu()

    return no_room


@needs_forks
def test_it_is_the_same_when_repeated_and_when_killed(
    tmp_path: Path, given: Callable[[NoRoom], None]
) -> None:
    request = synthetic.request(dropout=0.2, batch=5)
    given(_for_more_than(2))
    _train_into(tmp_path / "once", request)
    _train_into(tmp_path / "again", request)
    assert _bytes(tmp_path / "again") == _bytes(tmp_path / "once")

    def be_killed() -> None:
        advance = Stepper.step
        Stepper.step = lambda self, step: (  # type: ignore[method-assign]
            kill() if step == 6 else advance(self, step)
        )
        _train_into(tmp_path / "killed", request, save_state_seconds=0)

    def go_on() -> None:
        with job(str(tmp_path / "log")):
            _train_into(tmp_path / "killed", request)

    assert forked(be_killed) == -signal.SIGKILL
    assert forked(go_on) == 0
    assert _bytes(tmp_path / "killed") == _bytes(tmp_path / "once")
    record = read_json(tmp_path / "killed/run.json")
    assert (record["sequences_at_once"], record["taken_up_at"]) == (2, [6])
    # It knows what fits, and does not try the whole batch again.
    assert "out of memory" not in (tmp_path / "log").read_text(encoding="utf-8")


def test_memory_that_becomes_short_later_changes_no_step_before(
    given: Callable[[NoRoom], None],
) -> None:
    request = synthetic.request(dropout=0.2, evaluate_every=3)
    plenty = _train(request)
    given(_only_late(2, steps=6))
    short = _train(request)
    assert (plenty.microbatch, short.microbatch) == (4, 2)
    assert short.history[:3] == plenty.history[:3]
    assert short.history[3:] != plenty.history[3:]


@pytest.mark.parametrize("way", WAYS)
def test_a_model_that_never_fits_has_failed(
    way: Callable[[], None], tmp_path: Path, given: Callable[[NoRoom], None]
) -> None:
    given(_for_more_than(0, way))
    _train_into(tmp_path, synthetic.request())
    record = read_json(tmp_path / "run.json")
    assert record["status"] == FAILED
    assert record["why"].startswith("out of memory after step 0: ")
    assert "\n" not in record["why"]
    assert (record["final_step"], record["best_step"]) == (0, 0)
    assert record["sequences_at_once"] == 1
    assert record["last_history"]["step"] == 0
    assert load_checkpoint(tmp_path / "checkpoint.safetensors").status == FAILED
    assert len((tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()) == 2
    assert not (tmp_path / "state").exists()


def test_a_model_that_fits_no_longer_has_failed_with_its_history_so_far(
    given: Callable[[NoRoom], None],
) -> None:
    given(_only_late(0, steps=7))
    run = _train(synthetic.request())
    given(_for_more_than(4))
    shorter = _train(synthetic.request(iterations=7))
    assert run.status == FAILED
    assert run.why == (
        "out of memory after step 7: CUDA out of memory. Tried to allocate 2.00 GiB."
    )
    assert [row.step for row in run.history] == [0, 5]
    assert run.history == shorter.history[:2]
    assert (run.checkpoint.final_step, run.checkpoint.best_step) == (7, 5)
    assert _final(run) == _final(shorter)


def _evaluating_from(evaluation: int) -> NoRoom:
    """Simulate memory without room for the n-th evaluation."""
    passes = iter(range(10**6))

    def no_room(model: nn.Module, _: Tensor) -> None:
        # Each evaluation looks at two texts.
        if not model.training and next(passes) >= 2 * evaluation:
            _on_a_gpu()

    return no_room


@pytest.mark.parametrize("evaluation", [0, 1, 2])
def test_a_run_that_cannot_be_evaluated_has_failed(
    evaluation: int, tmp_path: Path, given: Callable[[NoRoom], None]
) -> None:
    given(_evaluating_from(evaluation))
    _train_into(tmp_path, synthetic.request())
    record = read_json(tmp_path / "run.json")
    assert record["status"] == FAILED
    assert record["why"].startswith(f"out of memory after step {5 * evaluation}: CUDA out of")
    rows = (tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == [0, 5][:evaluation]
    assert (record["last_history"] is None) == (evaluation == 0)
    assert record["final_step"] == 5 * evaluation


def _at_its_start(request: RunConfig) -> nn.Module:
    seed = seeds.stream_seed(request.seed, seeds.INITIALISATION)
    names = (request.model, request.protocol, request.activation, len(synthetic.corpus().symbols))
    return build_from_protocol(*names, seed=seed)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", [(nn.Module, "to"), (loop, "AdamW"), (Tensor, "to")])
def test_a_model_that_has_no_room_on_the_device_has_failed(
    where: tuple[Any, str],
    way: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = synthetic.request()
    monkeypatch.setattr(*where, lambda *_: way())
    _train_into(tmp_path, request)
    monkeypatch.undo()
    record = read_json(tmp_path / "run.json")
    assert record["status"] == FAILED
    assert record["why"].startswith("out of memory before the first step: ")
    assert "\n" not in record["why"]
    assert record["last_history"] is None
    assert (record["final_step"], record["best_step"]) == (0, 0)
    assert record["characters_per_second"] == 0
    checkpoint = load_checkpoint(tmp_path / "checkpoint.safetensors")
    assert checkpoint.status == FAILED
    assert hash_weights(checkpoint.final) == hash_weights(_at_its_start(request).state_dict())
    assert not (tmp_path / "state").exists()


def _another_error() -> None:
    raise RuntimeError("mat1 and mat2 shapes cannot be multiplied (4x16 and 8x16)")


def test_any_other_error_is_none_of_memory(
    given: Callable[[NoRoom], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for no_room in (_for_more_than(2, _another_error), lambda *_: _another_error()):
        given(no_room)
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            _train(synthetic.request())
    monkeypatch.undo()
    monkeypatch.setattr(nn.Module, "to", lambda *_: _another_error())
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        _train(synthetic.request())


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to"), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasC"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), False),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
        (OSError(12, "Cannot allocate memory"), False),
    ],
)
def test_how_missing_memory_is_told_from_other_errors(error: Exception, short: bool) -> None:
    assert is_out_of_memory(error) == short


class Graphs:
    """A simulation on a CPU of a CUDA device's graphs.

    While one is recorded nothing is computed, and all that was changed is as it was.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.stepper: GraphedStepper
        self.recorded = self.replayed = 0
        self.recording_now = False
        # What recording one ends in.
        self.error: Exception | None = None
        patch.setattr(torch.cuda, "Stream", lambda _: Stream())
        patch.setattr(torch.cuda, "current_stream", lambda _: Stream())
        patch.setattr(torch.cuda, "stream", lambda _: nullcontext())
        patch.setattr(torch.cuda, "CUDAGraph", lambda: self)
        patch.setattr(torch.cuda, "graph", self.recording)

    @contextmanager
    def recording(self, graph: Graphs, stream: Stream) -> Iterator[None]:
        assert graph is self
        assert stream is self.stepper.stream
        optimiser = self.stepper.optimiser
        changed = [optimiser.weights, optimiser.gradients, *optimiser.state().values()]
        before = [value.clone() for value in changed]
        random = torch.get_rng_state()
        self.recording_now = True
        try:
            yield
            if self.error is not None:
                raise self.error
        finally:
            self.recording_now = False
            for value, old in zip(changed, before, strict=True):
                value.data.copy_(old)
            torch.set_rng_state(random)
        self.recorded += 1

    def replay(self) -> None:
        self.replayed += 1
        self.stepper._train_on_current()


class Stream:
    """A simulated stream; all work is in one."""

    def wait_stream(self, other: Stream) -> None:
        pass


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Graphs:
    made = Graphs(monkeypatch)
    begin = GraphedStepper.__init__

    def noted(self: GraphedStepper, *arguments: object) -> None:
        begin(self, *arguments)
        made.stepper = self

    monkeypatch.setattr(GraphedStepper, "__init__", noted)
    monkeypatch.setattr(loop, "Stepper", GraphedStepper)
    return made


GRAPHED = synthetic.request(dropout=0.2)


def test_steps_are_recorded_after_the_first_and_replayed(graphs: Graphs) -> None:
    replayed = _train(GRAPHED)
    assert (graphs.recorded, graphs.replayed) == (1, 12 - WARM_UP)
    assert graphs.stepper.at.tolist() == [11]
    assert replayed.status == FINISHED


def test_replayed_or_not_the_weights_are_the_same(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed = _train(GRAPHED)
    assert graphs.replayed
    monkeypatch.undo()
    assert _final(replayed) == _final(_train(GRAPHED))


def test_what_cannot_be_recorded_is_trained_step_by_step(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    graphs.error = RuntimeError("operation not permitted when stream is capturing")
    run = _train(GRAPHED)
    assert (graphs.recorded, graphs.replayed) == (0, 0)
    told = [message for message in caplog.messages if "not recorded as a CUDA graph" in message]
    assert len(told) == 1
    assert "operation not permitted when stream is capturing" in told[0]
    monkeypatch.undo()
    assert _final(run) == _final(_train(GRAPHED))


def test_where_recording_needs_too_much_memory_parts_are_recorded(
    graphs: Graphs, given: Callable[[NoRoom], None]
) -> None:
    """Let four sequences fit step by step, and two into a graph."""

    def no_room(_: nn.Module, codes: Tensor) -> None:
        if graphs.recording_now and len(codes) > 2:
            _on_a_gpu()

    given(no_room)
    run = _train(GRAPHED)
    assert (run.status, run.microbatch) == (FINISHED, 2)
    # It warms up again before it records again.
    assert (graphs.recorded, graphs.replayed) == (1, 12 - 2 * WARM_UP)


def test_where_memory_is_short_from_the_start_a_graph_has_the_parts(
    graphs: Graphs, given: Callable[[NoRoom], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    given(_for_more_than(1))
    run = _train(GRAPHED)
    assert (graphs.recorded, graphs.replayed) == (1, 12 - WARM_UP)
    monkeypatch.setattr(loop, "Stepper", Stepper)
    assert _final(run) == _final(_train(GRAPHED))


@pytest.fixture
def gpu() -> Iterator[torch.device]:
    yield prepare_torch("cuda", 1)
    torch.use_deterministic_algorithms(False)


def _train_on(
    gpu: torch.device, resume_file: ResumeFile | None = None, **changes: Any
) -> TrainedRun:
    request = synthetic.request(**changes).model_copy(update={"device": "cuda"})
    return train(request, synthetic.corpus(), gpu, resume_file)


ON_A_GPU = [
    {"model": model, "dropout": dropout}
    for model in ("charlm", "convlm", "hybridlm", "tinylstm")
    for dropout in (0.0, 0.2)
]


@pytest.mark.cuda
@pytest.mark.parametrize("changes", ON_A_GPU)
def test_on_a_gpu_replayed_or_not_the_bytes_are_the_same(
    gpu: torch.device, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    replays: list[None] = []
    replay = torch.cuda.CUDAGraph.replay
    with monkeypatch.context() as patch:
        patch.setattr(
            torch.cuda.CUDAGraph, "replay", lambda self: (replays.append(None), replay(self))
        )
        replayed = [_train_on(gpu, **changes) for _ in range(2)]
    assert len(replays) == 2 * (12 - WARM_UP)
    assert _final(replayed[0]) == _final(replayed[1])
    monkeypatch.setattr(loop, "GraphedStepper", Stepper)
    assert _final(replayed[0]) == _final(_train_on(gpu, **changes))


@pytest.mark.cuda
@pytest.mark.parametrize("changes", ON_A_GPU)
@pytest.mark.parametrize("step", [1, 7])
def test_on_a_gpu_a_run_that_was_stopped_ends_in_the_same_bytes(
    gpu: torch.device,
    changes: dict[str, Any],
    step: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unbroken = _train_on(gpu, **changes)
    resume_file = ResumeFile(tmp_path / "state/snapshot", {}, NEVER)
    take = GraphedStepper.take

    def taking(self: GraphedStepper, number: int) -> None:
        take(self, number)
        resume_file.stopped_by = signal.SIGTERM if number + 1 == step else None

    monkeypatch.setattr(GraphedStepper, "take", taking)
    with pytest.raises(Stopped):
        _train_on(gpu, resume_file, **changes)
    # Whatever was drawn in between.
    torch.manual_seed(99)
    run = _train_on(gpu, ResumeFile(tmp_path / "state/snapshot", {}, NEVER), **changes)
    assert run.taken_up_at == [step]
    assert _final(run) == _final(unbroken)
    assert run.history == unbroken.history


@pytest.mark.cuda
@pytest.mark.parametrize("model", ["charlm", "tinylstm"])
def test_on_a_gpu_precisions_train_and_bf16_differs(gpu: torch.device, model: str) -> None:
    runs = {
        precision: _train_on(gpu, model=model, precision=precision)
        for precision in ("fp32", "tf32", "bf16")
    }
    assert {run.status for run in runs.values()} == {FINISHED}
    assert len({run.history[0] for run in runs.values()}) == 1
    assert _final(runs["bf16"]) != _final(runs["fp32"])
    if torch.cuda.get_device_capability(gpu) >= (8, 0):
        assert _final(runs["tf32"]) != _final(runs["fp32"])


@pytest.mark.cuda
def test_on_a_gpu_a_replayed_step_drops_others_than_the_step_before(
    gpu: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = torch.zeros(4, synthetic.BLOCK, 16, device=gpu)
    masks: list[Tensor] = []

    def build(*arguments: Any, **named: Any) -> nn.Module:
        model = build_from_protocol(*arguments, **named)
        dropout = next(one for one in model.modules() if isinstance(one, nn.Dropout) and one.p)
        dropout.register_forward_hook(
            lambda layer, _, out: seen.copy_(out != 0) if layer.training else None
        )
        return model

    take = GraphedStepper.take
    monkeypatch.setattr(loop, "build_from_protocol", build)
    monkeypatch.setattr(
        GraphedStepper, "take", lambda self, step: (take(self, step), masks.append(seen.cpu()))
    )
    _train_on(gpu, model="minigpt", dropout=0.5)
    assert len(masks) == 12
    assert len(torch.stack(masks).unique(dim=0)) == 12


@pytest.mark.cuda
def test_on_a_gpu_a_batch_that_has_no_room_is_taken_in_parts(
    gpu: torch.device, given: Callable[[NoRoom], None]
) -> None:
    whole = torch.cuda.get_device_properties(gpu).total_memory

    def fill(model: nn.Module, codes: Tensor) -> None:
        if model.training:
            torch.empty(len(codes) * whole // 4, dtype=torch.uint8, device=gpu)

    given(fill)
    runs = [_train_on(gpu, dropout=0.2) for _ in range(2)]
    assert {run.microbatch for run in runs} <= {1, 2}
    assert {run.status for run in runs} == {FINISHED}
    assert _final(runs[0]) == _final(runs[1])


@pytest.mark.cuda
def test_on_a_gpu_a_model_that_looks_at_its_numbers_is_trained_step_by_step(
    gpu: torch.device,
    given: Callable[[NoRoom], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given(lambda model, codes: codes.sum().item() if model.training else None)
    run = _train_on(gpu, dropout=0.2)
    assert "not recorded as a CUDA graph" in caplog.text
    monkeypatch.setattr(loop, "GraphedStepper", Stepper)
    assert _final(run) == _final(_train_on(gpu, dropout=0.2))
