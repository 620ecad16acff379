module "this" {
  source = "../../modules/existing-network"

  vpc_id              = var.vpc_id
  vpc_tags            = var.vpc_tags
  private_subnet_tags = var.private_subnet_tags
  public_subnet_tags  = var.public_subnet_tags
}
