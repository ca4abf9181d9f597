"""Progressive Deployments between AWS and the pure machine: facts in, actions out. Pure.

`facts` condenses what was seen into a `Situation`, `sluice.rollout` decides, `planner` turns the decision
into AWS calls and a status. Two slots instead of one service; target groups, anchors, definitions and
the service's own fields are `plan.deployment`'s, slot by slot.
"""
