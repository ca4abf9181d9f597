"""`sluice sandbox`: one file per verb, as thin as the verb."""
