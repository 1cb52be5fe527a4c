"""What is owed, and how far each month is, as pure rules over immutable values."""
