"""Print how often each verdict is given on studies whose truth is known.

Run `python tests/slow/error_rates.py --studies 1000`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))

from simulation import LAWS, share, verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description="Error rates of the verdicts.")
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    for name, (law, metric) in LAWS.items():
        found = verdicts(law, metric, studies)
        counts = Counter(verdict for each in found for verdict in each.values())
        total = sum(counts.values())
        contrasts = ", ".join(f"{one} {count / total:.3f}" for one, count in counts.most_common())
        any_ = {one: share(found, one) for one in ("different", "equivalent")}
        text = ", ".join(f"any {one} in {rate:.3f}" for one, rate in any_.items())
        print(f"{name}: {contrasts}; {text} of {studies} studies")


if __name__ == "__main__":
    main()
