"""The logcast command and the local stack."""
