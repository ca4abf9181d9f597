"""A ServiceRoute's discovery: whose tasks a name answers with, and how entries come and go. Pure."""
