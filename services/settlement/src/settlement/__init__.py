"""Settlement: what the provinces owe each other. It changes no quota."""
