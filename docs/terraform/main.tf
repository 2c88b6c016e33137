# Everything that VPC Lattice has, and what stands beside it, on a Trellis: see ../terraform.md.
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
  default     = "../../.trellis/credentials"
  description = "the file credentials of Trellis' data directory"
}

variable "n" {
  default     = "1"
  description = "another value changes whatever can be changed in place"
}

provider "aws" {
  region                   = "eu-west-1"
  shared_credentials_files = [var.credentials]
  default_tags { tags = { estate = "terraform" } }
  s3_use_path_style = true
  endpoints {
    acm            = var.trellis
    cloudwatchlogs = var.trellis
    ec2            = var.trellis
    elbv2          = var.trellis
    firehose       = var.trellis
    iam            = var.trellis
    kms            = var.trellis
    lambda         = var.trellis
    ram            = var.trellis
    route53        = var.trellis
    s3             = var.trellis
    ssm            = var.trellis
    sts            = var.trellis
    vpclattice     = var.trellis
  }
}

data "aws_availability_zones" "z" { state = "available" }
data "aws_caller_identity" "me" {}
data "aws_ec2_managed_prefix_list" "lattice" { name = "com.amazonaws.eu-west-1.vpc-lattice" }
resource "aws_vpc" "v" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "v${var.n}" }
}
resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.v.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = data.aws_availability_zones.z.names[0]
}
resource "aws_security_group" "s" {
  vpc_id = aws_vpc.v.id
  name   = "clients"
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/16"]
  }
  ingress {
    from_port       = 8080
    to_port         = 8080
    protocol        = "tcp"
    prefix_list_ids = [data.aws_ec2_managed_prefix_list.lattice.id]
  }
}
resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.s.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}
data "aws_ami" "any" {
  most_recent = true
  owners      = ["amazon", "self"]
}
resource "aws_instance" "i" {
  ami                    = data.aws_ami.any.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.a.id
  vpc_security_group_ids = [aws_security_group.s.id]
  tags                   = { Name = "i${var.n}" }
}
resource "aws_vpclattice_service_network" "n" {
  name      = "mesh"
  auth_type = var.n == "1" ? "NONE" : "AWS_IAM"
  tags      = { empty = "", n = var.n }
}
resource "aws_vpclattice_service" "s" {
  name      = "orders"
  auth_type = "AWS_IAM"
  tags      = { n = var.n }
}
resource "aws_vpclattice_service" "custom" {
  name               = "custom"
  custom_domain_name = "orders.example.com"
  auth_type          = "NONE"
}
resource "aws_vpclattice_service_network_service_association" "a" {
  service_identifier         = aws_vpclattice_service.s.id
  service_network_identifier = aws_vpclattice_service_network.n.id
  tags                       = { n = var.n }
}
resource "aws_vpclattice_service_network_vpc_association" "v" {
  vpc_identifier             = aws_vpc.v.id
  service_network_identifier = aws_vpclattice_service_network.n.id
  security_group_ids         = [aws_security_group.s.id]
}
resource "aws_vpclattice_target_group" "ip" {
  name = "ips"
  type = "IP"
  config {
    vpc_identifier   = aws_vpc.v.id
    port             = 8080
    protocol         = "HTTP"
    protocol_version = "HTTP1"
    health_check {
      enabled                       = true
      health_check_interval_seconds = var.n == "1" ? 20 : 25
      health_check_timeout_seconds  = 10
      healthy_threshold_count       = 7
      unhealthy_threshold_count     = 3
      matcher { value = "200-299" }
      path             = "/instance"
      port             = 80
      protocol         = "HTTP"
      protocol_version = "HTTP1"
    }
  }
}
resource "aws_vpclattice_target_group" "instance" {
  name = "instances"
  type = "INSTANCE"
  config {
    vpc_identifier = aws_vpc.v.id
    port           = 8080
    protocol       = "HTTP"
  }
}
resource "aws_vpclattice_target_group" "lambda" {
  name = "lambda"
  type = "LAMBDA"
}
resource "aws_vpclattice_target_group" "alb" {
  name = "alb"
  type = "ALB"
  config {
    vpc_identifier   = aws_vpc.v.id
    port             = 443
    protocol         = "HTTPS"
    protocol_version = "HTTP1"
  }
}
resource "aws_vpclattice_target_group_attachment" "i" {
  target_group_identifier = aws_vpclattice_target_group.instance.id
  target {
    id   = aws_instance.i.id
    port = 8080
  }
}
resource "aws_vpclattice_target_group_attachment" "ip" {
  target_group_identifier = aws_vpclattice_target_group.ip.id
  target { id = "10.0.1.77" }
}
resource "aws_vpclattice_listener" "http" {
  name               = "http"
  protocol           = "HTTP"
  service_identifier = aws_vpclattice_service.s.id
  default_action {
    forward {
      target_groups {
        target_group_identifier = aws_vpclattice_target_group.ip.id
        weight                  = var.n == "1" ? 100 : 90
      }
      dynamic "target_groups" {
        for_each = var.n == "1" ? [] : [1]
        content {
          target_group_identifier = aws_vpclattice_target_group.instance.id
          weight                  = 10
        }
      }
    }
  }
}
resource "aws_vpclattice_listener" "https" {
  name               = "https"
  protocol           = "HTTPS"
  service_identifier = aws_vpclattice_service.custom.id
  default_action {
    fixed_response { status_code = 404 }
  }
}
resource "aws_vpclattice_listener_rule" "r" {
  name                = "canary"
  listener_identifier = aws_vpclattice_listener.http.listener_id
  service_identifier  = aws_vpclattice_service.s.id
  priority            = 20
  match {
    http_match {
      method = "GET"
      header_matches {
        name           = "x-release"
        case_sensitive = false
        match { exact = "canary" }
      }
      path_match {
        case_sensitive = true
        match { prefix = "/v${var.n}" }
      }
    }
  }
  action {
    forward {
      target_groups {
        target_group_identifier = aws_vpclattice_target_group.instance.id
        weight                  = 1
      }
      target_groups {
        target_group_identifier = aws_vpclattice_target_group.ip.id
        weight                  = 2
      }
    }
  }
}
resource "aws_vpclattice_listener_rule" "fixed" {
  name                = "fixed"
  listener_identifier = aws_vpclattice_listener.http.listener_id
  service_identifier  = aws_vpclattice_service.s.id
  priority            = 40
  match {
    http_match {
      path_match {
        case_sensitive = false
        match { exact = "/gone" }
      }
    }
  }
  action {
    fixed_response { status_code = 404 }
  }
}
resource "aws_vpclattice_auth_policy" "s" {
  resource_identifier = aws_vpclattice_service.s.arn
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Action = "*", Effect = "Allow", Principal = "*", Resource = "*",
  Condition = { StringNotEqualsIgnoreCase = { "aws:PrincipalType" = var.n == "1" ? "anonymous" : "Anonymous" } } }] })
}
resource "aws_vpclattice_resource_policy" "n" {
  resource_arn = aws_vpclattice_service_network.n.arn
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "test", Effect = "Allow", Principal = { AWS = "arn:aws:iam::444455556666:root" },
  Action = ["vpc-lattice:CreateServiceNetworkVpcAssociation", "vpc-lattice:CreateServiceNetworkServiceAssociation", "vpc-lattice:GetServiceNetwork"], Resource = aws_vpclattice_service_network.n.arn }] })
}
resource "aws_cloudwatch_log_group" "l" {
  name              = "/lattice/orders"
  retention_in_days = var.n == "1" ? 7 : 14
}
resource "aws_vpclattice_access_log_subscription" "l" {
  resource_identifier = aws_vpclattice_service_network.n.id
  destination_arn     = aws_cloudwatch_log_group.l.arn
}
resource "aws_vpclattice_access_log_subscription" "s" {
  resource_identifier = aws_vpclattice_service.s.id
  destination_arn     = "${aws_cloudwatch_log_group.l.arn}:*"
}
resource "aws_vpclattice_resource_gateway" "g" {
  name               = "gateway"
  vpc_id             = aws_vpc.v.id
  subnet_ids         = [aws_subnet.a.id]
  security_group_ids = [aws_security_group.s.id]
  ip_address_type    = "IPV4"
  tags               = { n = var.n }
}
resource "aws_vpclattice_resource_configuration" "c" {
  name                        = "database"
  resource_gateway_identifier = aws_vpclattice_resource_gateway.g.id
  port_ranges                 = var.n == "1" ? ["5432"] : ["5432", "6432"]
  protocol                    = "TCP"
  resource_configuration_definition {
    ip_resource { ip_address = "10.0.1.99" }
  }
  allow_association_to_shareable_service_network = true
}
resource "aws_vpclattice_resource_configuration" "dns" {
  name                        = "dns"
  resource_gateway_identifier = aws_vpclattice_resource_gateway.g.id
  port_ranges                 = ["80"]
  protocol                    = "TCP"
  resource_configuration_definition {
    dns_resource {
      domain_name     = "db.example.com"
      ip_address_type = "IPV4"
    }
  }
  allow_association_to_shareable_service_network = true
}
resource "aws_vpclattice_service_network_resource_association" "r" {
  resource_configuration_identifier = aws_vpclattice_resource_configuration.c.id
  service_network_identifier        = aws_vpclattice_service_network.n.id
  tags                              = { n = var.n }
}
resource "aws_ram_resource_share" "s" {
  name                      = "mesh"
  allow_external_principals = var.n != "1"
  permission_arns           = ["arn:aws:ram::aws:permission/AWSRAMPermissionVpcLatticeServiceNetworkVpcAssociation"]
}
resource "aws_ram_resource_association" "n" {
  resource_arn       = aws_vpclattice_service_network.n.arn
  resource_share_arn = aws_ram_resource_share.s.arn
}
resource "aws_iam_role" "r" {
  name               = "checkout"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }] })
  tags               = { n = var.n }
}
resource "aws_iam_role_policy" "p" {
  name   = "invoke"
  role   = aws_iam_role.r.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "vpc-lattice-svcs:Invoke", Resource = "*" }] })
}
resource "aws_iam_policy" "m" {
  name   = "managed"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "vpc-lattice:Get*", Resource = "*", Sid = "v${var.n}" }] })
}
resource "aws_iam_role_policy_attachment" "a" {
  role       = aws_iam_role.r.name
  policy_arn = aws_iam_policy.m.arn
}
resource "aws_iam_instance_profile" "p" {
  name = "checkout"
  role = aws_iam_role.r.name
}
resource "aws_iam_user" "u" { name = "u" }
resource "aws_iam_openid_connect_provider" "o" {
  url             = "https://oidc.example.com"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"]
}
resource "aws_route53_zone" "z" {
  name = "example.com"
  vpc { vpc_id = aws_vpc.v.id }
}
resource "aws_route53_record" "alias" {
  zone_id = aws_route53_zone.z.zone_id
  name    = "shop.example.com"
  type    = "A"
  alias {
    name                   = aws_vpclattice_service.s.dns_entry[0].domain_name
    zone_id                = aws_vpclattice_service.s.dns_entry[0].hosted_zone_id
    evaluate_target_health = false
  }
}
resource "aws_route53_record" "c" {
  zone_id = aws_route53_zone.z.zone_id
  name    = "www"
  type    = "CNAME"
  ttl     = var.n == "1" ? 60 : 120
  records = ["shop.example.com"]
}
resource "aws_acm_certificate" "c" {
  domain_name       = "orders.example.com"
  validation_method = "DNS"
}
resource "aws_kms_key" "k" {
  description         = "k${var.n}"
  enable_key_rotation = var.n != "1"
}
resource "aws_kms_alias" "k" {
  name          = "alias/orders"
  target_key_id = aws_kms_key.k.key_id
}
data "aws_vpclattice_service" "s" {
  name       = aws_vpclattice_service.s.name
  depends_on = [aws_vpclattice_service.s]
}
data "aws_vpclattice_service_network" "n" {
  service_network_identifier = aws_vpclattice_service_network.n.id
}
data "aws_vpclattice_listener" "l" {
  service_identifier  = aws_vpclattice_service.s.id
  listener_identifier = aws_vpclattice_listener.http.listener_id
}
data "aws_vpclattice_auth_policy" "s" {
  resource_identifier = aws_vpclattice_auth_policy.s.resource_identifier
}
data "aws_vpclattice_resource_policy" "n" {
  resource_arn = aws_vpclattice_resource_policy.n.resource_arn
}
