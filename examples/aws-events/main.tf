# Queue, queue policy, EventBridge rule and the operator's IAM policy for Sluice's AWS events (docs/aws-events.md).
# Not run against a live account. The same as CloudFormation: template.yaml.

variable "installation_id" {
  description = "Sluice's installationId: one queue for each installation."
  type        = string
}

variable "operator_role" {
  description = "Name of the operator's IAM role."
  type        = string
}

resource "aws_sqs_queue" "events" {
  name                       = "sluice-${var.installation_id}"
  message_retention_seconds  = 3600 # an older event says nothing that a look would not
  receive_wait_time_seconds  = 20
  visibility_timeout_seconds = 30
  sqs_managed_sse_enabled    = true
}

resource "aws_cloudwatch_event_rule" "ecs" {
  name        = "sluice-${var.installation_id}"
  description = "ECS state changes for Sluice"
  event_pattern = jsonencode({
    source = ["aws.ecs"]
    "detail-type" = [
      "ECS Task State Change",
      "ECS Deployment State Change",
      "ECS Service Action",
    ]
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule = aws_cloudwatch_event_rule.ecs.name
  arn  = aws_sqs_queue.events.arn
}

data "aws_iam_policy_document" "queue" {
  statement {
    sid       = "EventBridgeSends"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.events.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.ecs.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy    = data.aws_iam_policy_document.queue.json
}

data "aws_iam_policy_document" "operator" {
  statement {
    sid       = "Listen"
    actions   = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
    resources = [aws_sqs_queue.events.arn]
  }
}

resource "aws_iam_role_policy" "operator" {
  name   = "sluice-events-${var.installation_id}"
  role   = var.operator_role
  policy = data.aws_iam_policy_document.operator.json
}

output "queue_url" {
  description = "awsEvents.queueUrl"
  value       = aws_sqs_queue.events.url
}
