"""Measures the operator as its users run it; see docs/bench.md."""
