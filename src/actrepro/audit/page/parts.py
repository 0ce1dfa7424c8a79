"""Parts that the audit's page and the report's section on the audit share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from actrepro.audit.findings import NOT_RUN
from actrepro.audit.staleness import files_of
from actrepro.core import formats
from actrepro.report.kit.markup import look
from actrepro.report.kit.tables import Entry, Row, Table
from actrepro.report.sections.gates import words
from actrepro.results.words import gate_name

Audit = Mapping[str, Any]


@dataclass(frozen=True)
class Tally:
    """Numbers of rows by verdict, in the order of the verdicts."""

    name: str
    about: str
    verdicts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.verdicts.values())

    @property
    def found(self) -> list[tuple[str, int]]:
        """Verdicts that occur, each with its number."""
        return [(verdict, count) for verdict, count in self.verdicts.items() if count]

    @property
    def told(self) -> str:
        """The numbers in words, for readers who cannot see the picture."""
        each = ", ".join(f"{count} {verdict}" for verdict, count in self.found)
        return f"{self.name}: {each or 'none'}"

    def share(self, count: int) -> str:
        """Return a number of rows in percent of all, for a style sheet."""
        return f"{100 * count / self.total:.3f}%"


def tallies(audit: Audit) -> list[Tally]:
    """A tally of each kind that has rows."""
    made = [Tally(kind, audit["kinds"][kind], audit["counts"][kind]) for kind in audit["kinds"]]
    return [one for one in made if one.total]


def claims_tally(audit: Audit) -> Tally:
    """Return the tally of all claims."""
    counts = audit["counts"].values()
    verdicts = {verdict: sum(one[verdict] for one in counts) for verdict in audit["verdicts"]}
    return Tally("claims", "", verdicts)


def outdated_note(audit: Audit) -> str:
    """Return a sentence on the number of outdated rows; empty where there are none."""
    count = sum(row["outdated"] for row in audit["claims"])
    if not count:
        return ""
    return (
        f"{formats.counted(count, 'row rests', 'rows rest')} on evidence that has changed or gone "
        "since the verdicts were given, and so "
        f"{'stands' if count == 1 else 'stand'} here as not run. "
    )


@dataclass(frozen=True)
class Reason:
    """A sentence that decides, and the rows that it decides."""

    says: str
    verdict: str
    rows: Sequence[str]


@dataclass(frozen=True)
class Headline:
    """A claim in plain words, with its verdicts and their reasons."""

    title: str
    claimed: str
    verdicts: Sequence[tuple[str, int]]
    reasons: Sequence[Reason]
    files: Sequence[str]

    @property
    def first(self) -> Reason:
        """The reason of its first row with the verdict that comes first in the order of them."""
        return next(one for one in self.reasons if one.verdict == self.verdicts[0][0])


def headlines(audit: Audit) -> list[Headline]:
    """The headlines with the verdicts and reasons of their rows."""
    rows = {row["id"]: row for row in audit["claims"]}
    order = list(audit["verdicts"])
    return [_headline(one, [rows[id_] for id_ in one["rows"]], order) for one in audit["headlines"]]


def _headline(
    headline: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], order: Sequence[str]
) -> Headline:
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        reasons.setdefault((deciding(row), row["verdict"]), []).append(row["id"])
    found = Counter(row["verdict"] for row in rows)
    return Headline(
        title=headline["title"],
        claimed=headline["claimed"],
        verdicts=[(verdict, found[verdict]) for verdict in order if found[verdict]],
        reasons=[Reason(says, verdict, ids) for (says, verdict), ids in reasons.items()],
        files=sorted(set().union(*map(files_of, rows))),
    )


def deciding(row: Mapping[str, Any]) -> str:
    """The first sentence of what decides a row's verdict."""
    says: str = row["findings"][0]["evidence"][0]["says"]
    return says


def control_table(control: Mapping[str, Any], audit: Audit) -> Table:
    """Return a control's numbers: printed by the earlier study, made by the mistake, and honest."""
    return Table(
        "Side by side",
        "Printed by the earlier study, made again by the mistake, and without it. "
        "Brackets are the interval or the range over runs.",
        SIDES,
        control_rows(control, audit),
        source=control["file"],
    )


