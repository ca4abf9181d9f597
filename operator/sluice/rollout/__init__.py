"""Pure: the progressive state machine, kept in status. Rolling Deployments do not use it.

`machine.decide` is the only entrance. One idea each: `begin` (at rest, start of a rollout), `scaling`
(how many tasks), `stepping`, `analysis`, `alarms`, `hooks`, `group`, `freeze`,
`images` (gates), `holds` (what stops
forward moves), `rollback`, `finishing` (bake, drain, standby), `verbs` (a person), `clocks`, `orders`.
"""
