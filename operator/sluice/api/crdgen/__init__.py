"""Generates crds/ and docs/reference.md from the types, so that they cannot drift apart."""
