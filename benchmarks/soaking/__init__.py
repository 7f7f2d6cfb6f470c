"""The parts of `benchmarks.soak`: who uses the system, what is sampled, and the verdict over each series."""
