"""Controls: each shows its mistake, the gates catch it, and the honest side passes them."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
import torch
from audit_fixture import CLAIMS
from synthetic import Model

from actrepro.audit.claims import CONTROLS, read_table
from actrepro.audit.config import Control, parse_audit, trained_control_names
from actrepro.audit.controls import kit, trained
from actrepro.audit.controls.faulty import same_padded as same_padded_model
from actrepro.audit.controls.job import make_control
from actrepro.audit.controls.side_by_side import read_tellings, side_by_side
from actrepro.audit.controls.trained.no_dropout import shortened
from actrepro.audit.controls.trained.same_padded import full_windows
from actrepro.audit.controls.unpaired import (
    DRAWS,
    LONGEST_CONTEXT,
    differences,
    draws,
    ngram_ladder,
    ngram_rows,
    unpaired_control,
    unpaired_differences,
)
from actrepro.audit.results import read_results
from actrepro.config import names
from actrepro.config.reading import default_study
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json
from actrepro.core.vocabulary import DIVERGED, FAILED
from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import EvaluationSet, ngram_baseline
from actrepro.measures import certificate
from actrepro.models import build_from_protocol, count_parameters
from actrepro.predict.store import FINAL, open_predictions

ACTIVATIONS = ("relu", "gelu")
SEEDS = (1, 2, 3)

# Long enough, on the made-up text, for each mistake to show and each honest side to learn.
TINY: dict[str, dict[str, Any]] = {
    "not_wired": {"iterations": 5},
    "same_padded": {"layers": 1, "iterations": 150, "evaluate_every": 150},
    "no_dropout": {
        "layers": 1,
        "width": 32,
        "batch": 16,
        "iterations": 240,
        "dropout": 0.2,
        "evaluate_every": 40,
        "train_characters": 1000,
    },
    "constant": {
        "iterations": 120,
        "learning_rate": 6e-4,
        "evaluate_every": 120,
        "overrides": {"tinylstm": {"learning_rate": 2e-2}},
    },
}


FEW = ("bdgklmnp", "aeou")
# So many that 1,000 characters show each pair once or not at all.
MANY = ("".join(map(chr, range(0x430, 0x450))), "".join(map(chr, range(0x3B1, 0x3D1))))


def _syllables(letters: tuple[str, str], length: int = 6000) -> Corpus:
    """Words of two random syllables, as in `nuke gapo`: a space is by far the likeliest character.

    After a vowel a bigram table cannot tell whether the word goes on; a model can. No
    model can foresee a letter, unless it has the text by heart.
    """
    generator = np.random.default_rng(0)
    parts = [generator.choice(list(some), length) for some in letters * 2]
    return Corpus.of_text("".join(map("{}{}{}{} ".format, *parts))[:length])


def _protocol(name: str) -> Control:
    return Control.model_validate({**synthetic.protocol().model_dump(), **TINY[name]})


def _made(name: str, folder: Path, protocol: Control | None = None) -> Path:
    corpus, output = folder / "corpus.npz", folder / f"{name}.json"
    _syllables(MANY if name == "no_dropout" else FEW).save(corpus)
    make_control(name, protocol or _protocol(name), corpus, output, threads=1)
    return output


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every trained control's file, at a tiny size."""
    folder = tmp_path_factory.mktemp("controls")
    return {name: _made(name, folder) for name in TINY}


@pytest.fixture(scope="module")
def found(files: dict[str, Path]) -> dict[str, Any]:
    return {name: read_json(path) for name, path in files.items()}


def _sides(control: dict[str, Any], quantity: str) -> tuple[Any, Any]:
    entry = control["numbers"][quantity]
    return entry["control"], entry["honest"]


def _passed(control: dict[str, Any]) -> dict[str, tuple[bool, bool]]:
    """By gate, whether the side with the mistake passed, and the honest one."""
    return {
        gate: (one["control"]["passed"], one["honest"]["passed"])
        for gate, one in control["gates"].items()
    }


