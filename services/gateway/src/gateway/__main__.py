from gateway.main import app

app()
