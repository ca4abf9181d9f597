"""The real Kubernetes control plane on one machine: etcd and kube-apiserver as child processes.

A fake API server says yes to what the real one refuses (CEL, RBAC, pruning, conflicts, watch gaps), so
the sandbox and the tests run the real one. `resolve` and `provision` find or make the programs, `plane`
runs them, `session` shares one control plane between processes that come and go.

This file imports nothing: `keeper` runs from the package beside every control plane and stays small.
"""
