"""Benchmarks of compactmask against its rivals; see README.md."""
