"""What tests stand on: servers, databases, topics."""
