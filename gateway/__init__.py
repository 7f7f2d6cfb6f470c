"""Role 4: show the log to people."""