def test_an_activation_that_is_not_wired_makes_all_activations_one(found: dict[str, Any]) -> None:
    control = found["not_wired"]
    assert _sides(control, "identical_share") == (1.0, 0.0)
    for range_ in ("loss_range", "initial_loss_range", "tv_range", "same_seed_tv"):
        wrong, honest = _sides(control, range_)
        assert wrong == 0 < honest
    assert control["numbers"]["same_seed_tv"]["control_interval"] == [0, 0]
    passed = _passed(control)
    assert passed.pop("wired") == passed.pop("distinct") == (False, True)
    assert passed == dict.fromkeys(("causal", "rows", "repeatable", "initial_loss"), (True, True))


def test_the_activation_not_wired_is_one_of_the_honest_ones(found: dict[str, Any]) -> None:
    runs = found["not_wired"]["runs"]
    hashes = {side: _hashes(runs, side) for side in ("control", "honest")}
    assert len(runs) == 12
    assert {hashes["control"][name] for name in hashes["control"]} == {
        hashes["honest"]["gelu", seed] for seed in (42, 43)
    }


def _hashes(runs: list[dict[str, Any]], side: str) -> dict[tuple[str, int], str]:
    return {
        (run["activation"], run["seed"]): run["weights_sha256"]
        for run in runs
        if run["side"] == side
    }


def test_same_padding_sees_every_target_but_the_last(found: dict[str, Any]) -> None:
    control = found["same_padded"]
    passed = _passed(control)
    assert passed["causal"] == passed["certificate"] == (False, True)
    wrong, honest = _sides(control, "loss")
    last, honest_last = _sides(control, "last_loss")
    assert _sides(control, "loss_over_context") == (last / synthetic.BLOCK, honest_last / 16)
    # Nearly all of the loss is the last position's; the honest one is spread over all.
    assert last / synthetic.BLOCK < wrong < 2 * last / synthetic.BLOCK
    assert honest > 5 * wrong
    assert _sides(control, "accuracy")[0] > 0.9
    accuracy, _ = _sides(control, "last_accuracy")
    least, honest_least = _sides(control, "least_accuracy")
    assert least == certificate(wrong) > accuracy + 0.1
    assert honest_least == certificate(honest)


def test_a_same_padded_model_is_a_convlm_that_looks_ahead() -> None:
    protocol = synthetic.protocol(layers=1)
    path = {"shifted": same_padded_model.__name__}
    model = build_from_protocol("shifted", protocol, "relu", 14, seed=1, custom_models=path).eval()
    causal = build_from_protocol("convlm", protocol, "relu", 14, seed=1).eval()
    assert count_parameters(model) == count_parameters(causal)
    codes = torch.from_numpy(np.random.default_rng(0).integers(14, size=(1, 16)))
    changed = codes.clone()
    changed[0, 9] = (changed[0, 9] + 1) % 14
    with torch.no_grad():
        moved = (model(codes) != model(changed)).any(dim=2)[0]
        assert moved.nonzero().flatten().tolist() == [8, 9, 10]
        moved = (causal(codes) != causal(changed)).any(dim=2)[0]
        assert moved.nonzero().flatten().tolist() == [9, 10, 11]


def test_full_windows_score_every_position_with_its_own_target() -> None:
    corpus = synthetic.corpus()
    windows = full_windows(corpus, 16)
    count = len(windows.inputs)
    assert len(windows.targets) == 16 * count
    assert windows.positions.min() > corpus.selection_end
    assert windows.positions.max() < len(corpus.codes)
    assert (corpus.codes[windows.positions] == windows.targets).all()
    seen = windows.inputs[windows.window, windows.offset]
    assert (corpus.codes[windows.positions - 1] == seen).all()


def test_without_dropout_a_decoder_learns_its_text_by_heart(found: dict[str, Any]) -> None:
    control = found["no_dropout"]
    final, honest = _sides(control, "final_loss")
    best, honest_best = _sides(control, "best_loss")
    unigram, same = _sides(control, "unigram_loss")
    assert final > unigram == same
    assert best < unigram
    assert honest == honest_best < unigram
    train, honest_train = _sides(control, "train_loss")
    assert train < honest_train < final
    rise, honest_rise = _sides(control, "rise")
    assert rise > max(honest_rise, 0.5)
    assert _passed(control) == {"learned": (False, True)}
    assert control["about"]["train_characters"] == 1000


