"""The benchmark counts, times and reports what it claims to. No test asserts a time."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import synthetic
import torch
from matplotlib.text import Text

from actrepro.benchmark import measure as measuring
from actrepro.benchmark.figure import compose, draw_benchmark
from actrepro.benchmark.measure import (
    OURS,
    PLAIN,
    Measurements,
    Timed,
    Timing,
    key_of,
    time_together,
    timed_of,
)
from actrepro.benchmark.plan import Plan, cut
from actrepro.benchmark.processes import Finished, Lost, Program, ask, side_by_side
from actrepro.benchmark.programs import plain
from actrepro.benchmark.programs.flops import step_flops
from actrepro.benchmark.quiet import Moment, share_of_others
from actrepro.benchmark.results import NO_PEER, assembled, make_benchmark, spread
from actrepro.config.protocol import Benchmark
from actrepro.config.reading import default_study, parse_study
from actrepro.config.study import PEER_OF, BenchmarkConfig, RunConfig, Study
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json, write_json
from actrepro.figures.sheet import style
from actrepro.models import build_from_protocol, count_parameters

# torch says so wherever oneDNN is switched off.
pytestmark = pytest.mark.filterwarnings("ignore:TF32 acceleration")

SYMBOLS = 30
PROVENANCE = {
    "machine": {"system": "none", "architecture": "wood", "processor": "an abacus", "cores": 1},
    "packages": {"torch": "0"},
    "git": {"commit": None, "dirty": None},
}


def config(
    rounds: int = 2, device: str = "cpu", together: bool = False, **growth: Any
) -> BenchmarkConfig:
    """Return a benchmark of two models and two activations at the tests' tiny scale."""
    sizes = {"width": [16, 32], "layers": [1, 2], "context": [16], "runs": [1, 2, 4]}
    settings = Benchmark.model_validate(
        {
            "models": ["charlm", "tinylstm"],
            "activations": ["relu", "swiglu"],
            "scales": ["tiny"],
            "characters": 384,
            "runs_per_job": 2,
            "rounds": rounds,
            "growth": {"scale": "tiny", "characters": 128, **sizes, **growth},
        }
    )
    runs = [("charlm", "relu"), ("tinylstm", "relu"), ("charlm", "swiglu")]
    return BenchmarkConfig(
        settings=settings,
        runs=tuple(_run(*names, device) for names in runs),
        base=_run("charlm", "relu", device),
        trained_together=("tiny",) if together else (),
        jobs_per_gpu=3,
        save_state_seconds=100,
    )


def _run(model: str, activation: str, device: str) -> RunConfig:
    run = synthetic.request(model, activation, seed=0)
    return run.model_copy(update={"device": device})


def plan(cores: int = 2, device: str = "cpu", together: bool = False) -> Plan:
    settings = config(device=device, together=together)
    return Plan(settings, {"words": Path("words/corpus.npz")}, cores)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpora") / "words/corpus.npz"
    path.parent.mkdir()
    synthetic.corpus().save(path)
    return path


# What a step computes.


@pytest.mark.parametrize("context", [16, 128])
@pytest.mark.parametrize("model", ["charlm", "minigpt", "nanotransformer"])
def test_the_operations_of_a_transformer_are_six_per_weight_and_attentions(
    model: str, context: int
) -> None:
    run = synthetic.request(model, "gelu", context=context)
    sizes = run.protocol
    weights = sizes.layers * 12 * sizes.width**2 + sizes.width * SYMBOLS
    attention = 12 * sizes.layers * sizes.width * sizes.context
    assert step_flops(run, SYMBOLS) == 6 * weights + attention


def test_the_operations_of_a_convolution_are_six_per_weight() -> None:
    run = synthetic.request("convlm")
    assert step_flops(run, SYMBOLS) == 6 * _weights(run)


def test_the_operations_of_an_lstm_are_counted_inside_it() -> None:
    run = synthetic.request("tinylstm", context=64)
    # The first step's state is zero and has no gradient.
    assert step_flops(run, SYMBOLS) == pytest.approx(6 * _weights(run), rel=0.01)


