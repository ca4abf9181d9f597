"""Amazon CloudWatch as far as deployments need it: metrics, metric math, alarms and their actions.

Metrics come from `PutMetricData` and, by the port `Metrics`, from the stand-in's own services; alarms
are evaluated on the world's clock and tell their changes through the port `Alarms`.
"""
