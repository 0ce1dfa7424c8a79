"""The language of expressions in the table of claims: arithmetic over named numbers.

An expression is Python's arithmetic over numbers, names and the functions of `FUNCTIONS`.
It is parsed with `ast` and evaluated node by node, so it can do nothing else. A list of
numbers takes part element by element, as in numpy; functions of several numbers take lists
and single numbers alike.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, pairwise
from statistics import fmean, pstdev, pvariance, stdev, variance
from typing import Any

import numpy as np
import scipy.stats

from actrepro.core.errors import ActreproError
from actrepro.measures import certificate, churn_range
from actrepro.results.verdicts import MOST_SEEDS
from actrepro.statistics import classical
from actrepro.statistics.power import detectable

# Of tests, and of the power that runs are planned for.
LEVEL, POWER = 0.05, 0.8
# A number, a list of numbers, or a list of such.
Value = Any

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
}


def flat(value: Value) -> Iterator[float]:
    """Yield every number of a value."""
    if isinstance(value, tuple):
        for one in value:
            yield from flat(one)
    else:
        yield value


def lifted(function: Callable[..., float], *values: Value) -> Value:
    """Apply a function of numbers element by element; a single number goes with every element.

    Raises
    ------
    ValueError
        When lists differ in length.
    """
    lengths = {len(value) for value in values if isinstance(value, tuple)}
    if not lengths:
        return function(*values)
    if len(lengths) > 1:
        raise ValueError(f"lists of {' and '.join(map(str, sorted(lengths)))} numbers do not match")
    count = lengths.pop()
    columns = [value if isinstance(value, tuple) else (value,) * count for value in values]
    return tuple(lifted(function, *row) for row in zip(*columns, strict=True))


def _of_all(function: Callable[[list[float]], float]) -> Callable[..., float]:
    return lambda *values: function(list(flat(values)))


def _each(function: Callable[..., float]) -> Callable[..., Value]:
    return lambda *values: lifted(function, *values)


def _cv(spread: Callable[[list[float]], float]) -> Callable[..., float]:
    return _of_all(lambda values: 100 * spread(values) / abs(fmean(values)))


def _relative_range(values: list[float]) -> float:
    return 100 * (max(values) - min(values)) / min(values)


def _gaps(values: Value) -> Value:
    return tuple(b - a for a, b in pairwise(flat(values)))


def _rank(own: float, among: Value) -> float:
    return 1.0 + sum(value < own for value in flat(among))


def _most_apart(*percents: Value) -> float:
    """Return the largest share of examples on which pairs of models that saw them can differ.

    The models' accuracies are in percent. With S their sum, k its whole part and f the rest,
    pairs agree on [k(k − 1) + 2kf] / [M(M − 1)] at least: the number right on an example has
    the mean S, and C(·, 2) is convex.
    """
    right = [min(1.0, max(0.0, one / 100)) for one in flat(percents)]
    whole = math.floor(math.fsum(right))
    rest = math.fsum(right) - whole
    return 1 - (whole * (whole - 1) + 2 * whole * rest) / (len(right) * (len(right) - 1))


def _most_apart_in_pairs(*percents: Value) -> float:
    """Return the mean over pairs of the largest churn that their accuracies in percent allow."""
    right = [one / 100 for one in flat(percents)]
    return fmean(churn_range(a, b)[1] for a, b in combinations(right, 2))


def exact_interval(successes: float, of: float) -> tuple[float, float]:
    """Return the exact 95% interval of a share, in percent (Clopper & Pearson 1934)."""
    bounds = scipy.stats.binomtest(int(successes), int(of)).proportion_ci()
    return 100 * bounds.low, 100 * bounds.high


def _detectable(seeds: float) -> float:
    """Return the difference that paired seeds show, in standard deviations; infinite for none."""
    effect = detectable(1.0, int(seeds), LEVEL, 1, POWER)
    return math.inf if effect is None else effect


def _one_way(groups: tuple[Value, ...]) -> classical.OmnibusTest:
    test = classical.one_way({str(place): list(flat(one)) for place, one in enumerate(groups)})
    if test is None:
        raise ValueError("the runs do not vary")
    return test


def _tukey_p(first: Value, second: Value, *others: Value) -> float:
    """Return Tukey's p for the first two of several groups of runs of one size."""
    table = np.array([list(flat(group)) for group in (first, second, *others)])
    error = np.sqrt(table.var(axis=1, ddof=1).mean() / table.shape[1])
    statistic = abs(table[0].mean() - table[1].mean()) / error
    groups, freedom = len(table), table.size - len(table)
    return float(scipy.stats.studentized_range.sf(statistic, groups, freedom))


def _correlation(measure: Callable[..., Any]) -> Callable[..., float]:
    """Return a correlation of pairs of numbers; a range or several runs count with their mean."""

    def of(x: Value, y: Value) -> float:
        return float(measure(*([fmean(flat(one)) for one in side] for side in (x, y))).statistic)

    return of


def _t_p(a: Value, b: Value) -> float:
    """Return p of the two-sided t-test with equal variances."""
    return float(scipy.stats.ttest_ind(list(flat(a)), list(flat(b))).pvalue)


