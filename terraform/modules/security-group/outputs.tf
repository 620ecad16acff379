output "security_group_id" {
  description = "Id of the group."
  value       = aws_security_group.this.id
}

output "security_group_arn" {
  description = "ARN of the group."
  value       = aws_security_group.this.arn
}
