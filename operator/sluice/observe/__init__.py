"""AWS facts, read in batches and cached with an age."""
