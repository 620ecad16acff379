module "this" {
  source = "../../modules/security-group"

  name        = var.name
  description = var.description
  vpc_id      = var.vpc_id
  ingress     = var.ingress
  egress      = var.egress
}
