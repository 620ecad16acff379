"""The link from the simulated EKS to a real API server: node groups become nodes, access policies become RBAC.

``desired`` says what should be there, pure; ``nodes`` and ``rbac`` make manifests, pure; ``controller`` makes it so.
"""
