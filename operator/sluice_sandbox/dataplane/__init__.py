"""What carries bytes: task endpoints, load-balancer listeners, health probes, load generation."""
