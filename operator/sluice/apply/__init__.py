"""Actions become AWS calls here, in order, each behind its budget token."""
