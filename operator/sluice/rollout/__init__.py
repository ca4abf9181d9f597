"""Pure: the progressive state machine, kept in status. Rolling Deployments do not use it."""
