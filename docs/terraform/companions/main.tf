# What stands beside VPC Lattice, on a Trellis: see ../../terraform.md.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "trellis" {
  default     = "http://127.0.0.1:4780"
  description = "the endpoint of the API"
}

variable "credentials" {
  default     = "../../../.trellis/credentials"
  description = "the file credentials of Trellis' data directory"
}

variable "n" {
  default     = "1"
  description = "another value changes whatever can be changed in place"
}

provider "aws" {
  region                   = "eu-west-1"
  shared_credentials_files = [var.credentials]
  s3_use_path_style        = true
  default_tags { tags = { estate = "terraform" } }
  endpoints {
    acm            = var.trellis
    cloudwatch     = var.trellis
    cloudwatchlogs = var.trellis
    ec2            = var.trellis
    eks            = var.trellis
    elbv2          = var.trellis
    firehose       = var.trellis
    iam            = var.trellis
    kms            = var.trellis
    lambda         = var.trellis
    organizations  = var.trellis
    ram            = var.trellis
    route53        = var.trellis
    s3             = var.trellis
    servicequotas  = var.trellis
    ssm            = var.trellis
    sts            = var.trellis
    vpclattice     = var.trellis
  }
}

data "aws_caller_identity" "me" {}
data "aws_availability_zones" "z" { state = "available" }
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com", "firehose.amazonaws.com", "pods.eks.amazonaws.com"]
    }
  }
}

