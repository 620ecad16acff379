"""A simulated EKS good enough for Terraform's AWS provider, boto3 and kubectl, in front of a real API server.

One module per kind of resource, each a table of operations: plain functions from a request, as AWS's API model words
it, to the answer's document. moto routes and serialises; nothing of moto's own EKS is used.
"""
