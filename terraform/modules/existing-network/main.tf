data "aws_vpc" "this" {
  id    = var.vpc_id
  tags  = var.vpc_tags
  state = "available"
}

data "aws_subnets" "private" {
  tags = var.private_subnet_tags

  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.this.id]
  }

  lifecycle {
    postcondition {
      condition     = length(self.ids) > 0
      error_message = "The VPC ${data.aws_vpc.this.id} has no subnet with private_subnet_tags."
    }
  }
}

data "aws_subnets" "public" {
  tags = var.public_subnet_tags

  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.this.id]
  }
}

data "aws_subnet" "private" {
  for_each = toset(data.aws_subnets.private.ids)

  id = each.value
}