# ec2
resource "aws_vpc" "v" {
  cidr_block                       = "10.0.0.0/16"
  assign_generated_ipv6_cidr_block = true
  enable_dns_hostnames             = true
  tags                             = { Name = "v${var.n}" }
}
resource "aws_vpc_ipv4_cidr_block_association" "c" {
  vpc_id     = aws_vpc.v.id
  cidr_block = "10.1.0.0/16"
}
resource "aws_subnet" "a" {
  count                   = 2
  vpc_id                  = aws_vpc.v.id
  cidr_block              = cidrsubnet(aws_vpc.v.cidr_block, 8, count.index)
  ipv6_cidr_block         = cidrsubnet(aws_vpc.v.ipv6_cidr_block, 8, count.index)
  availability_zone       = data.aws_availability_zones.z.names[count.index]
  map_public_ip_on_launch = var.n == "2"
  tags                    = { Name = "s${count.index}-${var.n}" }
}
resource "aws_internet_gateway" "g" {
  vpc_id = aws_vpc.v.id
  tags   = { Name = "g${var.n}" }
}
resource "aws_route_table" "t" {
  vpc_id = aws_vpc.v.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.g.id
  }
  route {
    ipv6_cidr_block = "::/0"
    gateway_id      = aws_internet_gateway.g.id
  }
  tags = { Name = "t${var.n}" }
}
resource "aws_route_table_association" "t" {
  count          = 2
  subnet_id      = aws_subnet.a[count.index].id
  route_table_id = aws_route_table.t.id
}
resource "aws_default_security_group" "d" { vpc_id = aws_vpc.v.id }
resource "aws_security_group" "s" {
  vpc_id      = aws_vpc.v.id
  name        = "s"
  description = "inline"
  ingress {
    from_port        = 80
    to_port          = 80 + tonumber(var.n)
    protocol         = "tcp"
    cidr_blocks      = ["10.0.0.0/8"]
    ipv6_cidr_blocks = ["::/0"]
    description      = "web"
  }
  ingress {
    from_port = 0
    to_port   = 0
    protocol  = "-1"
    self      = true
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_ec2_managed_prefix_list" "p" {
  name           = "p${var.n}"
  address_family = "IPv4"
  max_entries    = 5
  entry {
    cidr        = "10.2.0.0/16"
    description = "x"
  }
  entry { cidr = "10.${2 + tonumber(var.n)}.0.0/16" }
}
resource "aws_security_group" "e" {
  name_prefix = "e-"
  vpc_id      = aws_vpc.v.id
}
resource "aws_vpc_security_group_ingress_rule" "e" {
  security_group_id = aws_security_group.e.id
  prefix_list_id    = aws_ec2_managed_prefix_list.p.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "d${var.n}"
}
resource "aws_vpc_security_group_ingress_rule" "r" {
  security_group_id            = aws_security_group.e.id
  referenced_security_group_id = aws_security_group.s.id
  ip_protocol                  = "-1"
}

resource "aws_network_interface" "i" {
  subnet_id       = aws_subnet.a[0].id
  private_ips     = ["10.0.0.50"]
  security_groups = [aws_security_group.s.id]
  description     = "i${var.n}"
}
resource "aws_default_network_acl" "d" {
  default_network_acl_id = aws_vpc.v.default_network_acl_id
  ingress {
    action     = "allow"
    from_port  = 0
    to_port    = 0
    protocol   = "-1"
    rule_no    = 100
    cidr_block = "0.0.0.0/0"
  }
  ingress {
    action          = "allow"
    from_port       = 0
    to_port         = 0
    protocol        = "-1"
    rule_no         = 101
    ipv6_cidr_block = "::/0"
  }
  egress {
    action     = "allow"
    from_port  = 0
    to_port    = 0
    protocol   = "-1"
    rule_no    = 100
    cidr_block = "0.0.0.0/0"
  }
  lifecycle { ignore_changes = [subnet_ids] }
}
resource "aws_default_route_table" "d" {
  default_route_table_id = aws_vpc.v.default_route_table_id
  tags                   = { Name = "d${var.n}" }
}
resource "aws_key_pair" "k" {
  key_name   = "k"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEhTAZ4cDnVZ1Mr3dJNjR0D2M2R0OnQ3DqsSbS1N3bGf"
}
resource "aws_vpc_dhcp_options" "d" { domain_name_servers = ["AmazonProvidedDNS"] }
resource "aws_vpc_dhcp_options_association" "d" {
  vpc_id          = aws_vpc.v.id
  dhcp_options_id = aws_vpc_dhcp_options.d.id
}

# s3
resource "aws_s3_bucket" "b" {
  bucket        = "companions-of-vpc-lattice"
  force_destroy = true
  tags          = { n = var.n }
}
resource "aws_s3_bucket_versioning" "b" {
  bucket = aws_s3_bucket.b.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_bucket_public_access_block" "b" {
  bucket                  = aws_s3_bucket.b.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = var.n == "1"
  restrict_public_buckets = true
}
resource "aws_s3_bucket_server_side_encryption_configuration" "b" {
  bucket = aws_s3_bucket.b.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.k.arn
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_ownership_controls" "b" {
  bucket = aws_s3_bucket.b.id
  rule { object_ownership = "BucketOwnerEnforced" }
}
resource "aws_s3_bucket_policy" "b" {
  bucket = aws_s3_bucket.b.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "s${var.n}", Effect = "Allow", Principal = { AWS = data.aws_caller_identity.me.account_id }, Action = "s3:GetObject", Resource = "${aws_s3_bucket.b.arn}/*" }] })
}
resource "aws_s3_bucket_cors_configuration" "b" {
  bucket = aws_s3_bucket.b.id
  cors_rule {
    allowed_methods = ["GET"]
    allowed_origins = ["https://x.example"]
  }
}
resource "aws_s3_object" "o" {
  bucket       = aws_s3_bucket.b.id
  key          = "dir/o.txt"
  content      = "hello ${var.n}"
  content_type = "text/plain"
  depends_on   = [aws_s3_bucket_versioning.b]
}

resource "aws_s3_object" "code" {
  bucket         = aws_s3_bucket.b.id
  key            = "code.zip"
  content_base64 = "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==" # an empty zip
  depends_on     = [aws_s3_bucket_versioning.b]
}
resource "aws_s3_bucket_lifecycle_configuration" "b" {
  bucket = aws_s3_bucket.b.id
  rule {
    id     = "old"
    status = "Enabled"
    filter { prefix = "log/" }
    expiration { days = 30 + tonumber(var.n) }
  }
}

# kms
resource "aws_kms_key" "k" {
  description             = "k${var.n}"
  enable_key_rotation     = var.n == "2"
  deletion_window_in_days = 7
}
resource "aws_kms_alias" "k" {
  name          = "alias/k"
  target_key_id = aws_kms_key.k.key_id
}

