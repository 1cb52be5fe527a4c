"""`python -m relations`."""

from relations.main import app

app()
