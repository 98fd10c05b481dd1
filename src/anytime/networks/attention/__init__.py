"""Attention: mixing over the past, one form a file, each both in parallel and as a recurrence."""
