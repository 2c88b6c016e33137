# All that Terraform says of an instance beside its network, on a Trellis: see ../../terraform.md.
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
  endpoints {
    ec2 = var.trellis
    iam = var.trellis
    kms = var.trellis
    sts = var.trellis
  }
}

locals { first = var.n == "1" }

resource "aws_vpc" "v" {
  cidr_block                       = "10.0.0.0/16"
  assign_generated_ipv6_cidr_block = true
}
resource "aws_subnet" "a" {
  vpc_id          = aws_vpc.v.id
  cidr_block      = "10.0.1.0/24"
  ipv6_cidr_block = cidrsubnet(aws_vpc.v.ipv6_cidr_block, 8, 0)
}
resource "aws_security_group" "s" {
  count  = 2
  vpc_id = aws_vpc.v.id
  name   = "s${count.index}"
}
resource "aws_kms_key" "k" {
  description             = "disks"
  deletion_window_in_days = 7
}

resource "aws_key_pair" "till" {
  key_name   = "till"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO7VVYCYl7KdPRSMnYFZBa9Epi0zdKVJe7D+KgFFYBdB till"
}

# What the account says of the metadata options of instances whose launch says nothing.
resource "aws_ec2_instance_metadata_defaults" "d" {
  http_tokens                 = local.first ? "required" : "optional"
  http_put_response_hop_limit = local.first ? 2 : 3
  instance_metadata_tags      = local.first ? "no-preference" : "enabled"
}

resource "aws_instance" "plain" {
  ami           = "ami-0123456789abcdef0"
  instance_type = local.first ? "t3.micro" : "m5.large"
  subnet_id     = aws_subnet.a.id
}

resource "aws_instance" "full" {
  ami                                  = "ami-0123456789abcdef0"
  instance_type                        = "t3.micro"
  subnet_id                            = aws_subnet.a.id
  availability_zone                    = aws_subnet.a.availability_zone
  vpc_security_group_ids               = [aws_security_group.s[local.first ? 0 : 1].id]
  secondary_private_ips                = local.first ? ["10.0.1.51", "10.0.1.52"] : ["10.0.1.50"]
  ipv6_address_count                   = 1
  source_dest_check                    = !local.first
  disable_api_termination              = !local.first
  instance_initiated_shutdown_behavior = local.first ? "terminate" : "stop"
  monitoring                           = local.first
  ebs_optimized                        = true
  user_data                            = "#!/bin/sh\necho ${var.n}\n"
  key_name                             = aws_key_pair.till.key_name
  tenancy                              = "default"
  credit_specification { cpu_credits = local.first ? "standard" : "unlimited" }
  metadata_options {
    http_tokens                 = local.first ? "optional" : "required"
    http_put_response_hop_limit = local.first ? 3 : 1
    http_protocol_ipv6          = local.first ? "enabled" : "disabled"
    instance_metadata_tags      = local.first ? "enabled" : "disabled"
  }
  maintenance_options { auto_recovery = local.first ? "disabled" : "default" }
  private_dns_name_options {
    hostname_type                        = "ip-name"
    enable_resource_name_dns_a_record    = !local.first
    enable_resource_name_dns_aaaa_record = local.first
  }
  capacity_reservation_specification { capacity_reservation_preference = "open" }
  tags = { Name = "full${var.n}" }
}

resource "aws_instance" "off" {
  ami              = "ami-0123456789abcdef0"
  instance_type    = "m5.large"
  subnet_id        = aws_subnet.a.id
  disable_api_stop = !local.first
  user_data_base64 = base64encode("\u0001\u0002")
  metadata_options { http_endpoint = local.first ? "disabled" : "enabled" }
  private_dns_name_options { hostname_type = "resource-name" }
}

resource "aws_instance" "disks" {
  ami           = "ami-0123456789abcdef0"
  instance_type = "t3.micro"
  subnet_id     = aws_subnet.a.id
  root_block_device {
    volume_size           = 10
    iops                  = local.first ? 3000 : 4000
    throughput            = local.first ? 125 : 250
    encrypted             = true
    kms_key_id            = aws_kms_key.k.arn
    delete_on_termination = local.first
    tags                  = { of = "root${var.n}" }
  }
  ebs_block_device {
    device_name = "/dev/sdf"
    volume_size = 9
    tags        = { of = "data" }
  }
}
resource "aws_instance" "tagged" {
  ami           = "ami-0123456789abcdef0"
  instance_type = "t3.micro"
  subnet_id     = aws_subnet.a.id
  volume_tags   = { of = "all${var.n}" }
}
resource "aws_ebs_volume" "v" {
  availability_zone = aws_subnet.a.availability_zone
  size              = 20
  type              = local.first ? "gp2" : "io2"
  iops              = local.first ? null : 500
  tags              = { n = var.n }
}
resource "aws_volume_attachment" "va" {
  device_name = "/dev/sdg"
  volume_id   = aws_ebs_volume.v.id
  instance_id = aws_instance.full.id
}
