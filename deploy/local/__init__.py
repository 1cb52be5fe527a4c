"""A whole stack on one laptop, from packages alone: no Docker, no root, nothing installed."""
