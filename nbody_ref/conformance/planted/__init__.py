"""Errors planted on purpose, which the kit must catch."""
