"""Whether what is kept of a video is sound: log, index and stores compared, and what differs mended."""
