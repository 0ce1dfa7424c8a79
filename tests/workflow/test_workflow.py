"""The real workflow on a tiny config, as a user runs it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from study_folder import TINY, Study

from actrepro import load_study
from actrepro.data.evaluation_set import load_evaluation
from actrepro.figures.catalogue import GROUPS, figure_group, figure_names
from actrepro.gates.outcome import GATES
from actrepro.measures import loss
from actrepro.predict.store import open_predictions
from actrepro.results.schema import read_model_stats, read_stats
from actrepro.results.tables import COLUMNS

pytestmark = pytest.mark.workflow
PROTOCOL = (
    "{corpus: tinyshakespeare, layers: 1, width: 4, heads: 1, context: 4, batch: 1, "
    "iterations: 1, learning_rate: 0.1, dropout: 0, evaluate_every: 1}"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("study"))
    study.tiny()
    return study


def test_a_study_makes_every_file_of_the_dag(finished: Study) -> None:
    run = "results/tiny/charlm/relu/seed1"
    expected = [
        "results/corpora/made-up/corpus.npz",
        "results/corpora/made-up/corpus.json",
        "results/corpora/made-up/evaluation-16.npz",
        "results/corpora/made-up/evaluation-16.json",
        f"{run}/checkpoint.safetensors",
        f"{run}/history.csv",
        f"{run}/run.json",
        f"{run}/snapshots.safetensors",
        f"{run}/predictions.npz",
        f"{run}/predictions-matched.npz",
        "results/tiny/charlm/gates.json",
        "results/tiny/charlm/gates-after.json",
        "results/tiny/charlm/matched.json",
        "results/tiny/charlm/relu/differences.json",
        "results/tiny/charlm/differences.npz",
        "results/tiny/charlm/differences-matched.json",
        "results/tiny/charlm/stats.json",
        "results/tiny/stats.json",
        *(f"results/tiny/{table}.csv" for table in COLUMNS),
        "results/tiny/summary.txt",
        "results/tiny/figures/curves-charlm.svg",
        "results/tiny/figures/curves-convlm.png",
        "results/tiny/figures/loss.svg",
        "results/tiny/figures/differences.svg",
        "results/tiny/figures/tradeoff.svg",
        "results/tiny/figures/contrasts.svg",
        "results/tiny/figures/heatmap.png",
        "results/tiny/charlm/breakdown.json",
        "results/models.json",
        "results/report.html",
        "results/report.md",
    ]
    missing = [path for path in expected if not (finished.folder / path).stat().st_size]
    assert not missing


def figures_by_group() -> dict[str, list[str]]:
    """Return the tiny study's figures as Snakemake's report groups them."""
    grouped: dict[str, list[str]] = {}
    for name in figure_names(("charlm", "convlm"), ("relu", "swiglu")):
        grouped.setdefault(f"Scale tiny: {GROUPS[figure_group(name)]}", []).append(name)
    return {group: sorted(names) for group, names in grouped.items()}


def test_snakemakes_report_has_figures_tables_and_pages_with_captions(finished: Study) -> None:
    grouped, items = finished.snakemakes_report()
    assert grouped == {
        "Report: Other": ["report"],
        **figures_by_group(),
        "Scale tiny: Tables": ["cells", "contrasts", "gates", "runs", "tests"],
    }
    for path, item in items.items():
        assert item["labels"].keys() in ({"figure"}, {"page"}, {"table", "a row per"})
        says = " ".join(item["caption"].split())
        assert ("n = 3 seeds" in says) == path.endswith(".svg")
        assert "tiny" in says
        assert not re.search(r"[.)][A-Z]", says), "a space is missing"
    figures = {Path(path).stem: one["caption"] for path, one in items.items() if ".svg" in path}
    with_intervals = ("heatmap", "contrasts", "differences", "loss", "accuracy", "tradeoff")
    assert all("95%" in figures[name] for name in (*with_intervals, "model-charlm"))
    assert "smoke study" in items["results/report.html"]["caption"]
    assert items["results/tiny/figures/loss.svg"]["labels"] == {"figure": "Test loss by activation"}


def test_a_second_run_has_nothing_to_do(finished: Study) -> None:
    assert "Nothing to be done" in finished.tiny()


def test_a_report_number_is_traced_to_a_runs_predictions(finished: Study) -> None:
    """Follow report → stats.json → predictions.npz."""
    evaluation = load_evaluation(finished.folder / "results/corpora/made-up/evaluation-16.npz")
    losses = []
    for seed in (1, 2, 3):
        path = finished.folder / f"results/tiny/convlm/relu/seed{seed}/predictions.npz"
        losses.append(loss(open_predictions(path).read("final", "all"), evaluation.targets))
    stats = finished.json("results/tiny/stats.json")
    metric = stats["models"]["convlm"]["rules"]["final"]["cells"]["relu"]["metrics"]["loss.all"]
    assert list(metric["by_seed"].values()) == pytest.approx(losses, rel=1e-12)
    assert metric["value"] == pytest.approx(sum(losses) / 3)
    assert f"{metric['value']:.4f}" in (finished.folder / "results/report.html").read_text("utf-8")


def test_tables_have_a_row_per_run_and_pair(finished: Study) -> None:
    runs = finished.rows("results/tiny/runs.csv")
    assert len(runs) == 2 * 2 * 3 * 3  # models, activations, seeds, checkpoint rules
    assert {row["status"] for row in runs} == {"finished"}
    pairs = finished.rows("results/tiny/pairs.csv")
    assert len(pairs) == 2 * (6 * 5 // 2) * 3
    assert all(float(row["tv-half_l1-pairs.all"]) > 0 for row in pairs)


def test_a_cell_trained_by_one_job_keeps_the_runs_that_are_there(tmp_path: Path) -> None:
    study = Study(tmp_path)
    runs = [f"results/tiny/charlm/relu/seed{seed}" for seed in (1, 2, 3)]
    files = ("checkpoint.safetensors", "history.csv", "run.json")
    together = ("--config", "models=charlm", "activations=relu", "trained_together=tiny")
    study.tiny("results/tiny/charlm/relu/seed1/run.json", *together, "seeds=1,2")
    before = {path: (tmp_path / runs[0] / path).read_bytes() for path in files}
    assert not (tmp_path / runs[2]).exists()
    study.tiny("results/tiny/charlm/relu/seed3/run.json", *together, "seeds=1,2,3")
    assert {path: (tmp_path / runs[0] / path).read_bytes() for path in files} == before
    log = (tmp_path / "logs/train/tiny/charlm/relu.log").read_text(encoding="utf-8")
    assert [line.split("INFO ")[1] for line in log.splitlines()[:2]] == [
        "tiny/charlm/relu/seed1: is there already",
        "tiny/charlm/relu/seed2: is there already",
    ]
    # One that is damaged, or of another request, is trained anew with the others kept.
    with (tmp_path / runs[1] / "history.csv").open("a", encoding="utf-8") as history:
        history.write("damage\n")
    (tmp_path / runs[1] / "history.csv").unlink()
    study.tiny("results/tiny/charlm/relu/seed2/history.csv", *together, "seeds=1,2,3")
    log = (tmp_path / "logs/train/tiny/charlm/relu.log").read_text(encoding="utf-8")
    assert log.count("is there already") == 2
    alone = ("--config", "models=charlm", "activations=relu")
    again = Study(tmp_path / "alone")
    again.tiny("results/tiny/charlm/relu/seed2/run.json", *alone, "seeds=1,2,3")
    for name in ("checkpoint.safetensors", "history.csv"):
        one, other = (folder / runs[1] / name for folder in (tmp_path, again.folder))
        assert one.read_bytes() == other.read_bytes()


def test_what_a_failed_job_left_is_not_taken_for_the_new_request(tmp_path: Path) -> None:
    study = Study(tmp_path)
    record = "results/tiny/charlm/relu/seed1/run.json"
    together = ("--config", "trained_together=tiny", "seeds=1,2")
    study.tiny(record, *together)
    other = tmp_path / "other.yaml"
    other.write_text("protocols: {tiny: {iterations: 20}}\n", encoding="utf-8")
    # Training cannot lay its lock where a file stands in the way.
    state = tmp_path / "state/tiny/charlm"
    shutil.rmtree(state)
    state.write_text("", encoding="utf-8")
    configs = ("--configfile", str(study.workflow / TINY), str(other))
    study.snakemake(record, *together, *configs, ok=False)
    state.unlink()
    study.snakemake(record, *together, *configs)
    assert study.json(record)["config"]["protocol"]["iterations"] == 20


def test_fewer_seeds_train_nothing(finished: Study) -> None:
    planned = finished.planned("--config", "seeds=1,2")
    assert not planned.keys() & {"train", "train_cell"}


def test_the_statistics_have_the_documented_shape(finished: Study) -> None:
    read_stats(finished.folder / "results/tiny/stats.json")
    read_model_stats(finished.folder / "results/tiny/charlm/stats.json")
    study = load_study(finished.folder / "results")
    assert set(study.gates["gate"]) == set(GATES)
    assert len(study.cells.query("rule == 'matched' and measure == 'loss.all'")) == 4


def test_gates_are_a_target_that_trains_nothing(finished: Study) -> None:
    output = finished.snakemake("--dry-run", "results/full/charlm/gates.json")
    assert re.search(r"^gates +1$", output, re.MULTILINE)
    assert not re.search(r"^train +\d+$", output, re.MULTILINE)


def test_one_file_of_a_scale_outside_the_study_is_a_target(finished: Study) -> None:
    output = finished.snakemake("--dry-run", "results/full/charlm/stats.json")
    table = dict(re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE))
    assert table["train"] == "18"
    assert table["predict"] == "6"
    assert table["corpus"] == "1"


@pytest.mark.parametrize("scale", ["quick", "cpu", "lite", "partial", "full"])
def test_each_scale_is_a_target(finished: Study, scale: str) -> None:
    output = finished.snakemake("--dry-run", scale)
    assert f"results/{scale}/stats.json" in output
    # Where runs take seconds, one job trains a cell's three.
    jobs = r"^train_cell +36$" if scale == "quick" else r"^train +108$"
    assert re.search(jobs, output, re.MULTILINE)


def test_summary_needs_no_figures(finished: Study) -> None:
    output = finished.snakemake("--dry-run", "summary")
    assert re.search(r"^summary_text +1$", output, re.MULTILINE)
    assert re.search(r"^tables +1$", output, re.MULTILINE)
    assert not re.search(r"^figure +\d+$", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["model=charlm"], "no such key; did you mean 'models'?"),
        (["models=charml"], "did you mean 'charlm'?"),
        (["activations=rellu"], "did you mean 'relu'?"),
        (["scales=quik"], "did you mean 'quick'?"),
        (["seeds=-1"], "greater than or equal to 0"),
        (["confidence=95"], "less than 1"),
        (["margins={los: 1}"], "did you mean 'loss'?"),
        # Targets, one of them made by `use rule … as`.
        ([f"protocols={{summary: {PROTOCOL}}}"], "a target or folder 'summary' of its own"),
        (
            [f"protocols={{predict_audited: {PROTOCOL}}}"],
            "a target or folder 'predict_audited' of its own; choose another name",
        ),
    ],
)
def test_a_wrong_config_is_refused_before_any_job(
    finished: Study, settings: list[str], expected: str
) -> None:
    output = finished.snakemake("--dry-run", "--config", *settings, ok=False)
    assert expected in output
    assert "Traceback" not in output


def test_a_missing_text_ends_in_one_message(tmp_path: Path) -> None:
    study = Study(tmp_path)
    (tmp_path / "made-up.txt").unlink()
    output = study.tiny("results/corpora/made-up/corpus.npz", ok=False)
    assert "made-up.txt: expected a readable text, found: No such file or directory" in output
    assert "Traceback" not in output
    assert not (tmp_path / "results/corpora/made-up/corpus.npz").exists()


OWN_MODEL = """
from torch import nn
from actrepro.models import Activated

