"""Draw the rules into the README, as GitHub shows it in dark and in light: `make rulegraph`.

Snakemake says which rule waits for which. What a picture needs is done here: rules that only
gather are left out, a rule stands for those derived from it (`use rule`), the groups are the
files of `rules/`, and an arrow that a longer way implies is dropped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PLACE = re.compile(r"(?<=<!-- rulegraph -->\n).*?(?=<!-- /rulegraph -->)", re.DOTALL)
TARGETS = ("all", "audit", "benchmark", "elsewhere", "record")
# Few runs: the rules are the same. `elsewhere` and `record` ask for a folder and a name.
CONFIG = ("models=charlm", "activations=relu,gelu", "seeds=1,2", "elsewhere=other", "record=small")

# Room for a group's name above its rules.
SPACING = """%%{init: {"flowchart": {"nodeSpacing": 25, "rankSpacing": 40,
  "subGraphTitleMargin": {"top": 4, "bottom": 22}}}}%%"""

Edges = set[tuple[str, str]]


def edges_of_snakemake() -> Edges:
    """Return pairs of rules, the second of which takes files of the first."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "config", Path(folder, "config"))
        Path(folder, "other/quick").mkdir(parents=True)
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
        command += ["--directory", folder, "--cores", "1", *TARGETS]
        command += ["--rulegraph", "mermaid-js", "--config", *CONFIG]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"snakemake --rulegraph failed; correct this first:\n{done.stderr}")
    names = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]$", done.stdout, re.M))
    arrows = re.findall(r"^\s*(id\d+) --> (id\d+)$", done.stdout, re.M)
    return {(names[a], names[b]) for a, b in arrows}


def rules_by_file() -> dict[str, list[str]]:
    """Return the rules with a script by their file, in the Snakefile's order."""
    snakefile = (ROOT / "Snakefile").read_text(encoding="utf-8")
    files = [ROOT / name for name in re.findall(r'^include: "(.+)"$', snakefile, re.M)]
    return {
        file.stem: re.findall(r"^rule (\w+):", file.read_text(encoding="utf-8"), re.M)
        for file in files
    }


def derived_rules() -> dict[str, str]:
    """Return the rules that `use rule` makes, and their originals."""
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "rules").glob("*.smk"))
    return {new: old for old, new in re.findall(r"^use rule (\w+) as (\w+)", text, re.M)}


def picture() -> str:
    """Return the rules as a mermaid flow chart, in a fence of Markdown."""
    groups = rules_by_file()
    drawn = [rule for rules in groups.values() for rule in rules]
    derived = derived_rules()
    edges = {(derived.get(a, a), derived.get(b, b)) for a, b in edges_of_snakemake()}
    edges = reduced({(a, b) for a, b in edges if a != b and {a, b} <= set(drawn)})
    lines = [line for name, rules in groups.items() for line in _group(name, rules)]
    lines += [f"  {a} --> {b}" for a in drawn for b in drawn if (a, b) in edges]
    return "\n".join(["```mermaid", SPACING, "flowchart TB", *lines, "```", ""])


def _group(name: str, rules: list[str]) -> Iterator[str]:
    nodes = [f"{rule}[{rule.replace('_', ' ')}]" for rule in rules]
    if len(rules) < 2:
        yield from (f"  {node}" for node in nodes)
    else:
        yield f"  subgraph {name}_smk [{name}]"
        yield from (f"    {node}" for node in nodes)
        yield "  end"


def reduced(edges: Edges) -> Edges:
    """Remove the arrows of a graph without cycles that a longer way implies."""
    return {(a, b) for a, b in edges if not any(_leads(c, b, edges) for c in _after(a, edges, b))}


def _leads(start: str, end: str, edges: Edges) -> bool:
    return start == end or any(_leads(one, end, edges) for one in _after(start, edges))


def _after(rule: str, edges: Edges, but: str = "") -> set[str]:
    return {b for a, b in edges if a == rule and b != but}


def drawn_into(readme: str) -> str:
    """Return the README with the picture in its place."""
    text, places = PLACE.subn(lambda _: picture(), readme)
    if places != 1:
        raise SystemExit(
            f"{README}: found {places} places for the rule graph, expected one between "
            "'<!-- rulegraph -->' and '<!-- /rulegraph -->'; put these lines where it is to stand"
        )
    return text


if __name__ == "__main__":
    README.write_text(drawn_into(README.read_text(encoding="utf-8")), encoding="utf-8")
