"""The product's own benchmarks: `python -m benchmarks`. See README.md beside this file."""
