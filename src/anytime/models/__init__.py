"""Models: a tokenizer and a prior put together, saved, loaded and published."""
