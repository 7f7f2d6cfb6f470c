"""Captions: CEA-608 and CEA-708 out of the pictures of a source, cues, and WebVTT."""
