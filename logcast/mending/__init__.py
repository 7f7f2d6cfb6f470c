"""What `logcast repair` does: makes media and rows of a video again, each from where it still is."""