def test_a_shortened_corpus_keeps_what_is_scored() -> None:
    corpus = synthetic.corpus()
    short = shortened(corpus, 1000)
    assert (short.train == corpus.train[:1000]).all()
    assert (short.selection == corpus.selection).all()
    assert (short.test == corpus.test).all()
    assert short.sha256 != corpus.sha256
    assert short.sha256 == Corpus.of_text(corpus.decode(short.codes)).sha256
    assert shortened(corpus, None) is shortened(corpus, 10**6) is corpus


def test_a_constant_predictor_looks_reproducible(found: dict[str, Any]) -> None:
    control = found["constant"]
    loss, honest = _sides(control, "loss")
    unigram, _ = _sides(control, "unigram_loss")
    assert abs(loss - unigram) < 0.1
    assert honest < unigram - 0.5
    assert _passed(control) == {"learned": (False, True)}
    # One symbol everywhere: its share is the accuracy, no churn, and chance agrees as well.
    frequency, _ = _sides(control, "space_frequency")
    assert _sides(control, "accuracy")[0] == pytest.approx(frequency)
    assert _sides(control, "churn")[0] == 0 < _sides(control, "churn")[1]
    assert _sides(control, "kappa")[0] is None
    assert 0 < _sides(control, "kappa")[1] < 1
    # Whichever characters a constant is scored on, it predicts the same.
    wrong, honest = zip(_sides(control, "tv"), _sides(control, "unpaired_tv"), strict=True)
    assert wrong[1] < 1.2 * wrong[0] < 0.1
    assert honest[1] > 3 * honest[0]
    test = _syllables(FEW).test
    assert frequency == pytest.approx(max(Counter(test.tolist()).values()) / len(test))
    assert control["about"]["learning_rates"] == {"control": 6e-4, "honest": 2e-2}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    made = Model(tmp_path_factory.mktemp("runs"), ACTIVATIONS, SEEDS)
    made.write()
    return made


def _unpaired(model: Model, name: str = "unpaired.json") -> Path:
    output = model.folder / name
    unpaired_control(
        model.runs,
        list(model.of_runs("predictions.npz").values()),
        model.corpus_path,
        model.evaluation_path,
        model.stats,
        output,
    )
    return output


def test_unpaired_runs_differ_and_paired_ones_less(model: Model) -> None:
    control = read_json(_unpaired(model))
    stats = read_json(model.stats)["rules"][FINAL]["cells"]
    for activation in ACTIVATIONS:
        honest = stats[activation]["differences"]
        for what, id_, factor in (
            ("tv", "tv-half_l1-pairs.all", 1),
            ("churn_per_1000", "churn-top1-pairs.all", 1000),
        ):
            entry = control["numbers"][f"{what}.{activation}"]
            assert entry["honest"] == factor * honest[id_]["value"]
            pairs = [factor * pair["value"] for pair in honest[id_]["pairs"]]
            assert entry["honest_interval"] == [min(pairs), max(pairs)]
            assert entry["measure"] == id_
            assert entry["n"] == 3
            low, high = entry["control_interval"]
            assert low < entry["control"] < high
            alone = control["numbers"][f"self_{what}.{activation}"]
            assert alone["honest"] == 0 < alone["control"]
    for what in ("tv", "churn_per_1000"):
        by_activation = [control["numbers"][f"{what}.{one}"] for one in ACTIVATIONS]
        for side in ("control", "honest"):
            mean = np.mean([one[side] for one in by_activation])
            assert control["numbers"][what][side] == pytest.approx(mean)
    assert _passed(control) == {"shared_evaluation": (False, True)}


