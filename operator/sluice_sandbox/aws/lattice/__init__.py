"""Amazon VPC Lattice: service networks, services, listeners, weighted rules, target groups, targets."""
