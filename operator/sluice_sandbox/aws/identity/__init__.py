"""Who calls and what they may: IAM's policies evaluated, STS's trust policies checked.

Users, groups, roles and their policies are kept by moto's IAM; here is what moto leaves out: trust
policies, `iam:PassRole`, conditions, denials in each protocol's shape, and the policy simulator.
"""
