"""How fast training is, and against what: `snakemake benchmark`.

Everything that is timed runs in processes of its own (`python -m actrepro.benchmark.programs.…`,
one line of JSON each), so that memory is its own and jobs can stand side by side.
"""
