"""The command `sluice`, one verb per file."""
