"""`python -m wallet`."""

from wallet.main import app

app()
