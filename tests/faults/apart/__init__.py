"""Faults that need a town of their own, or servers that may be killed."""
