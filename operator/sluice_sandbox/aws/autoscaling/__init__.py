"""Application Auto Scaling for ECS services: targets, policies and schedules that really scale.

botocore's service `application-autoscaling`. Policies own CloudWatch alarms, alarms invoke policies, and
policies set the service's desired count through the port `ScalableServices`.
"""
