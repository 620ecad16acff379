output "repository_urls" {
  description = "Where to push, by repository name: { orders = \"123456789012.dkr.ecr....amazonaws.com/orders\" }."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "repository_arns" {
  description = "ARNs by repository name, for policies."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.arn }
}
