mock_provider "aws" {}

variables {
  name   = "orders"
  vpc_id = "vpc-0a1b2c3d"
}

run "makes_one_rule_for_each_entry" {
  command = plan

  variables {
    ingress = { https = { description = "HTTPS", cidr_ipv4 = "10.0.0.0/8", port = 443 } }
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.this["https"].to_port == 443
    error_message = "A rule is one port."
  }
  assert {
    condition     = length(aws_vpc_security_group_egress_rule.this) == 0
    error_message = "Nothing goes out unless it is listed."
  }
}

run "refuses_a_name_that_looks_like_an_id" {
  command = plan

  variables {
    name = "sg-orders"
  }

  expect_failures = [var.name]
}

run "refuses_what_is_no_range" {
  command = plan

  variables {
    ingress = { https = { description = "HTTPS", cidr_ipv4 = "everywhere", port = 443 } }
  }

  expect_failures = [var.ingress]
}
