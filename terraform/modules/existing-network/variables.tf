variable "vpc_id" {
  description = "Id of the VPC; null to find it by vpc_tags."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null ? true : can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id must look like vpc-0123456789abcdef0."
  }
}

variable "vpc_tags" {
  description = "Tags that only the wanted VPC has, such as { Name = \"acme-dev\" }."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = var.vpc_id != null || length(var.vpc_tags) > 0
    error_message = "Give vpc_id or vpc_tags; with neither, any VPC of the account would do."
  }
}

variable "private_subnet_tags" {
  description = "Tags of the private subnets. The default is what AWS load balancers look for."
  type        = map(string)
  default     = { "kubernetes.io/role/internal-elb" = "1" }
  nullable    = false
}

variable "public_subnet_tags" {
  description = "Tags of the public subnets. The default is what AWS load balancers look for."
  type        = map(string)
  default     = { "kubernetes.io/role/elb" = "1" }
  nullable    = false
}
