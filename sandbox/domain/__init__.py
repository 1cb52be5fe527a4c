"""How the outside world decides: no database, no clock, no network."""