def _runs_needed(a: Value, b: Value) -> float:
    """Return the fewest runs a side at which that t-test would have its power."""
    first, second = list(flat(a)), list(flat(b))
    effect = abs(fmean(first) - fmean(second)) / math.sqrt(
        fmean((variance(first), variance(second)))
    )
    for n in range(2, MOST_SEEDS + 1):
        bound = scipy.stats.t.ppf(1 - LEVEL / 2, 2 * n - 2)
        if scipy.stats.nct.sf(bound, 2 * n - 2, effect * math.sqrt(n / 2)) >= POWER:
            return n
    return math.inf


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "abs": _each(abs),
    "round": _each(lambda value: float(round(value))),
    "sqrt": _each(math.sqrt),
    "exp": _each(math.exp),
    "erf": _each(math.erf),
    "sum": _of_all(math.fsum),
    "min": _of_all(min),
    "max": _of_all(max),
    "mean": _of_all(fmean),
    "count": _of_all(len),
    "distinct": _of_all(lambda values: len(set(values))),
    # Standard deviation, variance and coefficient of variation in percent; the second of
    # each pair has the divisor n − 1.
    "sd": _of_all(pstdev),
    "sd1": _of_all(stdev),
    "var": _of_all(pvariance),
    "var1": _of_all(variance),
    "cv": _cv(pstdev),
    "cv1": _cv(stdev),
    "range": _of_all(lambda values: max(values) - min(values)),
    "relative_range": _of_all(_relative_range),
    "change": _each(lambda before, after: 100 * (after - before) / before),
    "gaps": _gaps,
    "rank": _rank,
    "counts": lambda lists: tuple(float(len(list(flat(one)))) for one in lists),
    "lows": lambda lists: tuple(min(flat(one)) for one in lists),
    "highs": lambda lists: tuple(max(flat(one)) for one in lists),
    # In percent, the fewest right answers that a loss in nats allows on the same positions.
    "fewest_right": _each(lambda loss: 100 * certificate(loss)),
    "most_apart": _most_apart,
    "most_apart_in_pairs": _most_apart_in_pairs,
    "share_low": lambda successes, of: exact_interval(successes, of)[0],
    "share_high": lambda successes, of: exact_interval(successes, of)[1],
    "detectable": _detectable,
    "p_of_f": lambda f, freedom: float(scipy.stats.f.sf(f, *freedom)),
    "anova_f": lambda *groups: _one_way(groups).statistic,
    "anova_p": lambda *groups: _one_way(groups).p,
    "tukey_p": _tukey_p,
    "pearson": _correlation(scipy.stats.pearsonr),
    "spearman": _correlation(scipy.stats.spearmanr),
    "t_p": _t_p,
    "runs_needed": _runs_needed,
}


class Expression:
    """A parsed expression.

    Parameters
    ----------
    text
        As in the table of claims.
    where
        The claim that has it, for errors.

    Raises
    ------
    ActreproError
        When it is not an expression of the language.
    """

    def __init__(self, text: str | float, where: str) -> None:
        self.text, self.where = str(text), where
        try:
            self._tree = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise self._error(error.msg) from None

    def _error(self, why: object) -> ActreproError:
        return ActreproError(f"claim {self.where}: the expression '{self.text}': {why}")

    @property
    def names(self) -> list[str]:
        """The names that it needs values for, each once."""
        functions = {id(node.func) for node in ast.walk(self._tree) if isinstance(node, ast.Call)}
        names = [
            node.id
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Name) and id(node) not in functions
        ]
        return list(dict.fromkeys(names))

    def value(self, values: Mapping[str, Value]) -> Value:
        """Evaluate it with a value for each of its names.

        Raises
        ------
        ActreproError
            When it uses what the language does not have, or cannot be computed.
        """
        try:
            return self._of(self._tree, values)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise self._error(error) from None

    def written(self, words: Mapping[str, str]) -> str:
        """Write it out with a word in place of each name."""

        class Renamed(ast.NodeTransformer):
            def visit_Name(self, node: ast.Name) -> ast.Name:
                return ast.Name(words.get(node.id, node.id), node.ctx)

        text = ast.unparse(Renamed().visit(ast.parse(self.text, mode="eval")))
        for sign, symbol in ((" ** ", "^"), (" * ", " × "), (" - ", " − "), ("_", " ")):
            text = text.replace(sign, symbol)
        return text

    def _of(self, node: ast.expr, values: Mapping[str, Value]) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in values:
                return values[name]
            case ast.Tuple(elts=parts):
                return tuple(self._of(part, values) for part in parts)
            case ast.UnaryOp(op=ast.USub(), operand=part):
                return lifted(operator.neg, self._of(part, values))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return lifted(_BINARY[type(op)], self._of(left, values), self._of(right, values))
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in FUNCTIONS:
                return FUNCTIONS[name](*(self._of(part, values) for part in parts))
            case ast.Compare(ops=ops) if all(type(op) in _COMPARE for op in ops):
                terms = [self._of(part, values) for part in (node.left, *node.comparators)]
                pairs = zip(ops, pairwise(terms), strict=True)
                return all(_COMPARE[type(op)](a, b) for op, (a, b) in pairs)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._of(body if self._of(test, values) else orelse, values)
        names = f"names: {', '.join(values) or 'none'}; functions: {', '.join(FUNCTIONS)}"
        raise self._error(f"'{ast.unparse(node)}' is not valid here; {names}")
