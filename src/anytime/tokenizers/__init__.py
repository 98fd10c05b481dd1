"""Tokenizers: data to codes and back. Those of this package decode any prefix of the codes to a whole sample."""
