"""`python -m settlement`."""

from settlement.main import app

app()
