"""AWS Cloud Map, as its clients see it.

Namespaces, services and instances, changed by asynchronous operations; custom health that takes its
time; discovery by API. The answers that a DNS resolver gives are made of the same state (`dns`).
"""
