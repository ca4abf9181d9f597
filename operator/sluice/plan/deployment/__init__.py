"""Deployment: what a spec asks, what was seen, and the actions between them. Pure.

The sentence: `target` says which revision should run, `desired` what that means in AWS, `planner` the
actions that are missing, `absorb` what was seen once they took place. Planning again then gives none.
"""
