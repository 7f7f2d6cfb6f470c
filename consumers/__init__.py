"""Role 3: take the log out into stores."""
