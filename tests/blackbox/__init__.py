"""A client written from the contract alone: of this repository it imports nothing."""
