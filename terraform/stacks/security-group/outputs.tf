output "security_group_id" {
  description = "Id of the group."
  value       = module.this.security_group_id
}

output "security_group_arn" {
  description = "ARN of the group."
  value       = module.this.security_group_arn
}
