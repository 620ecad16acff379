variable "repositories" {
  description = "Names of the repositories, one per image."
  type        = set(string)
}

variable "prefix" {
  description = "Put before every name with a slash; null for none."
  type        = string
  default     = null
}

variable "untagged_days" {
  description = "Days after which an untagged image is deleted; null for the module's default."
  type        = number
  default     = null
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the images; null for AES-256."
  type        = string
  default     = null
}

variable "force_delete" {
  description = "Whether destroying a repository may delete the images in it."
  type        = bool
  default     = null
}