def _weights(run: RunConfig) -> int:
    """Count the weights of all matrices except the embeddings."""
    model = build_from_protocol(run.model, run.protocol, run.activation, SYMBOLS)
    named = model.named_parameters()
    return sum(p.numel() for name, p in named if p.dim() > 1 and not name.startswith("tokens"))


def test_dropout_and_the_batch_cost_no_products() -> None:
    few = step_flops(synthetic.request(dropout=0.0, batch=2), SYMBOLS)
    assert step_flops(synthetic.request(dropout=0.3, batch=64), SYMBOLS) == few


# The peer.


def _settings(**changes: Any) -> plain.Settings:
    sizes = synthetic.protocol()
    asked = {
        "layers": sizes.layers,
        "width": sizes.width,
        "heads": sizes.heads,
        "context": sizes.context,
        "dropout": 0.0,
    }
    return plain.Settings(corpus="", **{**asked, **changes})


def test_the_plain_loop_trains_charlm() -> None:
    """With CharLM's weights, the plain model computes CharLM's logits."""
    ours = build_from_protocol(PEER_OF, synthetic.protocol(), "gelu", SYMBOLS, seed=1)
    peer = plain.GPT(_settings(activation="gelu"), SYMBOLS)
    peer.load_state_dict(_renamed(ours.state_dict()))
    codes = torch.arange(2 * synthetic.BLOCK).view(2, -1) % SYMBOLS
    assert torch.allclose(peer.eval()(codes), ours.eval()(codes), atol=1e-5)


