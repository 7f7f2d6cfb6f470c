"""Many subscribers of one feed: what a delivery costs the server, beside `websockets.broadcast()` in the same run."""
