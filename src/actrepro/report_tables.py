"""The report's tables: what was run, and the results, as text ready to be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actrepro import paths
from actrepro.cells import Cell, Stats, cells_of, learned, remark
from actrepro.evidence import Contrast, family, significant
from actrepro.formats import (
    MISSING,
    count,
    counted,
    counts_spread,
    duration,
    interval,
    level,
    listed,
    mean_sd,
    mebibytes,
    number,
    p_value,
    percent,
    short_hash,
    signed,
)
from actrepro.measures import PRIMARY

RULE_NAMES = {"final": "Final checkpoint", "best": "Best checkpoint on the selection text"}
# How the report calls a table's measures; their names and formulas come from `stats.json`.
DIFFERENCE_COLUMNS = {
    "churn-top1-pairs.all": "churn",
    "js-nats-pairs.all": "JS, nats",
    "rpd-true_label-pairs.all": "relative PD",
}
PROTOCOL_NAMES = {
    "corpus": "corpus",
    "layers": "layers",
    "width": "width",
    "heads": "heads",
    "context": "context, characters",
    "batch": "batch, sequences",
    "iterations": "steps",
    "learning_rate": "learning rate",
    "dropout": "dropout",
    "evaluate_every": "history every",
    "history_windows": "history windows",
}


@dataclass(frozen=True)
class Row:
    """Cells of a table's row; the first one names it."""

    cells: Sequence[str]
    note: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Table:
    """A table; its first `names` columns are words, the others numbers."""

    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    names: int = 1
    source: str = ""


def corpora_table(manifests: Iterable[Mapping[str, Any]]) -> Table:
    """Each corpus once: where it came from, its hash and its parts."""
    rows = {
        one["corpus"]: Row(
            [
                one["corpus"],
                one["origin"],
                short_hash(one["sha256"]),
                count(one["characters"]),
                str(len(one["symbols"])),
                *(count(one[part]) for part in ("train", "selection", "test")),
            ]
        )
        for one in manifests
    }
    columns = ["corpus", "origin", "SHA-256 of the text", "characters", "symbols"]
    return Table(
        "Corpora",
        "Characters of the text and of its parts: training, and the halves of the rest, one for "
        "selection of checkpoints and one for the test.",
        [*columns, "training", "selection", "test"],
        list(rows.values()),
        names=3,
        source=paths.CORPUS_MANIFEST,
    )


def protocol_table(stats: Stats) -> Table:
    """What all runs of a scale share, with what single models do differently."""
    protocols = {name: model["protocol"] for name, model in stats["models"].items()}
    rows = [
        Row([label, _shared({name: one[key] for name, one in protocols.items()})])
        for key, label in PROTOCOL_NAMES.items()
        if all(key in one for one in protocols.values())
    ]
    return Table(
        "Protocol",
        "The same for all runs but where a model is named.",
        ["setting", "value"],
        rows,
        names=2,
        source=_stats_key(stats, "models.*.protocol"),
    )


def _shared(values: Mapping[str, Any]) -> str:
    """The value of most models, then those of the others with their names."""
    usual = Counter(values.values()).most_common(1)[0][0]
    others = [f"{model}: {_setting(value)}" for model, value in values.items() if value != usual]
    return f"{_setting(usual)} ({', '.join(others)})" if others else _setting(usual)


def _setting(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return count(value) if isinstance(value, int) else str(value)


def models_table(stats: Stats) -> Table:
    """Parameters, runs, time and speed by model."""
    rows = []
    for name, model in stats["models"].items():
        runs = model["runs"]
        diverged = sum(run["status"] == "diverged" for run in runs)
        rows.append(
            Row(
                [
                    name,
                    counts_spread({run["parameters"] for run in runs}),
                    str(len(runs) - diverged),
                    str(diverged),
                    duration(sum(run["seconds"] for run in runs)),
                    counts_spread(round(run["characters_per_second"]) for run in runs),
                    mebibytes(max(run["peak_memory_bytes"] for run in runs)),
                ]
            )
        )
    every = (run for model in stats["models"].values() for run in model["runs"])
    together = f"{duration(sum(run['seconds'] for run in every))} together"
    varies = any(" to " in row.cells[1] for row in rows)
    gated = " Parameters vary with the activation: a gated one takes a narrower hidden layer."
    return Table(
        "Models",
        f"All runs were trained in {together}.{gated if varies else ''}",
        [
            "model",
            "parameters",
            "finished",
            "diverged",
            "training time",
            "characters per second",
            "peak memory",
        ],
        rows,
        source=_stats_key(stats, "models.*.runs"),
    )


def baselines_table(stats: Stats) -> Table:
    """N-gram tables of the training text on the evaluation set."""
    evaluation = stats["evaluation"]
    rows = [
        Row([f"{name} table", number(one["loss"]), percent(one["accuracy"])])
        for name, one in evaluation["baselines"].items()
    ]
    return Table(
        "Evaluation set",
        f"{count(evaluation['characters'])} characters in {count(evaluation['windows'])} windows "
        f"of {evaluation['block']}, the same for every run "
        f"(SHA-256 {short_hash(evaluation['sha256'])}), and what n-gram tables of the training "
        "text reach on them: a model that has learned beats these.",
        ["predictor", "loss, nats", "accuracy"],
        rows,
        source=_stats_key(stats, "evaluation"),
    )


def machines_table(stats: Stats) -> Table:
    """On what the runs were trained: each distinct machine, device, set of packages, commit."""
    runs = [run for model in stats["models"].values() for run in model["runs"]]
    kinds = {
        "machine": (_machine(run["machine"]) for run in runs),
        "device": (f"{run['device']}, {counted(run['threads'], 'thread')}" for run in runs),
        "packages": (_packages(run["packages"]) for run in runs),
        "source": (_commit(run["git"]) for run in runs),
    }
    rows = [
        Row([kind, value, count(runs)])
        for kind, values in kinds.items()
        for value, runs in _tally(values).items()
    ]
    return Table(
        "Machines and versions",
        "On what the runs were trained.",
        ["kind", "value", "runs"],
        rows,
        names=2,
        source=_stats_key(stats, "models.*.runs"),
    )


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter[str](values).most_common())


