"""Elastic Load Balancing v2: load balancers, listeners, rules, target groups, targets, health.

`service.Elbv2Service` is the whole; the other modules are its nouns. What carries bytes is not
here but in `sluice_sandbox.dataplane`; `routing` and `forwarding` decide for both.
"""
