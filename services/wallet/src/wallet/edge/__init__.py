"""Where the wallet meets HTTP and Kafka: translation, nothing else."""