def build(spec):
    layer = Activated(lambda out: nn.Linear(spec.width, out), 32, spec.activation, 1, 1)
    return nn.Sequential(nn.Embedding(spec.symbols, spec.width), layer,
                         nn.Linear(layer.width, spec.symbols))
"""
# A symmetric convolution sees the next character, and its ReLU takes the activation's place.
FAULTY_MODEL = """
from torch import nn

class Model(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.tokens = nn.Embedding(spec.symbols, spec.width)
        self.mix = nn.Conv1d(spec.width, spec.width, 3, padding=1)
        self.head = nn.Linear(spec.width, spec.symbols)

    def forward(self, codes):
        mixed = self.mix(self.tokens(codes).transpose(1, 2)).relu().transpose(1, 2)
        return self.head(mixed)

def build(spec):
    return Model(spec)
"""


def test_users_own_models_pass_through_the_same_gates(tmp_path: Path) -> None:
    study = Study(tmp_path)
    (tmp_path / "mymodel.py").write_text(OWN_MODEL, encoding="utf-8")
    (tmp_path / "faulty.py").write_text(FAULTY_MODEL, encoding="utf-8")
    study.tiny(
        "results/tiny/stats.json",
        "results/tiny/summary.txt",
        "--config",
        "custom_models={mine: mymodel, leaky: faulty}",
        "models=mine,leaky",
        "activations=relu,gelu",
        "seeds=1,2",
    )
    models = study.json("results/tiny/stats.json")["models"]
    # Nothing was stopped: the faulty cells have their runs, with every fault beside them.
    for activation, cell in models["leaky"]["rules"]["final"]["cells"].items():
        assert cell["n"] == 2
        assert {"wired", "causal", "distinct"} <= set(cell["failed_gates"])
        assert cell["gates"]["wired"]["measured"]["calls"] == 0
        assert cell["gates"]["wired"]["measured"]["other_nonlinearities"] == ["relu"]
        own = models["mine"]["rules"]["final"]["cells"][activation]
        assert (own["n"], set(own["failed_gates"]) - {"learned"}) == (2, set())
    contrasts = models["leaky"]["rules"]["final"]["contrasts"]
    assert {one["verdict"] for one in contrasts} == {"unsound"}
    summary = (tmp_path / "results/tiny/summary.txt").read_text(encoding="utf-8")
    assert re.search(r"leaky +relu † .*failed: wired, causal, distinct", summary)
