"""Reconcile one key: snapshot, observe, plan, intent, apply, outcome."""
