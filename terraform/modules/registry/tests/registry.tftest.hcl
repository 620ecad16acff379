mock_provider "aws" {}

run "makes_an_immutable_scanned_repository_for_each_name" {
  command = plan

  variables {
    repositories = ["orders", "billing"]
    prefix       = "dev"
  }

  assert {
    condition     = aws_ecr_repository.this["orders"].name == "dev/orders"
    error_message = "The prefix comes before the name."
  }
  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE"])
    error_message = "Tags must be immutable."
  }
  assert {
    condition     = length(aws_ecr_lifecycle_policy.this) == 2
    error_message = "Every repository has a lifecycle policy."
  }
}

run "refuses_a_name_that_ecr_would_refuse" {
  command = plan

  variables {
    repositories = ["Orders"]
  }

  expect_failures = [var.repositories]
}

run "refuses_to_expire_at_once" {
  command = plan

  variables {
    repositories  = ["orders"]
    untagged_days = 0
  }

  expect_failures = [var.untagged_days]
}