# iam
resource "aws_iam_role" "r" {
  name                 = "companions"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  description          = "r${var.n}"
  max_session_duration = 7200
}
resource "aws_iam_group" "g" { name = "g${var.n}" }
resource "aws_iam_user" "u" {
  name          = "u${var.n}"
  force_destroy = true
}
resource "aws_iam_user_group_membership" "m" {
  user   = aws_iam_user.u.name
  groups = [aws_iam_group.g.name]
}
resource "aws_iam_group_policy" "g" {
  group  = aws_iam_group.g.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "vpc-lattice:*", Resource = "*" }] })
}
resource "aws_iam_access_key" "k" { user = aws_iam_user.u.name }
resource "aws_iam_policy" "p" {
  name   = "p"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:Get${var.n == "1" ? "Object" : "*"}", Resource = "*" }] })
}
resource "aws_iam_user_policy_attachment" "p" {
  user       = aws_iam_user.u.name
  policy_arn = aws_iam_policy.p.arn
}
resource "aws_iam_account_alias" "a" { account_alias = "trellis-companions" }
resource "aws_iam_account_password_policy" "p" { minimum_password_length = 12 }
resource "aws_iam_service_linked_role" "l" { aws_service_name = "vpc-lattice.amazonaws.com" }

# route53
resource "aws_route53_zone" "z" {
  name    = "companions.internal"
  comment = "c${var.n}"
  vpc { vpc_id = aws_vpc.v.id }
}
resource "aws_route53_record" "a" {
  zone_id = aws_route53_zone.z.id
  name    = "a.companions.internal"
  type    = "A"
  ttl     = 60
  records = ["10.0.0.${var.n}"]
}
resource "aws_route53_record" "w" {
  count          = 2
  zone_id        = aws_route53_zone.z.id
  name           = "w"
  type           = "CNAME"
  ttl            = 60
  set_identifier = "s${count.index}"
  weighted_routing_policy { weight = 10 * (count.index + 1) }
  records = ["a${count.index}.companions.internal"]
}
resource "aws_route53_record" "t" {
  zone_id = aws_route53_zone.z.id
  name    = "t"
  type    = "TXT"
  ttl     = 60
  records = ["v=spf1 quoted ${var.n}", "two"]
}

# ssm
resource "aws_ssm_parameter" "p" {
  name  = "/companions/p"
  type  = "String"
  value = "v${var.n}"
}
resource "aws_ssm_parameter" "s" {
  name   = "/companions/s"
  type   = "SecureString"
  key_id = aws_kms_alias.k.name
  value  = "secret${var.n}"
}
resource "aws_ssm_parameter" "l" {
  name  = "/companions/l"
  type  = "StringList"
  value = "a,b,${var.n}"
}

# cloudwatch
resource "aws_cloudwatch_metric_alarm" "a" {
  alarm_name          = "a"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 2
  metric_name         = "HTTPCode_5XX_Count"
  namespace           = "AWS/VpcLattice"
  period              = 60
  statistic           = "Sum"
  threshold           = tonumber(var.n)
  dimensions          = { Service = "svc-1" }
}
resource "aws_cloudwatch_metric_alarm" "e" {
  alarm_name          = "e"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  threshold           = 1
  metric_query {
    id          = "r"
    expression  = "a/b"
    return_data = true
  }
  metric_query {
    id = "a"
    metric {
      metric_name = "x"
      namespace   = "y"
      period      = 60
      stat        = "Sum"
    }
  }
  metric_query {
    id = "b"
    metric {
      metric_name = "z"
      namespace   = "y"
      period      = 60
      stat        = "p99"
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "c" {
  alarm_name = "c"
  alarm_rule = "ALARM(${aws_cloudwatch_metric_alarm.a.alarm_name}) OR ALARM(${aws_cloudwatch_metric_alarm.e.alarm_name})"
}
resource "aws_cloudwatch_dashboard" "d" {
  dashboard_name = "d"
  dashboard_body = jsonencode({ widgets = [{ type = "text", x = 0, y = 0, width = 3, height = 3, properties = { markdown = "hi ${var.n}" } }] })
}

# logs
resource "aws_cloudwatch_log_group" "l" {
  name              = "/companions/l"
  retention_in_days = var.n == "1" ? 7 : 14
  kms_key_id        = aws_kms_key.k.arn
}
resource "aws_cloudwatch_log_stream" "s" {
  name           = "s"
  log_group_name = aws_cloudwatch_log_group.l.name
}

resource "aws_cloudwatch_log_resource_policy" "p" {
  policy_name     = "p"
  policy_document = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "delivery.logs.amazonaws.com" }, Action = ["logs:PutLogEvents"], Resource = "*" }] })
}
resource "aws_cloudwatch_log_metric_filter" "f" {
  name           = "f"
  pattern        = "ERROR"
  log_group_name = aws_cloudwatch_log_group.l.name
  metric_transformation {
    name      = "n"
    namespace = "ns"
    value     = var.n
  }
}

