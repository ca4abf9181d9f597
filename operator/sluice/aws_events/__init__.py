"""AWS's own word that something changed: ECS events through EventBridge and SQS, as a hint to look now."""
