"""Stories on a whole town, over HTTP and Kafka alone."""
