"""Many low-latency viewers of one live stream: the source, the viewers, and what is between."""
