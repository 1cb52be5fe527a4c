"""Where settlement meets HTTP and Kafka: translation, nothing else."""
