"""Translation between the outside world and whoever talks to it: HTTP, Kafka, tokens."""
