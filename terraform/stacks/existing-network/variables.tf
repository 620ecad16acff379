variable "vpc_id" {
  description = "Id of the VPC; null to find it by vpc_tags."
  type        = string
  default     = null
}

variable "vpc_tags" {
  description = "Tags that only the wanted VPC has."
  type        = map(string)
  default     = null
}

variable "private_subnet_tags" {
  description = "Tags of the private subnets; null for the module's default."
  type        = map(string)
  default     = null
}

variable "public_subnet_tags" {
  description = "Tags of the public subnets; null for the module's default."
  type        = map(string)
  default     = null
}
