"""`make demo`: the main job from `kubectl apply` to proof that nothing is left, measured as it goes."""
