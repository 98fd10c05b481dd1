"""Sampling: the decode loop, budgets, filters and seeds."""
