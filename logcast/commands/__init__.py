"""The subcommands of `logcast`, one module each, imported when called."""