def _machine(machine: Mapping[str, Any]) -> str:
    cores = counted(machine["cores"], "core")
    return f"{machine['processor']}, {cores}, {machine['system']} {machine['architecture']}"


def _packages(packages: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def _commit(git: Mapping[str, Any]) -> str:
    commit = f"commit {short_hash(git['commit'])}" if git["commit"] else "commit unknown"
    return f"{commit}, with uncommitted changes" if git["dirty"] else commit


def results_table(stats: Stats, model: str, rule: str) -> Table:
    """A model's cells: loss, accuracy, differences between seeds, and the table they beat."""
    variation = f"total variation [{level(stats['confidence'])}]"
    columns = ["activation", "n", "loss ± sd", "accuracy ± sd", variation]
    return Table(
        model,
        f"{RULE_NAMES[rule]}{_steps(stats, model, rule)}.",
        [*columns, *DIFFERENCE_COLUMNS.values(), "every run"],
        [_result(name, cell) for name, cell in cells_of(stats, model, rule).items()],
        source=_stats_key(stats, f"models.{model}.rules.{rule}.cells"),
    )


def _steps(stats: Stats, model: str, rule: str) -> str:
    steps = {
        run[f"{rule}_step"] for run in stats["models"][model]["runs"] if run["status"] != "diverged"
    }
    return f" (step {counts_spread(steps)})" if steps else ""


def _result(activation: str, cell: Cell) -> Row:
    metrics, differences = cell["metrics"], cell["differences"]
    variation = differences[PRIMARY]
    return Row(
        [
            activation,
            str(cell["n"]),
            mean_sd(metrics["loss.all"]),
            mean_sd(metrics["accuracy.all"], share=True),
            MISSING if variation is None else _with_interval(variation),
            *(
                number(None if differences[id_] is None else differences[id_]["value"])
                for id_ in DIFFERENCE_COLUMNS
            ),
            learned(cell["beats"]) if cell["n"] else MISSING,
        ],
        note=remark(cell),
    )


def _with_interval(estimate: Mapping[str, Any]) -> str:
    return f"{number(estimate['value'])} {interval(estimate['interval'])}"


def rules_differ(stats: Stats, model: str) -> int:
    """How many of a model's runs were best before their final step."""
    return sum(run["best_step"] != run["final_step"] for run in stats["models"][model]["runs"])


def contrasts_table(stats: Stats, model: str, metric: str, name: str) -> Table:
    """Every two activations of a model compared in one metric, within seeds."""
    contrasts = family(stats, model, metric)
    tests = sorted({contrast["test"] for contrast in contrasts if contrast["test"]})
    with_tests = f" ({listed(tests)})" if tests else ""
    return Table(
        name,
        f"a − b{with_tests}; Holm’s correction over this table.",
        ["a", "b", "a − b", level(stats["confidence"]), "p", "smallest p", "Holm p"],
        [_contrast(stats, contrast) for contrast in contrasts],
        names=2,
        source=_stats_key(stats, f"models.{model}.rules.final.contrasts, metric {metric}"),
    )


def _contrast(stats: Stats, contrast: Contrast) -> Row:
    return Row(
        [
            contrast["a"],
            contrast["b"],
            signed(contrast["value"]),
            interval(contrast["interval"]),
            *(p_value(contrast[key]) for key in ("p", "p_smallest", "p_holm")),
        ],
        marked=significant(stats, contrast),
    )


def measures_table(stats: Stats) -> Table:
    """The measures of differences, as the statistics name them."""
    rows = [
        Row([id_, measure["name"], measure["formula"]])
        for id_, measure in stats["measures"].items()
    ]
    return Table(
        "Measures",
        "Differences between two runs: p and q are their probabilities of the next character "
        "after the same text, y is the true one.",
        ["id", "name", "formula"],
        rows,
        names=3,
        source=_stats_key(stats, "measures"),
    )


def _stats_key(stats: Stats, key: str) -> str:
    return f"{paths.at(paths.SCALE_STATS, scale=stats['scale'])}: {key}"


def hashes_table(manifests: Iterable[Mapping[str, Any]], scales: Iterable[Stats]) -> Table:
    """The texts in full hashes: equal hashes mean that two studies can be compared."""
    texts = {f"corpus {one['corpus']}": one["sha256"] for one in manifests}
    texts |= {f"evaluation set of {one['scale']}": one["evaluation"]["sha256"] for one in scales}
    rows = [Row([name, digest]) for name, digest in texts.items()]
    return Table("Hashes", "Of what was read, in full.", ["text", "SHA-256"], rows, names=2)
