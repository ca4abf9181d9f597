"""The one gateway to AWS: clients, budgets, deadlines, error classes."""
