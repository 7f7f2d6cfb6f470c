"""Role 2: turn log into log (the Faust app and its agents)."""
