"""The workflow's files give each name one meaning."""

import re
from collections import Counter
from pathlib import Path

import pytest
from study_folder import REPOSITORY

FILES = [REPOSITORY / "Snakefile", *sorted((REPOSITORY / "rules").glob("*.smk"))]
# Included files share their names, so a second definition would replace the first for all rules.
FUNCTIONS = r"^(?:def|class) (\w+)|^(\w+) *(?::[^=\n]+)?=[^=]"
RULES = r"^(?:rule|checkpoint) (\w+):|^use rule \w+ as (\w+)"


@pytest.mark.parametrize("pattern", [FUNCTIONS, RULES], ids=["functions", "rules"])
def test_no_name_is_defined_twice(pattern: str) -> None:
    found = [
        "".join(names)
        for file in FILES
        for names in re.findall(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(found) > 10
    assert [name for name, count in Counter(found).items() if count > 1] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_has_rules_or_functions(file: Path) -> None:
    """As `snakemake --lint` wants it: what one rule needs is a lambda or in the library."""
    text = file.read_text(encoding="utf-8")
    assert not (re.search(RULES, text, re.MULTILINE) and re.search(r"^\s*def ", text, re.MULTILINE))


def test_functions_of_several_rules_fit_on_a_few_screens() -> None:
    text = (REPOSITORY / "rules/common.smk").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 200
