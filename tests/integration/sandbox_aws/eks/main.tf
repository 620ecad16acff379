# Every kind of EKS resource that we use, on the network that the sandbox seeds.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  max_retries             = 2
  s3_use_path_style       = true
  skip_metadata_api_check = true

  default_tags {
    tags = { owner = "platform" }
  }
}

variable "kubernetes_version" {
  type = string
}

variable "desired_size" {
  type = number
}

variable "tag" {
  type = string
}

variable "log_types" {
  type = list(string)
}

data "aws_subnets" "private" {
  filter {
    name   = "tag:Tier"
    values = ["private"]
  }
}

data "aws_eks_addon_version" "coredns" {
  addon_name         = "coredns"
  kubernetes_version = var.kubernetes_version
  most_recent        = true
}

resource "aws_iam_role" "this" {
  for_each = toset(["cluster", "node", "pod", "viewer"])

  name = "terraform-${each.key}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "eks.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this["cluster"].name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_eks_cluster" "this" {
  name                      = "terraform"
  role_arn                  = aws_iam_role.this["cluster"].arn
  version                   = var.kubernetes_version
  enabled_cluster_log_types = var.log_types
  tags                      = { changing = var.tag }

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = true
  }

  vpc_config {
    subnet_ids              = data.aws_subnets.private.ids
    endpoint_private_access = true
  }
}

resource "aws_launch_template" "this" {
  name_prefix = "terraform-"

  metadata_options {
    http_tokens = "required"
  }
}

resource "aws_eks_node_group" "this" {
  for_each = toset(["plain", "templated"])

  cluster_name    = aws_eks_cluster.this.name
  node_group_name = each.key
  node_role_arn   = aws_iam_role.this["node"].arn
  subnet_ids      = data.aws_subnets.private.ids
  version         = aws_eks_cluster.this.version
  instance_types  = ["m5.large"]
  labels          = { changing = var.tag }
  tags            = { changing = var.tag }

  scaling_config {
    min_size     = 1
    max_size     = 6
    desired_size = var.desired_size
  }

  dynamic "launch_template" {
    for_each = each.key == "templated" ? [aws_launch_template.this] : []

    content {
      id      = launch_template.value.id
      version = launch_template.value.latest_version
    }
  }
}

resource "aws_eks_addon" "this" {
  for_each = { coredns = data.aws_eks_addon_version.coredns.version, vpc-cni = null }

  cluster_name  = aws_eks_cluster.this.name
  addon_name    = each.key
  addon_version = each.value
  tags          = { changing = var.tag }
}

resource "aws_eks_access_entry" "viewer" {
  cluster_name      = aws_eks_cluster.this.name
  principal_arn     = aws_iam_role.this["viewer"].arn
  kubernetes_groups = ["readers-${var.tag}"]
}

resource "aws_eks_access_policy_association" "viewer" {
  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.viewer.principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"

  access_scope {
    type       = "namespace"
    namespaces = ["default"]
  }
}

resource "aws_eks_pod_identity_association" "this" {
  cluster_name    = aws_eks_cluster.this.name
  namespace       = "default"
  service_account = "orders"
  role_arn        = aws_iam_role.this["pod"].arn
}

resource "aws_ecr_repository" "this" {
  name                 = "terraform/orders"
  image_tag_mutability = "IMMUTABLE"
}
