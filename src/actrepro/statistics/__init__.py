"""Statistics of a model and of a scale, for few seeds."""
