"""ServiceRoute: matches to ALB rules, priorities, composed weights, ordered rule writes. Pure."""
