"""Training: typed recipes, one trainer, one checkpoint format."""
