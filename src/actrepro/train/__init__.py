"""Training: the loop, and the job that makes a run."""
