variable "repositories" {
  description = "Names of the repositories, one per image."
  type        = set(string)

  validation {
    condition     = alltrue([for name in var.repositories : can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", name))])
    error_message = "A repository's name has lower-case letters, digits and single . _ - / between them."
  }
}

variable "prefix" {
  description = "Put before every name with a slash, such as an environment's name; empty for none."
  type        = string
  default     = ""
  nullable    = false
}

variable "untagged_days" {
  description = "Days after which an untagged image is deleted."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.untagged_days >= 1 && floor(var.untagged_days) == var.untagged_days
    error_message = "untagged_days must be a whole number of at least 1."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the images; null for AES-256 with a key of AWS'."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : startswith(var.kms_key_arn, "arn:")
    error_message = "kms_key_arn must be an ARN."
  }
}

variable "force_delete" {
  description = "Whether destroying a repository may delete the images in it."
  type        = bool
  default     = false
  nullable    = false
}
