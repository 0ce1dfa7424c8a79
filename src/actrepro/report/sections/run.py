"""The report's tables of the study: texts, protocol, models, machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from actrepro.core import paths
from actrepro.core.formats import (
    MISSING,
    count,
    counted,
    counts_spread,
    duration,
    mebibytes,
    number,
    percent,
    short_hash,
)
from actrepro.core.shapes import GitState, Machine
from actrepro.core.vocabulary import FINISHED, LOST
from actrepro.data.shapes import CorpusManifest
from actrepro.report.kit.tables import Row, Table, stats_key
from actrepro.results.cells import Stats
from actrepro.results.schema import ModelOfScale, Run

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
    "precision": "precision",
    "evaluate_every": "history every",
    "history_windows": "history windows",
}


def corpora_table(manifests: Iterable[CorpusManifest]) -> Table:
    """Return each corpus once: its origin, its hash and its parts."""
    rows = {
        manifest["corpus"]: Row(
            [
                manifest["corpus"],
                manifest["origin"],
                short_hash(manifest["sha256"]),
                count(manifest["characters"]),
                str(len(manifest["symbols"])),
                *(
                    count(part)
                    for part in (manifest["train"], manifest["selection"], manifest["test"])
                ),
            ]
        )
        for manifest in manifests
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
    """Return the settings that all runs of a scale share, with exceptions by model."""
    protocols = {name: dict(model["protocol"]) for name, model in stats["models"].items()}
    rows = [
        Row([label, _shared({name: protocol[key] for name, protocol in protocols.items()})])
        for key, label in PROTOCOL_NAMES.items()
        if all(key in protocol for protocol in protocols.values())
    ]
    return Table(
        "Protocol",
        "The same for all runs, except where a model is named.",
        ["setting", "value"],
        rows,
        names=2,
        source=stats_key(stats, "models.*.protocol"),
    )


def _shared(values: Mapping[str, object]) -> str:
    """Return the most common value, then the others with their models' names."""
    usual = Counter(values.values()).most_common(1)[0][0]
    others = [f"{model}: {_setting(value)}" for model, value in values.items() if value != usual]
    return f"{_setting(usual)} ({', '.join(others)})" if others else _setting(usual)


def _setting(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return count(value) if isinstance(value, int) else str(value)


def models_table(stats: Stats) -> Table:
    """Return parameters, runs, time and speed by model."""
    rows = [_model(name, model) for name, model in stats["models"].items()]
    together = f"{duration(stats['training_seconds'])} together"
    varies = any(len({run["parameters"] for run in runs}) > 1 for runs in _runs(stats))
    gated = " Parameters vary with the activation: a gated one takes a narrower hidden layer."
    return Table(
        "Models",
        f"All runs were trained in {together}.{gated if varies else ''}",
        [
            "model",
            "parameters",
            FINISHED,
            *LOST,
            "training time",
            "characters per second",
            "peak memory",
        ],
        rows,
        source=stats_key(stats, "models.*.runs"),
    )


def lost_table(stats: Stats) -> Table | None:
    """Return the runs that diverged or failed, with reasons and last losses; None without any."""
    rows = [
        _lost(model, run)
        for model, of_model in stats["models"].items()
        for run in of_model["runs"]
        if run["status"] in LOST
    ]
    if not rows:
        return None
    return Table(
        "Lost runs",
        "Excluded from every statistic, and replaced by nothing. Step and losses are the last in "
        "their histories, in nats per character.",
        ["model", "activation", "seed", "status", "why", "step", "train loss", "selection loss"],
        rows,
        names=5,
        source=stats_key(stats, "models.*.runs"),
    )


def _lost(model: str, run: Run) -> Row:
    last = run["last_history"]
    ends = [MISSING] * 3
    if last is not None:
        ends = [
            count(last["step"]),
            number(last["train_loss"]),
            number(last["selection_loss"]),
        ]
    return Row([model, run["activation"], str(run["seed"]), run["status"], run["why"] or "", *ends])


def _runs(stats: Stats) -> list[Sequence[Run]]:
    return [model["runs"] for model in stats["models"].values()]


def _model(name: str, model: ModelOfScale) -> Row:
    runs = model["runs"]
    ended = Counter(run["status"] for run in runs)
    speeds = [run["characters_per_second"] for run in runs if run["status"] == FINISHED]
    return Row(
        [
            name,
            counts_spread({run["parameters"] for run in runs}),
            *(str(ended[status]) for status in (FINISHED, *LOST)),
            duration(model["training"]["seconds"]),
            counts_spread(map(round, speeds)),
            mebibytes(max(run["peak_memory_bytes"] for run in runs)),
        ]
    )


def baselines_table(stats: Stats) -> Table:
    """Return the scores of n-gram tables of the training text on the evaluation set."""
    evaluation = stats["evaluation"]
    rows = [
        Row([f"{name} table", number(baseline["loss"]), percent(baseline["accuracy"])])
        for name, baseline in evaluation["baselines"].items()
    ]
    return Table(
        "Evaluation set",
        f"{count(evaluation['characters'])} characters in {count(evaluation['windows'])} windows "
        f"of {evaluation['block']}, the same for every run "
        f"(SHA-256 {short_hash(evaluation['sha256'])}), and what n-gram tables of the training "
        "text reach on them: a model that has learned beats these.",
        ["predictor", "loss, nats", "accuracy"],
        rows,
        source=stats_key(stats, "evaluation"),
    )


def machines_table(stats: Stats) -> Table:
    """Return each distinct machine, device, set of packages and commit, with its runs."""
    runs = [run for model in stats["models"].values() for run in model["runs"]]
    kinds = {
        "machine": (describe_machine(run["machine"]) for run in runs),
        "device": (f"{run['device']}, {counted(run['threads'], 'thread')}" for run in runs),
        "packages": (_packages(run["packages"]) for run in runs),
        "source": (describe_commit(run["git"]) for run in runs),
    }
    rows = [
        Row([kind, value, count(runs)])
        for kind, values in kinds.items()
        for value, runs in _tally(values).items()
    ]
    return Table(
        "Machines and versions",
        "What the runs were trained on and with.",
        ["kind", "value", "runs"],
        rows,
        names=2,
        source=stats_key(stats, "models.*.runs"),
    )


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter[str](values).most_common())


def describe_machine(machine: Machine) -> str:
    """Describe a machine without anything that identifies it."""
    cores = "cores unknown" if machine["cores"] is None else counted(machine["cores"], "core")
    return f"{machine['processor']}, {cores}, {machine['system']} {machine['architecture']}"


def _packages(packages: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def describe_commit(git: GitState) -> str:
    """Describe the source code that trained a run."""
    commit = f"commit {short_hash(git['commit'])}" if git["commit"] else "commit unknown"
    return f"{commit}, with uncommitted changes" if git["dirty"] else commit


def hashes_table(manifests: Iterable[CorpusManifest], scales: Iterable[Stats]) -> Table:
    """Return the texts' hashes: two studies with equal hashes can be compared."""
    texts = {f"corpus {manifest['corpus']}": manifest["sha256"] for manifest in manifests}
    texts |= {
        f"evaluation set of {stats['scale']}": stats["evaluation"]["sha256"] for stats in scales
    }
    rows = [Row([name, digest]) for name, digest in texts.items()]
    return Table("Hashes", "SHA-256 of the input texts.", ["text", "SHA-256"], rows, names=2)
