"""Hooks: gates that do something, a webhook's POST or a task on ECS, each attempt under an id of its own."""
