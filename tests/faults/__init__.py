"""What goes wrong: kills, losses, overload, poison; and what has to hold nevertheless."""
