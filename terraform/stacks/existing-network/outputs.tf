output "vpc_id" {
  description = "Id of the VPC."
  value       = module.this.vpc_id
}

output "vpc_cidr_block" {
  description = "The VPC's own IPv4 range."
  value       = module.this.vpc_cidr_block
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, sorted."
  value       = module.this.private_subnet_ids
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, sorted; empty when there are none."
  value       = module.this.public_subnet_ids
}

output "availability_zones" {
  description = "Names of the zones that have a private subnet, sorted."
  value       = module.this.availability_zones
}
