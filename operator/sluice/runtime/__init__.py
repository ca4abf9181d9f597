"""Queue, store, lease, events, probes and the glue to kopf."""
