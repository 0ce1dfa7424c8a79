"""Speed of training, compared with the machine's peak and a plain loop: `snakemake benchmark`.

Everything timed runs in processes of its own (`python -m actrepro.benchmark.programs.…`, which
print one line of JSON each), so that each has its own memory and jobs can run side by side.
"""