# firehose
resource "aws_kinesis_firehose_delivery_stream" "f" {
  name        = "f"
  destination = "extended_s3"
  extended_s3_configuration {
    role_arn           = aws_iam_role.r.arn
    bucket_arn         = aws_s3_bucket.b.arn
    prefix             = "p${var.n}/"
    buffering_interval = 60
    compression_format = "GZIP"
  }
}

# eks
resource "aws_eks_cluster" "c" {
  name     = "c"
  role_arn = aws_iam_role.r.arn
  tags     = { "trellis:oidc-issuer" = "https://oidc.example.com/id/ABC" }
  vpc_config { subnet_ids = aws_subnet.a[*].id }
}
resource "aws_eks_pod_identity_association" "a" {
  cluster_name    = aws_eks_cluster.c.name
  namespace       = "default"
  service_account = "sa"
  role_arn        = aws_iam_role.r.arn
}

# organizations, ram
data "aws_organizations_organization" "o" {} # which make up has made
resource "aws_organizations_organizational_unit" "u" {
  name      = "ou${var.n}"
  parent_id = data.aws_organizations_organization.o.roots[0].id
}
resource "aws_organizations_account" "a" {
  name              = "team"
  email             = "team@example.com"
  close_on_deletion = true
  role_name         = "OrganizationAccountAccessRole"
  lifecycle { ignore_changes = [role_name] }
}
resource "aws_organizations_policy" "scp" {
  name        = "scp${var.n}"
  description = "d"
  content     = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = "vpc-lattice:DeleteService", Resource = "*" }] })
}
resource "aws_organizations_policy" "rcp" {
  name    = "rcp"
  type    = "RESOURCE_CONTROL_POLICY"
  content = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Principal = "*", Action = "s3:*", Resource = "*", Condition = { StringNotEqualsIfExists = { "aws:PrincipalOrgID" = data.aws_organizations_organization.o.id } } }] })
}
resource "aws_organizations_policy_attachment" "a" {
  policy_id = aws_organizations_policy.scp.id
  target_id = aws_organizations_organizational_unit.u.id
}
resource "aws_organizations_delegated_administrator" "d" {
  account_id        = aws_organizations_account.a.id
  service_principal = "ram.amazonaws.com"
}
resource "aws_ram_sharing_with_organization" "s" {}

# elbv2
resource "aws_lb" "l" {
  name               = "l"
  internal           = true
  load_balancer_type = "application"
  subnets            = aws_subnet.a[*].id
  security_groups    = [aws_security_group.s.id]
  idle_timeout       = 60 + tonumber(var.n)
}
resource "aws_lb_target_group" "t" {
  name        = "t"
  port        = 80
  protocol    = "HTTP"
  vpc_id      = aws_vpc.v.id
  target_type = "ip"
  health_check { path = "/h${var.n}" }
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 60
  }
}
resource "aws_lb_target_group_attachment" "t" {
  target_group_arn = aws_lb_target_group.t.arn
  target_id        = "10.0.0.10"
  port             = 8080
}
resource "aws_lb_listener" "l" {
  load_balancer_arn = aws_lb.l.arn
  port              = 80
  default_action {
    type = "forward"
    forward {
      target_group { arn = aws_lb_target_group.t.arn }
      stickiness {
        duration = 60
        enabled  = true
      }
    }
  }
}
resource "aws_lb_listener_rule" "r" {
  listener_arn = aws_lb_listener.l.arn
  priority     = 10 * tonumber(var.n)
  action {
    type = "redirect"
    redirect {
      path        = "/x"
      status_code = "HTTP_301"
    }
  }
  condition {
    path_pattern { values = ["/a${var.n}/*"] }
  }
  condition {
    http_header {
      http_header_name = "X-A"
      values           = ["b"]
    }
  }
}

