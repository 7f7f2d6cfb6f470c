"""The local stack: Kafka, Cassandra and our roles, each its own process, watched and stopped in order."""
