"""The DNS of the sandbox: a resolver that answers for Cloud Map's namespaces as Route 53 does in a VPC.

`message` is the wire format, `answers` says what is true, `server` carries both over UDP and TCP, `client`
asks it.
"""
