"""What an event writes into Cassandra: one pure function a topic, from event to writes. `table.py` has all of them."""
