"""Role 1: bring video into the log."""
