"""Parts of documents that can be tested: commands, headings and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from study_folder import REPOSITORY

PAGES = (
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    REPOSITORY / "config/README.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
)
PROGRAMS = (
    "apptainer apt-get conda docker export git make pip podman pytest python python3 sbatch "
    "scancel scontrol snakemake source"
)
COMMAND = re.compile(rf"(?:\.venv/bin/)?(?:{PROGRAMS.replace(' ', '|')}) \S")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}(.*)$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# Not what stands before: a link's text may be a picture.
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    """Return a page's path in the repository."""
    return page.relative_to(REPOSITORY).as_posix()


def commands(page: Path) -> Iterator[str]:
    """Yield all commands that a page shows: in blocks, in tables, within sentences."""
    text = page.read_text(encoding="utf-8")
    blocks = [block for language, block in FENCE.findall(text) if language in ("", "sh")]
    others = FENCE.sub("", text)
    lines = [*"\n".join(blocks).splitlines(), *INDENTED.findall(others)]
    lines += [" ".join(code.split()) for code in CODE.findall(INDENTED.sub("", others))]
    for line in lines:
        command = re.sub(r"\s+#.*", "", line).strip()
        if COMMAND.match(command):
            yield command


def options(page: Path) -> Iterator[str]:
    """Yield options that a page names by themselves, with their values."""
    text = INDENTED.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    yield from (" ".join(code.split()) for code in CODE.findall(text) if code.startswith("--"))


def files(page: Path, language: str) -> dict[str, str]:
    """Return the files that a page shows in full: blocks that begin with a comment, the name."""
    blocks = [block for found, block in FENCE.findall(page.read_text("utf-8")) if found == language]
    named = {block: re.match(r"# (\S+\.\w+)\n", block) for block in blocks}
    return {name[1]: block for block, name in named.items() if name}


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings; later ones of equal headings are numbered."""
    names: list[str] = []
    for heading in HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        name = anchor(heading)
        names.append(f"{name}-{names.count(name)}" if name in names else name)
    return set(names)


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links and pictures."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    yield from LINK.findall(CODE.sub("", INDENTED.sub("", text)))


RECIPE = re.compile(r"<!-- recipe: (.+?) -->\n```\w+\n(.*?)```", re.DOTALL)


def recipes(kind: str) -> list[tuple[str, str]]:
    """Return (target, code) of the recipes of a kind: append to, create, study."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = [(what, code) for what, code in RECIPE.findall(text) if what.startswith(kind)]
    return [(what.removeprefix(kind).strip(), code) for what, code in found]
