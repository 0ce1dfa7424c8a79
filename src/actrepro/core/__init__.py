"""Errors, files, paths, formats, seeds, jobs, locks, GPUs and vocabulary for every package."""
