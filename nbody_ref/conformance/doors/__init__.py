"""Doors to the outside: the command, reports, vectors, programs in any language, pytest."""