def test_unpaired_numbers_are_means_over_pairs_and_draws(model: Model) -> None:
    control = read_json(_unpaired(model))
    p = {
        seed: open_predictions(model.path("relu", seed, "predictions.npz")).read(FINAL, "all")
        for seed in SEEDS
    }
    values = [
        np.abs(p[a][one].astype(float) - p[b][other]).sum(axis=1).mean() / 2
        for a, b in itertools.combinations(SEEDS, 2)
        for one, other in draws(f"relu/{a}/{b}", len(p[a]))
    ]
    assert len(values) == 3 * DRAWS
    entry = control["numbers"]["tv.relu"]
    assert entry["control"] == pytest.approx(np.mean(values), abs=1e-6)
    assert entry["control_interval"] == pytest.approx([min(values), max(values)], abs=1e-6)


def test_unpaired_needs_two_runs_and_leaves_out_lost_ones(tmp_path: Path) -> None:
    gone = {"diverged": [("gelu", 1)], "out_of_memory": [("gelu", 2)]}
    lost = Model(tmp_path / "some", ACTIVATIONS, SEEDS, **gone)
    lost.write()
    control = read_json(_unpaired(lost))
    assert "tv.relu" in control["numbers"]
    assert "tv.gelu" not in control["numbers"]
    none = Model(tmp_path / "none", ("relu",), SEEDS, diverged=[("relu", 1), ("relu", 2)])
    none.write()
    with pytest.raises(ActreproError, match="no activation has two runs"):
        _unpaired(none)


def test_draws_have_no_position_in_common_and_follow_their_name() -> None:
    for characters, size in ((10_000, 1000), (51, 25)):
        drawn = list(draws("relu/1/2", characters))
        assert len(drawn) == DRAWS
        for one, other in drawn:
            assert len(set(one) | set(other)) == 2 * size
            assert max(*one, *other) < characters
        again, another = draws("relu/1/2", characters), draws("relu/1/3", characters)
        assert all((a[0] == b[0]).all() for a, b in zip(drawn, again, strict=True))
        assert not any((a[0] == b[0]).all() for a, b in zip(drawn, another, strict=True))
    assert not (drawn[0][0] == drawn[1][0]).all()


def test_one_prediction_everywhere_differs_from_itself_nowhere() -> None:
    row = synthetic.probabilities(np.random.default_rng(0), 1, 5)
    constant = np.repeat(row, 100, axis=0)
    assert (unpaired_differences(constant, constant, "constant") == 0).all()
    varied = synthetic.probabilities(np.random.default_rng(0), 100, 5)
    assert (differences(varied, varied) == 0).all()
    assert (unpaired_differences(varied, varied, "varied") > 0).all()


def test_ngram_rows_are_those_of_counting(evaluation: EvaluationSet) -> None:
    corpus = synthetic.corpus()
    positions = evaluation.positions[::7]
    made = list(ngram_rows(corpus, positions))
    assert len(made) == LONGEST_CONTEXT + 1
    for order, rows in enumerate(made):
        for position, row in zip(positions, rows, strict=True):
            assert row == pytest.approx(_counted(corpus, int(position), order), abs=1e-6)
        assert rows.sum(axis=1) == pytest.approx(1, abs=1e-5)


def _counted(corpus: Corpus, position: int, order: int) -> list[float]:
    """A position's n-gram row from counting substrings of the training text."""
    text = corpus.decode(corpus.codes)
    train = text[: corpus.train_end]
    shorter = (
        _counted(corpus, position, order - 1)
        if order
        else [1 / len(corpus.symbols)] * len(corpus.symbols)
    )
    context = text[position - order : position]
    follow = Counter(
        train[at] for at in range(order, len(train)) if train[at - order : at] == context
    )
    total = sum(follow.values())
    return [
        (follow[symbol] + part) / (total + 1)
        for symbol, part in zip(corpus.symbols, shorter, strict=True)
    ]


def test_the_ladder_climbs_without_any_seed(evaluation: EvaluationSet) -> None:
    corpus = synthetic.corpus()
    ladder = ngram_ladder(corpus, evaluation.positions)
    assert [step["order"] for step in ladder] == list(range(LONGEST_CONTEXT + 1))
    assert ladder[0]["tv"] == ladder[0]["churn"] == 0
    assert all(step["paired_tv"] == 0 for step in ladder)
    assert 0 < ladder[1]["tv"] < ladder[3]["tv"]
    # The tables of gates add to counts a little otherwise, which long texts do not feel.
    for step in ladder[:2]:
        loss, accuracy = ngram_baseline(corpus, evaluation.positions, step["order"] + 1)
        assert step["loss"] == pytest.approx(loss, abs=0.05)
        assert step["accuracy"] == accuracy


