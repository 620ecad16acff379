output "repository_urls" {
  description = "Where to push, by repository name."
  value       = module.this.repository_urls
}

output "repository_arns" {
  description = "ARNs by repository name, for policies."
  value       = module.this.repository_arns
}
