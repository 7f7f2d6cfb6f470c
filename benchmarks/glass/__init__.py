"""The pieces of `benchmarks.glass_to_glass`."""
