"""Tasks: what a user wants done with a model, as functions that write files a person can open."""
