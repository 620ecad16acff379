mock_provider "aws" {
  mock_data "aws_vpc" {
    defaults = { id = "vpc-0a1b2c3d", cidr_block = "10.0.0.0/16" }
  }
  mock_data "aws_subnets" {
    defaults = { ids = ["subnet-0b", "subnet-0a"] }
  }
  mock_data "aws_subnet" {
    defaults = { availability_zone = "ap-northeast-2a" }
  }
}

run "finds_a_vpc_by_its_tags" {
  command = plan

  variables {
    vpc_tags = { Name = "acme-dev" }
  }

  assert {
    condition     = output.vpc_id == "vpc-0a1b2c3d"
    error_message = "The VPC's id is not handed out."
  }
  assert {
    condition     = output.private_subnet_ids == tolist(["subnet-0a", "subnet-0b"])
    error_message = "Subnet ids are not sorted."
  }
  assert {
    condition     = output.availability_zones == tolist(["ap-northeast-2a"])
    error_message = "A zone is named once, however many subnets it has."
  }
}

run "refuses_to_take_any_vpc" {
  command = plan

  variables {
    vpc_tags = {}
  }

  expect_failures = [var.vpc_tags]
}

run "refuses_an_id_of_something_else" {
  command = plan

  variables {
    vpc_id = "subnet-0a1b2c3d"
  }

  expect_failures = [var.vpc_id]
}