# lambda
resource "aws_iam_role" "f" {
  name               = "f"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }] })
}
resource "aws_lambda_function" "f" {
  function_name = "f"
  role          = aws_iam_role.f.arn
  s3_bucket     = aws_s3_bucket.b.id
  s3_key        = aws_s3_object.code.key
  handler       = "h.handler"
  runtime       = "python3.12"
  timeout       = 3 + tonumber(var.n)
  publish       = true
  environment { variables = { AA = var.n } }
  vpc_config {
    subnet_ids         = aws_subnet.a[*].id
    security_group_ids = [aws_security_group.s.id]
  }
  reserved_concurrent_executions = 5
}
resource "aws_lambda_alias" "a" {
  name             = "live"
  function_name    = aws_lambda_function.f.function_name
  function_version = aws_lambda_function.f.version
}
resource "aws_lambda_permission" "p" {
  statement_id  = "s"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.f.function_name
  principal     = "vpc-lattice.amazonaws.com"
  qualifier     = aws_lambda_alias.a.name
}

# vpc-lattice, as far as these are its targets and ways into it
resource "aws_vpclattice_target_group" "fn" {
  name = "fnn"
  type = "LAMBDA"
  config { lambda_event_structure_version = "V2" }
}
resource "aws_vpclattice_target_group_attachment" "fn" {
  target_group_identifier = aws_vpclattice_target_group.fn.id
  target { id = aws_lambda_alias.a.arn }
}
resource "aws_vpclattice_target_group" "alb" {
  name = "alb"
  type = "ALB"
  config {
    vpc_identifier   = aws_vpc.v.id
    port             = 80
    protocol         = "HTTP"
    protocol_version = "HTTP1"
  }
}
resource "aws_vpclattice_target_group_attachment" "alb" {
  target_group_identifier = aws_vpclattice_target_group.alb.id
  target {
    id   = aws_lb.l.arn
    port = 80
  }
  depends_on = [aws_lb_listener.l]
}
resource "aws_vpclattice_service_network" "n" { name = "net" }
resource "aws_vpc_endpoint" "sn" {
  vpc_id              = aws_vpc.v.id
  vpc_endpoint_type   = "ServiceNetwork"
  service_network_arn = aws_vpclattice_service_network.n.arn
  subnet_ids          = [aws_subnet.a[0].id]
  security_group_ids  = [aws_security_group.s.id]
}

# what is only read, and an instance
data "aws_servicequotas_service_quota" "q" {
  service_code = "vpc-lattice"
  quota_name   = "Service networks per Region"
}
data "aws_ami" "a" {
  most_recent = true
  owners      = ["self", "amazon"]
}
resource "aws_instance" "i" {
  ami                    = data.aws_ami.a.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.a[1].id
  vpc_security_group_ids = [aws_security_group.s.id]
  user_data              = "#!/bin/sh"
  tags                   = { Name = "i${var.n}" }
}
data "aws_vpc" "v" {
  filter {
    name   = "tag:Name"
    values = ["v${var.n}"]
  }
  depends_on = [aws_vpc.v]
}
data "aws_subnets" "s" {
  filter {
    name   = "vpc-id"
    values = [aws_vpc.v.id]
  }
  depends_on = [aws_subnet.a]
}
data "aws_vpclattice_service_network" "n" { service_network_identifier = aws_vpclattice_service_network.n.id }
data "aws_lb" "l" { arn = aws_lb.l.arn }
data "aws_iam_role" "f" { name = aws_iam_role.f.name }
data "aws_lambda_function" "f" { function_name = aws_lambda_function.f.function_name }
data "aws_regions" "all" {}
data "aws_availability_zone" "z" { name = data.aws_availability_zones.z.names[0] }

data "aws_security_groups" "s" {
  filter {
    name   = "vpc-id"
    values = [aws_vpc.v.id]
  }
}
data "aws_route_tables" "r" { vpc_id = aws_vpc.v.id }
data "aws_ec2_instance_type" "t" { instance_type = "t3.micro" }