def _renamed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename CharLM's weights to the plain model's names, with joined queries, keys and values."""
    found = {}
    for name, weight in weights.items():
        name = name.replace("expand.layer", "expand")
        if ".query." in name:
            parts = [weights[name.replace("query", part)] for part in ("query", "key", "value")]
            name, weight = name.replace("query", "qkv"), torch.cat(parts)
        if ".key." not in name and ".value." not in name:
            found[name] = weight
    return found


@pytest.mark.parametrize("scale", ["quick", "cpu", "full"])
def test_the_plain_model_has_as_many_parameters_as_charlm(scale: str) -> None:
    sizes = default_study().protocols[scale]
    names = ("layers", "width", "heads", "context", "dropout")
    peer = plain.GPT(_settings(**{name: getattr(sizes, name) for name in names}), 65)
    assert count_parameters(peer) == count_parameters(
        build_from_protocol(PEER_OF, sizes, "gelu", 65)
    )


def test_the_plain_loop_learns(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"iterations": 60, "learning-rate": 1e-2, "width": 16, "context": 16, "batch": 8}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    out = tmp_path / "plain.pt"
    plain.main([f"--corpus={corpus}", f"--out={out}", "--runs=2", "--windows=9", *arguments])
    output = json.loads(capsys.readouterr().out)
    assert output["characters"] == 2 * 60 * 8 * 16
    assert output["selection_loss"] < math.log(len(synthetic.corpus().symbols)) - 0.3
    assert output["peak_gpu_memory_bytes"] is None
    assert out.stat().st_size


def test_the_plain_loop_has_no_gated_activations() -> None:
    with pytest.raises(ActreproError, match="activation 'swiglu' is gated"):
        plain.GPT(_settings(activation="swiglu"), SYMBOLS)


# What is timed.


def test_a_run_is_cut_with_its_evaluation_in_proportion() -> None:
    run = synthetic.request(iterations=1000, evaluate_every=100, history_windows=64)
    short = cut(run, 64 * 125).protocol
    assert (short.iterations, short.evaluate_every, short.history_windows) == (125, 12, 8)
    assert cut(run, 1).protocol.iterations == cut(run, 1).protocol.history_windows == 1
    assert cut(run, 10**9) == run


def test_a_crowd_is_no_larger_than_the_cores() -> None:
    assert (plan(cores=1).crowds(), plan(cores=3).crowds()) == ([1], [1, 2, 3])
    assert plan(cores=8).crowds() == plan(cores=1, device="cuda").crowds() == [1, 2, 4]


def test_runs_stand_side_by_side_as_in_the_workflow() -> None:
    assert (plan(cores=4).jobs_at_once, plan(cores=4, device="cuda").jobs_at_once) == (4, 3)
    timed = timed_of(plan(together=True))
    # Of a cell, a job trains several; to see how cost grows, one.
    assert [one.runs_per_job for one in timed] == [2] * 5 + [1] * 4


def test_nothing_is_timed_twice_in_a_round_and_the_peer_follows_ours() -> None:
    timed = timed_of(plan())
    assert len({one.key for one in timed}) == len(timed)
    order = [(one.run.model, one.run.activation, one.side, one.jobs) for one in timed]
    assert order[:5] == [
        ("charlm", "relu", OURS, 2),
        ("charlm", "relu", PLAIN, 2),
        ("tinylstm", "relu", OURS, 2),
        ("charlm", "swiglu", OURS, 2),
        ("charlm", "swiglu", PLAIN, 2),
    ]
    # Two widths and another depth; the context and one run alone are among them already.
    assert [one.jobs for one in timed[5:]] == [1, 1, 1, 2]


def test_products_are_squares_and_the_first_of_each_scales_mlp() -> None:
    assert plan().products() == ["512,512,512", "1024,1024,1024", "64,16,64"]


def test_a_program_that_fails_is_lost_with_its_reason() -> None:
    program = Program("gemm", ("cpu", "fp32", "1", "0", "2,2"), 1)
    lost = side_by_side([program])
    assert isinstance(lost, Lost)
    assert lost.why.startswith("ValueError: not enough values to unpack")
    with pytest.raises(ActreproError, match=r"programs\.gemm: expected .* found: ValueError"):
        ask([program])


def test_an_actrepro_error_is_reported_without_its_type(corpus: Path) -> None:
    timed = Timed(_run("charlm", "swiglu", "cpu"), PLAIN, 1)
    outcome = time_together(Plan(config(), {"words": corpus}, 1), timed)
    assert isinstance(outcome, Lost)
    assert outcome.why.startswith("activation 'swiglu' is gated")


def test_the_share_of_others_excludes_idle_time_and_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    start = Moment(clock=100, busy=50, ours=5)
    assert share_of_others(start, Moment(clock=110, busy=80, ours=25)) == 0.25
    assert share_of_others(start, Moment(clock=110, busy=60, ours=25)) == 0
    assert share_of_others(start, Moment(clock=110, busy=None, ours=25)) is None


def test_a_moment_is_read_from_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 2 30 4000 50 6 7 8 9 10\ncpu0 1 2 3 4\n")
    monkeypatch.setattr("actrepro.benchmark.quiet.STAT", stat)
    monkeypatch.setattr("os.sysconf", lambda _: 10)
    assert Moment.now().busy == (100 + 2 + 30 + 6 + 7 + 8) / 10
    stat.unlink()
    assert Moment.now().busy is None


# What is made of it.


def timing(speed: float) -> Timing:
    """Return the timing of a process with a speed in characters/s."""
    return Timing(
        device="cpu",
        parameters=1234,
        characters=1000,
        training_seconds=1000 / speed,
        job_seconds=1000 / speed + 2,
        outside_seconds=1.5,
        peak_memory_bytes=2**28,
        peak_gpu_memory_bytes=None,
        selection_loss=2.0,
    )


def measured(of: Plan, lost: bool = False) -> Measurements:
    """Measure ours at 200 and 400 characters/s, the plain loop at 100 and not with swiglu."""
    timed = timed_of(of)
    why = Lost("the abacus broke")
    found = Measurements(
        peaks={"fp32": [{"alone": {"1,1,1": 2.0, "2,2,2": speed}} for speed in (1.0, 5.0)]},
        flops={key_of(one.run): 1e7 for one in timed},
    )
    for one in timed:
        ours = [timing(200), timing(400)]
        peer = [why] * 2 if one.run.activation == "swiglu" else [timing(100)] * 2
        found.outcomes[one.key] = [why] * 2 if lost else (ours if one.side == OURS else peer)
    return found


def file(lost: bool = False, device: str = "cpu") -> dict[str, Any]:
    of = plan(device=device)
    made = {**assembled(of, measured(of, lost)), "share_of_others": 0.0, "provenance": PROVENANCE}
    return json.loads(json.dumps(made, allow_nan=False))


def test_programs_find_the_library_where_the_workflow_found_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Snakemake's search path reaches a job's script, but not its child processes."""
    monkeypatch.setattr(sys, "path", ["", "/an/environment", "/the/library"])
    seen: dict[str, str] = {}

    def run(_: list[str], env: dict[str, str], **others: Any) -> subprocess.CompletedProcess[str]:
        seen.update(env)
        return subprocess.CompletedProcess([], 0, stdout="{}\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert ask([Program("ours", (), 3)]) == [{}]
    assert seen["PYTHONPATH"] == "/an/environment:/the/library"
    assert seen["OMP_NUM_THREADS"] == "3"


def test_processes_are_timed_together() -> None:
    output = {
        "device": "cpu",
        "parameters": 5,
        "characters": 100,
        "peak_memory_bytes": 10,
        "peak_gpu_memory_bytes": None,
    }
    ended = [
        Finished({**output, "training_seconds": 4.0, "selection_loss": 1.0}, 6.0),
        Finished({**output, "training_seconds": 2.0, "selection_loss": 2.0}, 5.0),
    ]
    assert Timing.of(ended) == Timing("cpu", 5, 200, 4.0, 6.0, 2.5, 20, None, 1.5)


def test_a_spread_leaves_out_what_was_not_measured() -> None:
    assert spread([3.0, None, 1.0, 2.0]) == {
        "median": 2.0,
        "low": 1.0,
        "high": 3.0,
        "rounds": [3.0, None, 1.0, 2.0],
    }
    assert spread([None]) == {"median": None, "low": None, "high": None, "rounds": [None]}


def test_speeds_shares_and_ratios_follow_from_the_timings() -> None:
    found = file()
    assert found["peak"]["fp32"]["machine"] == 3.0
    cell = found["cells"][0]
    assert cell["ours"]["training_characters_per_second"]["rounds"] == [200, 400]
    assert cell["ours"]["job_characters_per_second"]["rounds"] == pytest.approx(
        [1000 / 7, 1000 / 4.5]
    )
    assert cell["ours"]["gflops"]["median"] == pytest.approx(300 * 1e7 / 1e9)
    assert cell["ours"]["share_of_peak"]["median"] == pytest.approx(1.0)
    assert cell["ratio"]["training"]["rounds"] == [2, 4]
    assert cell["ratio"]["jobs"]["rounds"] == pytest.approx([12 / 7, 12 / 4.5])
    wide = found["growth"]["width"][1]
    assert (wide["value"], wide["steps"]) == (32, 2)
    assert wide["seconds_per_step"]["rounds"] == [2.5, 1.25]


def test_what_was_not_measured_is_null_with_its_reason() -> None:
    _, lstm, gated = file()["cells"]
    assert (lstm["plain"], lstm["ratio"]) == ({"why": NO_PEER}, None)
    assert gated["plain"]["why"] == "the abacus broke"
    assert gated["plain"]["training_characters_per_second"]["median"] is None
    assert gated["ratio"]["training"]["rounds"] == [None, None]
    lost = file(lost=True)
    assert {cell["ours"]["why"] for cell in lost["cells"]} == {"the abacus broke"}
    assert {cell["parameters"] for cell in lost["cells"]} == {lost["device_name"]} == {None}


def _text(found: dict[str, Any]) -> str:
    with style():
        figure = compose(found).figure
        figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_the_figure_shows_the_files_numbers() -> None:
    text = _text(file())
    for expected in ("an abacus, 2 cores, torch 0; 2 jobs at once", "3.0", "100%", "256 MiB"):
        assert expected in text
    assert "not measured: the abacus broke" in text
    assert "Other programs" not in text


def test_the_figure_says_what_disturbs_it() -> None:
    found = {**file(), "share_of_others": 0.31}
    assert "Other programs took 31% of the machine" in " ".join(_text(found).split())
    assert "Other programs" not in _text({**found, "share_of_others": None})


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_figure_of_nothing_says_so(device: str) -> None:
    text = _text(file(lost=True, device=device))
    assert text.count("not measured: the abacus broke") == 4
    assert ("a GPU" in text) == (device == "cuda")
    assert "nan" not in text


def test_the_figure_is_drawn_to_the_same_bytes(tmp_path: Path) -> None:
    numbers, svg, png = (tmp_path / f"training.{kind}" for kind in ("json", "svg", "png"))
    write_json(numbers, file())
    drawn = []
    for _ in range(2):
        draw_benchmark(numbers, svg, png)
        drawn.append((svg.read_bytes(), png.read_bytes()))
    assert drawn[0] == drawn[1]


def test_a_benchmark_is_measured_from_end_to_end(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "PRODUCT_SECONDS", 0.0)
    small = config(rounds=1, together=True, width=[16], layers=[2], runs=[1])
    small = small.model_copy(update={"runs": small.runs[:1]})
    make_benchmark(small, [corpus], tmp_path / "training.json", cores=1)
    found = read_json(tmp_path / "training.json")
    [cell] = found["cells"]
    assert (cell["ours"]["why"], cell["plain"]["why"], found["device_name"]) == (None, None, "cpu")
    assert (cell["steps"], cell["runs_per_job"]) == (6, 2)
    assert cell["ratio"]["jobs"]["median"] > 0
    assert cell["ours"]["share_of_peak"]["median"] > 0
    assert cell["parameters"] == count_parameters(
        build_from_protocol("charlm", small.base.protocol, "relu", len(synthetic.corpus().symbols))
    )
    assert found["growth"]["runs"][0]["training_characters_per_second"]["median"] > 0
    assert found["provenance"]["packages"]["torch"] == torch.__version__


# The config.


def _study(**changes: Any) -> Study:
    whole = default_study().model_dump(mode="json")
    for key, value in changes.items():
        *parents, last = key.split("__")
        part = whole["benchmark"]
        for parent in parents:
            part = part[parent]
        part[last] = value
    return parse_study(whole)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("models", ["charml"], "benchmark.models: 'charml' is not known; did you mean 'charlm'?"),
        ("activations", ["rellu"], "benchmark.activations: 'rellu' is not known"),
        ("scales", ["quik"], "benchmark.scales: 'quik' is not known; did you mean 'quick'?"),
        ("growth__scale", "cpy", "benchmark.growth.scale: 'cpy' is not known"),
        ("growth__width", [64, 66], "benchmark.growth.width: found 66: width 66 is not divisible"),
        ("growth__context", [2], "benchmark.growth.context: found 2: Input should be greater"),
        ("growth__runs", [0], "benchmark.growth.runs.0: found 0, but"),
        ("growth__depth", [2], "benchmark.growth.depth: no such key"),
        ("round", 2, "benchmark.round: no such key; did you mean 'rounds'?"),
        ("rounds", 0, "benchmark.rounds: found 0, but"),
    ],
)
def test_a_wrong_benchmark_is_refused(key: str, value: object, reason: str) -> None:
    with pytest.raises(ActreproError, match=re.escape(reason)):
        _study(**{key: value})


