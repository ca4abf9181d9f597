"""Sluice runs Amazon ECS from Kubernetes: a Deployment says what runs, a ServiceRoute how it is reached."""

__version__ = "0.1.0"
