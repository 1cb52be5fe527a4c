"""What an institution, its keys and a proved presence are. Nothing here awaits or reads a clock."""