def test_the_ladder_ends_where_contexts_are_no_longer_numbers(evaluation: EvaluationSet) -> None:
    symbols = "".join(map(chr, range(0x4E00, 0x4E00 + 40_000)))
    many = replace(synthetic.corpus(), symbols=symbols)
    assert len(list(ngram_rows(many, evaluation.positions[:2]))) == 5


def test_the_same_call_gives_the_same_bytes(files: dict[str, Path], tmp_path: Path) -> None:
    again = _made("same_padded", tmp_path)
    assert again.read_bytes() == files["same_padded"].read_bytes()


def test_unpaired_gives_the_same_bytes(model: Model) -> None:
    assert _unpaired(model).read_bytes() == _unpaired(model, "again.json").read_bytes()


def test_unpaired_starts_without_torch() -> None:
    import subprocess

    code = "import sys, actrepro.audit.controls.unpaired; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_control_is_configured_and_told() -> None:
    assert set(TINY) == set(trained_control_names()) == set(parse_audit(default_study()).controls)
    assert set(read_tellings(CLAIMS / CONTROLS)) == {*trained_control_names(), "unpaired"}


def test_every_telling_has_its_numbers_and_its_gates_catch(
    files: dict[str, Path], tmp_path: Path
) -> None:
    activations = parse_audit(default_study()).activations
    # Two seeds have no interval.
    runs = Model(tmp_path, activations, (1, 2))
    runs.write()
    results = read_results(default_study(), [], [*files.values(), _unpaired(runs)], None)
    told = side_by_side(CLAIMS / CONTROLS, read_table(CLAIMS), results)
    for control in told:
        assert control["run"]
        for gate in control["gates"]:
            assert (gate["control"]["passed"], gate["honest"]["passed"]) == (False, True)
        assert len({line["label"] for line in control["lines"]}) == len(control["lines"])
        for line in control["lines"]:
            assert line["honest"] is not None


def test_adding_a_control_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "audit/controls/trained"
    folder.mkdir(parents=True)
    (folder / "spelt_backwards.py").write_text(
        "def measure(inputs):\n"
        "    size = {'control': inputs.protocol.width, 'honest': 1}\n"
        "    return {'about': {'why': 'a test'}, 'numbers': {'size': size}, 'gates': {},\n"
        "            'runs': []}\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(names, "PACKAGE", tmp_path)
    monkeypatch.setattr(trained, "__path__", [*trained.__path__, str(folder)])
    trained_control_names.cache_clear()
    try:
        protocol = Control.model_validate(synthetic.protocol().model_dump())
        control = read_json(_made("spelt_backwards", tmp_path, protocol))
    finally:
        trained_control_names.cache_clear()
        sys.modules.pop("actrepro.audit.controls.trained.spelt_backwards", None)
    assert control["control"] == "spelt_backwards"
    assert control["numbers"]["size"] == {"control": 16, "honest": 1}
    assert control["about"]["why"] == "a test"
    assert control["about"]["corpus_sha256"] == _syllables(FEW).sha256


def test_an_unknown_control_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ActreproError, match="did you mean 'constant'"):
        make_control("constnat", _protocol("constant"), tmp_path / "none", tmp_path / "x", 1)


@pytest.mark.parametrize(
    ("status", "why", "remedy"),
    [
        (DIVERGED, "the loss at step 5 is no number", "learning_rate"),
        (FAILED, "out of memory at step 5", "batch"),
    ],
)
def test_a_lost_run_says_what_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, why: str, remedy: str
) -> None:
    train = kit.train
    monkeypatch.setattr(
        kit, "train", lambda *inputs: replace(train(*inputs), status=status, why=why)
    )
    told = rf"{status} \({why}\).* lower audit\.controls\.not_wired\.{remedy}$"
    with pytest.raises(ActreproError, match=told):
        _made("not_wired", tmp_path)
