"""The simulated AWS: one process of ours around moto's server, extended where EKS, ECR, STS and S3 fall short.

Here live the process, its gateway in front of moto, the EKS extension with its link to a real Kubernetes API server,
ECR's rules in front of a real registry, failure injection and the seed. Nothing here knows the starter or Terraform.
Whoever calls it speaks HTTP on 127.0.0.1; all state is in memory and dies with the process.
"""
