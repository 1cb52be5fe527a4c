"""What may happen in the outside world: one file each."""
