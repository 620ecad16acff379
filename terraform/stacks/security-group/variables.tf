variable "name" {
  description = "Name of the group, unique in its VPC."
  type        = string
}

variable "description" {
  description = "What the group is for; null for the module's default."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "Id of the VPC that the group belongs to."
  type        = string
}

variable "ingress" {
  description = "What may come in, by a name of yours."
  type = map(object({
    description = string
    cidr_ipv4   = string
    port        = optional(number)
    protocol    = optional(string, "tcp")
  }))
  default = null
}

variable "egress" {
  description = "What may go out, written like ingress."
  type = map(object({
    description = string
    cidr_ipv4   = string
    port        = optional(number)
    protocol    = optional(string, "tcp")
  }))
  default = null
}
