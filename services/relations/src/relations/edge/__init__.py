"""Where relations meets HTTP and Kafka: translation, nothing else."""
