"""Statements: one each, in a function of its own; every write counts its rows."""
