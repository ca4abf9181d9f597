"""Pure planning: spec to desired state, canonical comparison, ordered actions, conditions."""
