"""What is on the log: Avro schemas, events, codec and topics."""
