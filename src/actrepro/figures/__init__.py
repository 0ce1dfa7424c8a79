"""Drawing with matplotlib; imported only when a figure is drawn.

In every figure a large marker is a cell's mean, hollow where the cell failed a
gate, and a cell without a number says why. Among tiles such a cell is grey and
hatched, among contrasts grey, and its lines are dashed.
"""
