"""What can happen here: one file, one thing. Each reads, decides, writes and tells."""
