output "vpc_id" {
  description = "Id of the VPC."
  value       = data.aws_vpc.this.id
}

output "vpc_cidr_block" {
  description = "The VPC's own IPv4 range."
  value       = data.aws_vpc.this.cidr_block
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, sorted."
  value       = sort(data.aws_subnets.private.ids)
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, sorted; empty when there are none."
  value       = sort(data.aws_subnets.public.ids)
}

output "availability_zones" {
  description = "Names of the zones that have a private subnet, sorted."
  value       = sort(distinct([for subnet in data.aws_subnet.private : subnet.availability_zone]))
}
