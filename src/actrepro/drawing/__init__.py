"""Drawing with matplotlib; imported only when a figure is drawn.

In every figure a large marker is a cell's mean, hollow where not every run of the
cell beats the bigram table, and a cell without a number says why.
"""
