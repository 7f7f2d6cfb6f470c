"""RTMP without I/O: handshake, chunk streams, AMF0, commands."""
