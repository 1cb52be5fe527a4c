"""Statements: one a function; every write counts its rows."""