SIDES = ("number", "earlier study", "with the mistake", "without it")


def control_rows(control: Mapping[str, Any], audit: Audit) -> list[Row]:
    """Return the rows of a control's table."""
    units = {row["id"]: row["unit"] for row in audit["claims"]}
    without = Entry("undefined") if control["run"] else Entry(NOT_RUN, kind=look(NOT_RUN))
    return [_line(line, without, units) for line in control["lines"]]


def _line(line: Mapping[str, Any], without: Entry, units: Mapping[str, str]) -> Row:
    # Controls measure shares. Where what was printed is in per cent, so are they.
    percent = _is_percent(
        line["unit"] or next((units[one["row"]] for one in line["earlier"]), line["unit"])
    )
    unit = "" if percent else line["unit"]
    return Row(
        [
            f"{line['label']}, {unit}" if unit else line["label"],
            Markup(", ").join(
                link_to(one["row"], earlier(one, units[one["row"]])) for one in line["earlier"]
            )
            or formats.MISSING,
            _side(line, "control", percent) or without,
            _side(line, "honest", percent) or without,
        ]
    )


def earlier(number: Mapping[str, Any], unit: str) -> str:
    """Return a number that the earlier study printed, with its unit."""
    return printed(number["value"]) + ("%" if _is_percent(unit) else "")


def link_to(row: str, text: str) -> Markup:
    """Return a link to a row of the audit's page."""
    return Markup('<a href="#{}">{}</a>').format(anchor(row), text)


def anchor(row: str) -> str:
    """The id that a row has in the audit's page."""
    return f"claim-{escape(row)}"


def _is_percent(unit: str) -> bool:
    return unit.startswith(("%", "percent"))


def _side(line: Mapping[str, Any], side: str, percent: bool) -> Entry | None:
    value, bounds = line[side], line[f"{side}_interval"]
    if value is None:
        return None
    write = formats.percent if percent else measured
    return Entry(write(value), f"[{write(bounds[0])}, {write(bounds[1])}]" if bounds else "")


def gates_table(control: Mapping[str, Any]) -> Table:
    """Return the gates that must catch a control's mistake and let the honest run pass."""
    rows = [
        Row(
            [
                gate_name(one["gate"]),
                _outcome(one.get("control"), False, "✓ caught", "✗ not caught"),
                _outcome(one.get("honest"), True, "✓ passed", "✗ failed"),
            ]
        )
        for one in control["gates"]
    ]
    return Table(
        "Gates",
        "A gate must fail the run with the mistake, and pass the one without it.",
        ["gate", "with the mistake", "without it"],
        rows,
        names=3,
    )


def _outcome(outcome: Mapping[str, Any] | None, passes: bool, right: str, wrong: str) -> Entry:
    """Return a gate's outcome, as `right` where it is the expected one, else as `wrong`."""
    if outcome is None:
        return Entry(NOT_RUN, kind=look(NOT_RUN))
    as_it_should = outcome["passed"] == passes
    return Entry(
        right if as_it_should else wrong,
        words(outcome["measured"]),
        outcome["bound"],
        "passed" if as_it_should else "failed",
    )


def printed(value: Any) -> str:
    """Return a printed number, list or word as it is in the table of claims."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(printed(one) for one in value)
    if isinstance(value, int | float):
        return formats.minus(f"{value:,}")
    return str(value)


def measured(value: float | None) -> str:
    """A measured number to four decimals; whole and large ones with separators.

    >>> measured(2.62691), measured(429824), measured(0.000123), measured(-1234.56)
    ('2.6269', '429,824', '1.2e−04', '−1,234.6')
    """
    if value is None:
        return formats.MISSING
    if float(value).is_integer() and (isinstance(value, int) or abs(value) >= 1000):
        return formats.minus(f"{value:,.0f}")
    if abs(value) >= 1000:
        return formats.minus(f"{value:,.1f}")
    if 0 < abs(value) < 0.001:
        return formats.minus(f"{value:.1e}")
    return formats.number(value)
