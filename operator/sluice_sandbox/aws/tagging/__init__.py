"""The Resource Groups Tagging API: every service's tags, read and written in one place."""
