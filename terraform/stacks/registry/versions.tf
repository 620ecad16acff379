terraform {
  required_version = ">= 1.10, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

# Region, account guard, tags and role come from the environment file: platformctl writes them as an override.
provider "aws" {}
