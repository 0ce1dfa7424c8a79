"""Drawing with matplotlib; imported only when a figure is drawn.

In every figure a large marker is a cell's mean, hollow if the cell failed a gate, and a cell
without a number says why. A cell that failed a gate is grey and hatched among tiles, grey among
contrasts, and its lines are dashed.
"""
