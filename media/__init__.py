"""Formats and protocols as pure functions and state machines, no I/O."""
