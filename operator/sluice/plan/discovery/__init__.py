"""Deciding what a ServiceRoute's `discovery` writes to AWS Cloud Map."""
