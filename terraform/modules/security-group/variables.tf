variable "name" {
  description = "Name of the group, unique in its VPC."
  type        = string

  validation {
    condition     = !startswith(var.name, "sg-") && length(var.name) > 0 && length(var.name) <= 255
    error_message = "A group's name has 1 to 255 characters and does not start with sg-, which AWS keeps for ids."
  }
}

variable "description" {
  description = "What the group is for. AWS cannot change it: another text replaces the group."
  type        = string
  default     = "Managed by platformctl"
  nullable    = false
}

variable "vpc_id" {
  description = "Id of the VPC that the group belongs to."
  type        = string

  validation {
    condition     = can(regex("^vpc-", var.vpc_id))
    error_message = "vpc_id must look like vpc-0123456789abcdef0."
  }
}

variable "ingress" {
  description = "What may come in, by a name of yours; port null with protocol \"-1\" means everything."
  type = map(object({
    description = string
    cidr_ipv4   = string
    port        = optional(number)
    protocol    = optional(string, "tcp")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for rule in var.ingress : can(cidrhost(rule.cidr_ipv4, 0))])
    error_message = "cidr_ipv4 must be an IPv4 range such as 10.0.0.0/8."
  }
}

variable "egress" {
  description = "What may go out, written like ingress; empty for nothing."
  type = map(object({
    description = string
    cidr_ipv4   = string
    port        = optional(number)
    protocol    = optional(string, "tcp")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for rule in var.egress : can(cidrhost(rule.cidr_ipv4, 0))])
    error_message = "cidr_ipv4 must be an IPv4 range such as 0.0.0.0/0."
  }
}
