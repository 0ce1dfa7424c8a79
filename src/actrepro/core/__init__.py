"""Errors, files, paths, formats, seeds, jobs, locks, GPUs and words, which every package uses."""
