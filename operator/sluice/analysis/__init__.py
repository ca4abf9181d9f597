"""Gates that ask somebody: metrics, alarms, hooks. Beside the passes, never in their way.

`gates.GateKeeper` keeps what is being asked and what was answered; one module each knows how to ask the
load balancer, CloudWatch, Prometheus or a web server. What an answer means is decided in
`sluice.rollout`, purely.
"""