def test_each_cell_is_measured_once() -> None:
    found = default_study().benchmark_config()
    names = [(run.scale, run.model, run.activation) for run in found.runs]
    assert len(set(names)) == len(names)
    settings = found.settings
    cells = len(settings.models) + len(settings.activations) - 1
    assert len(names) == len(settings.scales) * cells
    assert set(found.corpora) == {"gutenberg-plays", "tinyshakespeare"}


def test_a_benchmark_gets_its_own_slice() -> None:
    default, other = default_study(), _study(rounds=9)
    assert other.benchmark_config() != default.benchmark_config()
    elsewhere = default.model_copy(update={"study": "other", "seeds": (1,), "models": ("convlm",)})
    assert elsewhere.benchmark_config() == default.benchmark_config()


def test_a_slice_survives_json() -> None:
    found = default_study().benchmark_config()
    written = json.loads(json.dumps(found.model_dump(mode="json")))
    assert BenchmarkConfig.model_validate(written) == found


def test_a_study_without_a_benchmark_says_so() -> None:
    none = default_study().model_copy(update={"benchmark": None})
    with pytest.raises(ActreproError, match="benchmark: found null, expected its settings"):
        none.benchmark_config()


@pytest.mark.parametrize("field", dataclasses.fields(plain.Settings), ids=lambda one: one.name)
def test_the_plain_loops_defaults_are_those_of_the_scale_cpu(field: Any) -> None:
    protocol = default_study().protocols["cpu"].model_dump(exclude={"corpus"})
    assert field.default == protocol.get(field.name, field.default)
