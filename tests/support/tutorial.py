"""The tutorial's page, its blocks and the commands in them."""

from __future__ import annotations

import re

from study_folder import REPOSITORY

PAGE = REPOSITORY / "docs/tutorial.md"
# A block, with what is to be done with it where it is no command.
BLOCK = re.compile(r"(?:<!-- (file|append): (\S+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


def typed() -> list[str]:
    """Return the lines that the tutorial's blocks show to type."""
    blocks = [block for what, _, _, block in BLOCK.findall(PAGE.read_text("utf-8")) if not what]
    return [line for block in blocks for line in block.splitlines()]
