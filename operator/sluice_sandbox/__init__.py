"""The laptop world that Sluice is built and proven in: a real control plane and an AWS stand-in.

It is the extra `sandbox` of the distribution and a sibling of the product, which never imports it
(import-linter keeps it so). It knows the product only through CRDs and AWS calls.
"""
