"""Stories that need towns of their own."""
