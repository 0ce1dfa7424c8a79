"""Controls: the earlier study's mistakes, made on purpose, at sizes that a CPU trains in seconds.

Each is one file with a function `measure(inputs)`. A control trains the same small cells
twice, once with one known mistake and once without, and holds both against the gates:
what the mistake does to the numbers, and which gate catches it.
"""

from __future__ import annotations
