"""Tells people and programs outside what happened: moments read from status, an outbox, sinks."""
