"""Drawing with matplotlib; imported only when a figure is drawn.

In every figure a large marker is a cell's mean, hollow where the cell failed a
gate, and a cell without a number says why. In the heatmap such a cell is grey and
hatched, and among contrasts grey.
"""
