module "this" {
  source = "../../modules/registry"

  repositories  = var.repositories
  prefix        = var.prefix
  untagged_days = var.untagged_days
  kms_key_arn   = var.kms_key_arn
  force_delete  = var.force_delete
}
