"""From predictions to `stats.json`: numpy and scipy recompute every number."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import synthetic
from synthetic import WHY, Model

from actrepro.core.files import read_json, read_npz
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED
from actrepro.data.evaluation_set import EvaluationSet
from actrepro.measures import PRIMARY, group_measure_ids, measure_ids, run_measure_ids
from actrepro.predict.store import MATCHED, OWN_RULES, RULES, Predictions
from actrepro.predict.validity import targets_of
from actrepro.statistics.contrasts import MARGIN_OF, Settings, compared_metrics
from actrepro.statistics.inference import (
    holm,
    jackknife,
    jackknife_pairs,
    label_swap_p,
    sign_flip_p,
    two_way_bootstrap,
)

ACTIVATIONS = ["relu", "gelu", "swiglu"]
TV = PRIMARY


def _write(model: Model, settings: Settings = synthetic.SETTINGS) -> dict[str, Any]:
    model.write(settings)
    # No NaN and no infinity, which are not JSON.
    stats: dict[str, Any] = json.loads(model.stats.read_text(), parse_constant=pytest.fail)
    return stats


def _loss(model: Model, activation: str, seed: int, rule: str = "final") -> float:
    return float(_losses(model, activation, seed, rule).mean())


def _losses(model: Model, activation: str, seed: int, rule: str) -> np.ndarray:
    p = _made(model, (activation, seed), rule).astype(float)
    losses: np.ndarray = -np.log(p[np.arange(len(p)), model.evaluation.targets])
    return losses


def _made(model: Model, run: tuple[str, int], rule: str) -> np.ndarray:
    predictions = model.matched if rule == MATCHED else model.predictions
    return predictions[run].probabilities[rule, "all"]


def _tv(
    model: Model, first: tuple[str, int], second: tuple[str, int], rule: str = "final"
) -> float:
    p, q = (_made(model, run, rule).astype(float) for run in (first, second))
    return float(np.abs(p - q).sum(axis=1).mean() / 2)


def _contrast(
    stats: dict[str, Any], metric: str, a: str, b: str, rule: str = "final"
) -> dict[str, Any]:
    [result] = [
        contrast
        for contrast in stats["rules"][rule]["contrasts"]
        if (contrast["metric"], contrast["a"], contrast["b"]) == (metric, a, b)
    ]
    return result


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(tmp_path_factory.mktemp("model"), ACTIVATIONS, [42, 43, 44, 45])


@pytest.fixture(scope="module")
def stats(model: Model) -> dict[str, Any]:
    return _write(model)


def test_a_model_says_what_was_compared(model: Model, stats: dict[str, Any]) -> None:
    assert (stats["scale"], stats["model"], stats["confidence"]) == ("tiny", "charlm", 0.95)
    assert (stats["activations"], stats["seeds"]) == (ACTIVATIONS, [42, 43, 44, 45])
    assert stats["protocol"] == synthetic.protocol().model_dump(mode="json")
    assert stats["corpus_sha256"] == synthetic.corpus().sha256
    assert stats["evaluation"] == read_json(model.manifest_path)
    assert [(run["activation"], run["seed"]) for run in stats["runs"]] == model.runs
    assert stats["rules"].keys() == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_metrics_of_a_cell(model: Model, stats: dict[str, Any], rule: str) -> None:
    cells = stats["rules"][rule]["cells"]
    assert list(cells) == ACTIVATIONS
    for activation, cell in cells.items():
        losses = [_loss(model, activation, seed, rule) for seed in model.seeds]
        result = cell["metrics"]["loss.all"]
        assert list(cell["metrics"]) == run_measure_ids()
        assert (cell["n"], cell["excluded"], cell["failed_gates"]) == (4, [], [])
        assert list(result["by_seed"]) == ["42", "43", "44", "45"]
        assert list(result["by_seed"].values()) == pytest.approx(losses)
        assert result["value"] == pytest.approx(np.mean(losses))
        assert result["sd"] == pytest.approx(np.std(losses, ddof=1))
        student = scipy.stats.ttest_1samp(losses, 0).confidence_interval(0.95)
        assert result["interval_over_seeds"] == pytest.approx([student.low, student.high])
        assert result["interval_over"] == "seeds and text"
        assert result["interval"] == pytest.approx(_two_way(model, activation, None, rule))
        last = cell["metrics"]["loss.last"]
        assert last["interval"] == last["interval_over_seeds"]
        assert last["interval_over"] == "seeds"


def _two_way(model: Model, a: str, b: str | None, rule: str) -> list[float]:
    """Compute the interval of a loss, or of a − b, from the losses of single characters."""
    characters = read_npz(model.matrices)["block_characters"]
    edges = np.concatenate([[0], np.cumsum(characters)])
    rows = []
    for seed in model.seeds:
        losses = _losses(model, a, seed, rule)
        losses = losses if b is None else losses - _losses(model, b, seed, rule)
        rows.append([losses[i:j].mean() for i, j in itertools.pairwise(edges)])
    result = two_way_bootstrap(np.array(rows), 0.95, weights=characters.astype(float))
    assert result.interval is not None
    return list(result.interval)


@pytest.mark.parametrize("rule", RULES)
def test_other_measures_of_a_cell(model: Model, stats: dict[str, Any], rule: str) -> None:
    for activation in ACTIVATIONS:
        cell = stats["rules"][rule]["cells"][activation]
        entropies = []
        for seed in model.seeds:
            p = _made(model, (activation, seed), rule).astype(float)
            entropies.append(-(p * np.log(p)).sum(axis=1).mean())
        assert list(cell["metrics"]["entropy.all"]["by_seed"].values()) == pytest.approx(entropies)
        p = np.stack([_made(model, (activation, seed), rule) for seed in model.seeds]).astype(float)
        mean = p.mean(axis=0)
        apart = np.abs(p - mean).sum(axis=2).mean()
        left = []
        for place in range(4):
            rest = np.delete(p, place, axis=0)
            left.append(np.abs(rest - rest.mean(axis=0)).sum(axis=2).mean())
        result = cell["group"]["pd-l1-mean.all"]
        expected = jackknife(apart, left, 0.95)
        assert list(cell["group"]) == group_measure_ids()
        assert result["value"] == pytest.approx(apart, abs=1e-6)
        assert result["interval"] == pytest.approx(expected.interval, abs=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_differences_of_a_cell(model: Model, stats: dict[str, Any], rule: str) -> None:
    for activation in ACTIVATIONS:
        result = stats["rules"][rule]["cells"][activation]["differences"]
        assert list(result) == measure_ids()
        pairs = list(itertools.combinations(model.seeds, 2))
        values = [_tv(model, (activation, s), (activation, t), rule) for s, t in pairs]
        assert [tuple(pair["seeds"]) for pair in result[TV]["pairs"]] == pairs
        assert [pair["value"] for pair in result[TV]["pairs"]] == pytest.approx(values, abs=1e-7)
        assert result[TV]["value"] == pytest.approx(np.mean(values), abs=1e-7)
        matrix = np.zeros((4, 4))
        matrix[np.triu_indices(4, k=1)] = values
        expected = jackknife_pairs([matrix + matrix.T], [1], 0.95)
        assert result[TV]["standard_error"] == pytest.approx(expected.standard_error, abs=1e-7)
        assert result[TV]["interval"] == pytest.approx(expected.interval, abs=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_contrasts_of_losses_are_paired_by_seed(
    model: Model, stats: dict[str, Any], rule: str
) -> None:
    for a, b in itertools.combinations(ACTIVATIONS, 2):
        result = _contrast(stats, "loss.all", a, b, rule)
        paired = [_loss(model, a, seed, rule) - _loss(model, b, seed, rule) for seed in model.seeds]
        assert (result["seeds"], result["n"]) == (model.seeds, 4)
        assert result["value"] == pytest.approx(np.mean(paired))
        assert result["sd"] == pytest.approx(np.std(paired, ddof=1))
        assert result["interval"] == pytest.approx(_two_way(model, a, b, rule))
        assert result["p"] == sign_flip_p(paired)
        assert result["p_smallest"] == 2 / 16
        assert result["p"] >= result["p_smallest"]


@pytest.mark.parametrize("rule", RULES)
def test_contrasts_of_differences_swap_labels_within_seeds(
    model: Model, stats: dict[str, Any], rule: str
) -> None:
    for a, b in itertools.combinations(ACTIVATIONS, 2):
        runs = [(activation, seed) for activation in (a, b) for seed in model.seeds]
        matrix = np.array([[_tv(model, first, second, rule) for second in runs] for first in runs])
        result = _contrast(stats, TV, a, b, rule)
        expected = jackknife_pairs([matrix[:4, :4], matrix[4:, 4:]], [1, -1], 0.95)
        assert result["value"] == pytest.approx(expected.value, abs=1e-6)
        assert result["standard_error"] == pytest.approx(expected.standard_error, abs=1e-6)
        assert result["interval"] == pytest.approx(expected.interval, abs=1e-6)
        assert result["p"] == pytest.approx(label_swap_p(matrix))
        assert result["p_smallest"] == 2 / 16


def test_every_metric_is_a_family_of_its_own(stats: dict[str, Any]) -> None:
    for rule, metric in itertools.product(RULES, compared_metrics()):
        family = [c for c in stats["rules"][rule]["contrasts"] if c["metric"] == metric]
        assert [(c["a"], c["b"]) for c in family] == list(itertools.combinations(ACTIVATIONS, 2))
        for p in ("p", "p_equivalent"):
            tested = [c[p] for c in family if c[p] is not None]
            assert [c[f"{p}_holm"] for c in family if c[p] is not None] == holm(tested)
        exact = metric not in group_measure_ids()
        assert all((c["p"] is not None) == exact for c in family)
        margin = metric.partition(".")[0] in MARGIN_OF
        assert all((c["p_equivalent"] is not None) == margin for c in family)


def test_the_confidence_asked_for(tmp_path: Path) -> None:
    model = Model(tmp_path, ["relu"], [1, 2, 3])
    settings = Settings(0.8, synthetic.SETTINGS.margins)
    result = _write(model, settings)["rules"]["final"]["cells"]["relu"]["metrics"]["loss.last"]
    losses = list(result["by_seed"].values())
    interval = scipy.stats.ttest_1samp(losses, 0).confidence_interval(0.8)
    assert result["interval"] == pytest.approx([interval.low, interval.high])


@pytest.mark.parametrize("rule", RULES)
def test_kinds_of_pairs_by_brute_force(tmp_path: Path, rule: str) -> None:
    gone = ("gelu", 2)
    model = Model(tmp_path, ACTIVATIONS, [1, 2, 3], diverged=[gone])
    result = _write(model)["rules"][rule]["kinds_of_pairs"]
    assert list(result) == measure_ids()
    kinds: dict[str, list[float]] = {
        "same_activation_other_seed": [],
        "other_activation_same_seed": [],
        "other_activation_other_seed": [],
    }
    for first, second in itertools.combinations(model.runs, 2):
        if gone not in (first, second):
            activation = "same" if first[0] == second[0] else "other"
            seed = "same" if first[1] == second[1] else "other"
            kinds[f"{activation}_activation_{seed}_seed"].append(_tv(model, first, second, rule))
    # Of 36 pairs, 8 have the diverged run.
    assert sorted(map(len, kinds.values())) == [7, 7, 14]
    for kind, values in kinds.items():
        assert result[TV][kind] == pytest.approx(np.mean(values), abs=1e-7)


def test_one_activation_has_no_pairs_across(tmp_path: Path) -> None:
    stats = _write(Model(tmp_path, ["relu"], [1, 2]))
    under = stats["rules"]["final"]
    assert under["contrasts"] == []
    assert under["kinds_of_pairs"][TV]["other_activation_same_seed"] is None
    assert under["kinds_of_pairs"][TV]["same_activation_other_seed"] > 0


def test_one_seed_has_values_and_nothing_that_needs_more(tmp_path: Path) -> None:
    model = Model(tmp_path, ["relu", "gelu"], [1])
    stats = _write(model)
    cell = stats["rules"]["final"]["cells"]["relu"]
    result = cell["metrics"]["loss.all"]
    assert result["value"] == pytest.approx(_loss(model, "relu", 1))
    assert (result["n"], result["sd"], result["standard_error"], result["interval"]) == (
        1,
        None,
        None,
        None,
    )
    assert set(cell["differences"].values()) == {None}
    contrast = _contrast(stats, "loss.all", "relu", "gelu")
    assert (contrast["n"], contrast["interval"], contrast["p"]) == (1, None, 1.0)
    contrast = _contrast(stats, TV, "relu", "gelu")
    assert (contrast["value"], contrast["p"], contrast["p_holm"]) == (None, None, None)


def test_two_seeds_have_a_difference_without_an_interval(tmp_path: Path) -> None:
    model = Model(tmp_path, ["relu", "gelu"], [1, 2])
    stats = _write(model)
    result = stats["rules"]["final"]["cells"]["relu"]["differences"][TV]
    assert result["value"] == pytest.approx(_tv(model, ("relu", 1), ("relu", 2)), abs=1e-7)
    assert (result["n"], result["standard_error"], result["interval"]) == (2, None, None)
    contrast = _contrast(stats, TV, "relu", "gelu")
    assert contrast["value"] is not None
    assert contrast["interval"] is None
    assert contrast["p"] >= contrast["p_smallest"] == 0.5


@pytest.mark.parametrize(("status", "lost"), [(DIVERGED, "diverged"), (FAILED, "out_of_memory")])
def test_a_lost_run_is_excluded_and_its_seed_is_named(
    tmp_path: Path, status: str, lost: str
) -> None:
    gone: dict[str, Any] = {lost: [("gelu", 2)]}
    model = Model(tmp_path, ACTIVATIONS, [1, 2, 3, 4], **gone)
    stats = _write(model)
    ended = {(run["activation"], run["seed"]): (run["status"], run["why"]) for run in stats["runs"]}
    assert ended.pop(("gelu", 2)) == (status, WHY[status])
    assert set(ended.values()) == {(FINISHED, None)}
    for rule in RULES:
        cell = stats["rules"][rule]["cells"]["gelu"]
        assert (cell["n"], cell["excluded"]) == (3, [{"seed": 2, "why": status}])
        losses = [_loss(model, "gelu", seed, rule) for seed in (1, 3, 4)]
        assert cell["metrics"]["loss.all"]["value"] == pytest.approx(np.mean(losses))
        assert list(cell["metrics"]["loss.all"]["by_seed"]) == ["1", "3", "4"]
        pairs = [pair["seeds"] for pair in cell["differences"][TV]["pairs"]]
        assert pairs == [[1, 3], [1, 4], [3, 4]]
        # A pair needs both, and what does not need the run keeps all seeds.
        for metric in ("loss.all", TV):
            assert _contrast(stats, metric, "relu", "gelu", rule)["seeds"] == [1, 3, 4]
            assert _contrast(stats, metric, "relu", "swiglu", rule)["seeds"] == [1, 2, 3, 4]
    paired = [_loss(model, "relu", seed) - _loss(model, "gelu", seed) for seed in (1, 3, 4)]
    result = _contrast(stats, "loss.all", "relu", "gelu")
    assert result["value"] == pytest.approx(np.mean(paired))
    assert result["p_smallest"] == 2 / 8


def test_a_cell_of_diverged_runs_has_no_numbers(tmp_path: Path) -> None:
    seeds = [1, 2, 3]
    model = Model(tmp_path, ACTIVATIONS, seeds, diverged=[("gelu", seed) for seed in seeds])
    stats = _write(model)
    cell = stats["rules"]["final"]["cells"]["gelu"]
    assert cell["n"] == 0
    assert [run["seed"] for run in cell["excluded"]] == seeds
    assert set(cell["metrics"].values()) == set(cell["differences"].values()) == {None}
    assert set(cell["beats"].values()) == {None}
    for metric in ("loss.all", TV):
        contrasts = {
            pair: _contrast(stats, metric, *pair) for pair in itertools.combinations(ACTIVATIONS, 2)
        }
        for pair, result in contrasts.items():
            assert (result["p"] is None) == (result["p_holm"] is None) == ("gelu" in pair)
        # The family is what was tested.
        tested = contrasts["relu", "swiglu"]
        assert tested["p_holm"] == tested["p"]


def _always_true(evaluation: EvaluationSet, share: float, run: str) -> Predictions:
    """Make predictions that give each true symbol this probability."""
    symbols = len(evaluation.symbols)
    predictions = {}
    for positions, targets in targets_of(evaluation).items():
        p = np.full((len(targets), symbols), (1 - share) / (symbols - 1), np.float32)
        p[np.arange(len(targets)), targets] = share
        predictions |= {(rule, positions): p for rule in OWN_RULES}
    written = dict.fromkeys(OWN_RULES, np.zeros((4, 8), np.uint8))
    return Predictions(predictions, written, evaluation.sha256, dict.fromkeys(OWN_RULES, run))


def test_a_cell_beats_a_table_when_each_of_its_runs_does(
    tmp_path: Path, evaluation: EvaluationSet
) -> None:
    seeds = [1, 2]
    losses = {
        name: scores["loss"]
        for name, scores in read_json(Model(tmp_path, [], []).manifest_path)["baselines"].items()
    }
    assert losses["bigram"] < losses["unigram"] - 0.2
    better, between, worse = (
        float(np.exp(-loss))
        for loss in (losses["bigram"] - 0.1, losses["bigram"] + 0.1, losses["unigram"] + 0.1)
    )
    predictions = {
        "relu": [better, better],
        "gelu": [better, between],
        "swiglu": [better, worse],
    }
    changed = {
        (a, seed): _always_true(evaluation, share + (10 * place + seed) / 1e5, f"{a} {seed}")
        for place, (a, shares) in enumerate(predictions.items())
        for seed, share in zip(seeds, shares, strict=True)
    }
    model = Model(tmp_path, list(predictions), seeds, changed=changed)
    cells = _write(model)["rules"]["final"]["cells"]
    assert {activation: cell["beats"] for activation, cell in cells.items()} == {
        "relu": {"unigram": True, "bigram": True, "trigram": False},
        "gelu": {"unigram": True, "bigram": False, "trigram": False},
        "swiglu": {"unigram": False, "bigram": False, "trigram": False},
    }
    assert {activation: cell["failed_gates"] for activation, cell in cells.items()} == {
        "relu": [],
        "gelu": ["learned"],
        "swiglu": ["learned"],
    }


def test_both_rules_agree_where_they_chose_the_same_weights(tmp_path: Path) -> None:
    rules = _write(Model(tmp_path, ["relu", "gelu"], [1, 2, 3], best_is_final=True))["rules"]
    assert rules["final"] == rules["best"]
    assert rules["final"] != rules["matched"]


def test_the_rules_differ_where_they_chose_other_weights(stats: dict[str, Any]) -> None:
    rules = stats["rules"]
    for activation in ACTIVATIONS:
        values = [rules[rule]["cells"][activation]["differences"][TV]["value"] for rule in RULES]
        assert values[0] != values[1]


def test_runs_with_the_same_predictions_differ_by_exactly_nothing(
    tmp_path: Path, evaluation: EvaluationSet
) -> None:
    one = synthetic.predictions(evaluation, 1)
    runs = {("relu", seed): one for seed in (1, 2, 3)}
    stats = _write(Model(tmp_path, ["relu"], [1, 2, 3], changed=runs))
    cell = stats["rules"]["final"]["cells"]["relu"]
    assert cell["failed_gates"] == ["distinct"]
    for id_, result in cell["differences"].items():
        if id_.startswith("churn-neutral") or not id_.startswith(("churn", "overlap")):
            assert (result["value"], result["standard_error"], result["interval"]) == (0, 0, [0, 0])
    overlap = cell["differences"]["overlap-top5-pairs.all"]
    assert overlap["value"] == pytest.approx(1)


def test_a_run_of_infinite_loss_is_left_out(tmp_path: Path) -> None:
    model = Model(tmp_path, ["relu"], [1, 2, 3])
    sure = model.predictions["relu", 2].probabilities["final", "all"]
    sure[:] = 0
    sure[:, 0] = 1
    cell = _write(model)["rules"]["final"]["cells"]["relu"]
    why = "infinite loss: a true character has probability 0"
    assert cell["excluded"] == [{"seed": 2, "why": why}]
    assert list(cell["metrics"]["loss.all"]["by_seed"]) == ["1", "3"]
    assert cell["differences"][TV]["n"] == 2


def test_the_matrix_is_read_in_the_order_of_the_runs(tmp_path: Path) -> None:
    # Seeds out of order, activations not in the order of the alphabet.
    model = Model(tmp_path, ["swish", "gelu"], [9, 2, 5])
    result = _write(model)["rules"]["final"]["cells"]["gelu"]["differences"][TV]["pairs"]
    assert result[1]["seeds"] == [9, 5]
    assert result[1]["value"] == pytest.approx(_tv(model, ("gelu", 9), ("gelu", 5)), abs=1e-7)
    assert result[1]["value"] == read_npz(model.matrices)[f"final.{TV}"][3, 5]


def test_a_cell_that_failed_a_gate_is_in_no_family(tmp_path: Path) -> None:
    model = Model(tmp_path, ACTIVATIONS, [1, 2, 3, 4], failed={"gelu": "causal"})
    under = _write(model)["rules"]["final"]
    assert under["cells"]["gelu"]["failed_gates"] == ["causal"]
    for contrast in under["contrasts"]:
        touched = "gelu" in (contrast["a"], contrast["b"])
        assert contrast["failed_gates"] == (["causal"] if touched else [])
        assert (contrast["verdict"] == "unsound") == touched
        # It is measured all the same, and its marks say why it decides nothing.
        assert contrast["value"] is not None
        if touched:
            assert (contrast["p_holm"], contrast["significant"]) == (None, None)
        elif contrast["p"] is not None:
            # The one contrast left is a family of one.
            assert contrast["p_holm"] == contrast["p"]
    for test in (*under["omnibus"].values(), *under["classical"].values()):
        assert test["activations"] == ["relu", "swiglu"]


def test_across_activations_by_hand(model: Model, stats: dict[str, Any]) -> None:
    [result] = [
        one
        for one in stats["rules"]["final"]["across"]
        if (one["metric"], one["a"], one["b"]) == (TV, "relu", "swiglu")
    ]
    same = [_tv(model, ("relu", seed), ("swiglu", seed)) for seed in model.seeds]
    other = [
        _tv(model, ("relu", s), ("swiglu", t)) for s, t in itertools.permutations(model.seeds, 2)
    ]
    within = [
        np.mean([_tv(model, (a, s), (a, t)) for s, t in itertools.combinations(model.seeds, 2)])
        for a in ("relu", "swiglu")
    ]
    student = scipy.stats.ttest_1samp(same, 0).confidence_interval(0.95)
    assert result["seeds"] == model.seeds
    assert result["same_seed"]["value"] == pytest.approx(np.mean(same), abs=1e-7)
    assert result["same_seed"]["interval"] == pytest.approx([student.low, student.high], abs=1e-6)
    assert result["other_seed"]["value"] == pytest.approx(np.mean(other), abs=1e-7)
    effect = np.mean(other) - np.mean(within)
    assert result["effect"]["value"] == pytest.approx(effect, abs=1e-7)
    assert result["effect"]["interval"][0] < effect < result["effect"]["interval"][1]


def test_an_activation_that_changes_nothing_has_no_effect_across(
    tmp_path: Path, evaluation: EvaluationSet
) -> None:
    """With the same law for both, `other_seed` differs as much as seeds do."""
    seeds = list(range(8))
    result = _write(Model(tmp_path, ["relu", "gelu"], seeds))["rules"]["final"]["across"]
    for one in result:
        if one["metric"] == TV:
            low, high = one["effect"]["interval"]
            assert low < 0 < high


def test_omnibus_and_classical_tests_are_of_the_scores(model: Model, stats: dict[str, Any]) -> None:
    under = stats["rules"]["final"]
    losses = [[_loss(model, name, seed) for seed in model.seeds] for name in ACTIVATIONS]
    result = under["classical"]["loss.all"]
    expected = scipy.stats.f_oneway(*losses)
    assert result["one_way"]["statistic"] == pytest.approx(expected.statistic)
    assert result["one_way"]["p"] == pytest.approx(expected.pvalue)
    friedman = scipy.stats.friedmanchisquare(*losses)
    assert result["friedman"]["p"] == pytest.approx(friedman.pvalue)
    tukey = scipy.stats.tukey_hsd(*losses)
    pairs = list(itertools.combinations(range(3), 2))
    assert [one["p"] for one in result["tukey"]] == pytest.approx(
        [tukey.pvalue[at] for at in pairs]
    )
    exact = scipy.stats.permutation_test(
        losses,
        lambda *rows, axis: np.var([row.mean(axis=axis) for row in rows], axis=0),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert under["omnibus"]["loss.all"]["p"] == pytest.approx(exact.pvalue)
    assert under["omnibus"]["loss.all"]["p_smallest"] == pytest.approx(1 / 6**3)
    assert under["omnibus"][TV]["exact"]


def test_few_seeds_are_called_a_smoke_study(tmp_path: Path, stats: dict[str, Any]) -> None:
    assert stats["smoke"]
    assert stats["recommended_seeds"] == 10
    assert not _write(Model(tmp_path, ["relu"], list(range(10))))["smoke"]


def test_every_number_says_its_n(stats: dict[str, Any]) -> None:
    for under in stats["rules"].values():
        for cell in under["cells"].values():
            for kind in ("metrics", "differences", "group"):
                assert all(one["n"] == 4 for one in cell[kind].values())
        assert all(one["n"] == 4 for one in under["contrasts"])


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (Model(tmp_path / name, ["relu", "gelu"], [1, 2, 3]) for name in ("a", "b"))
    first.write()
    second.write()
    assert first.stats.read_bytes() == second.stats.read_bytes()
