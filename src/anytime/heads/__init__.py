"""Heads: the distribution of one token, given the parameters that a sequence model puts out."""
