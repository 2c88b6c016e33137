package parameter

import (
	"cmp"
	"slices"

	"github.com/trellis-project/trellis"
)

// publicImages are the public parameters that name images (Systems Manager user guide, public parameters): all name the one
// image that there is.
var publicImages = []string{
	"ami-amazon-linux-latest/al2023-ami-kernel-6.1-arm64", "ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
	"ami-amazon-linux-latest/al2023-ami-kernel-default-arm64", "ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
	"ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64", "ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64",
	"ami-amazon-linux-latest/amzn2-ami-hvm-arm64-gp2", "ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-ebs", "ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2",
	"ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-arm64-gp2", "ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-x86_64-gp2",
}

// publicServices are the services that Trellis has, as global-infrastructure names them.
var publicServices = []string{"acm", "cloudtrail", "cloudwatch", "ec2", "eks", "elb", "firehose", "iam", "kms", "logs", "organizations", "ram", "rolesanywhere", "servicequotas", "ssm", "sts", "vpc", "vpc-lattice"}

// publicRoot is what the names of public parameters begin with.
const publicRoot = "/aws/service/"

// public are the public parameters of a Region, by name. Nobody can change them.
func public(region string) []*trellis.ParameterVersion {
	var all []*trellis.ParameterVersion
	add := func(name, value, dataType string) {
		all = append(all, &trellis.ParameterVersion{Value: trellis.NewSecret(value),
			Parameter: trellis.Parameter{Meta: trellis.Meta{ID: publicRoot + name}, Type: trellis.ParameterString, Version: 1, DataType: dataType, Tier: "Standard"}})
	}
	for _, name := range publicImages {
		add(name, trellis.LabImage, "aws:ec2:image")
	}
	const global = "global-infrastructure/"
	add(global+"current-region", region, "text")
	add(global+"regions/"+region, region, "text")
	add(global+"regions/"+region+"/domain", "amazonaws.com", "text")
	add(global+"regions/"+region+"/partition", "aws", "text")
	for _, s := range publicServices {
		add(global+"services/"+s, s, "text")
		add(global+"regions/"+region+"/services/"+s, s, "text")
		add(global+"services/"+s+"/regions/"+region, region, "text")
	}
	slices.SortFunc(all, func(a, b *trellis.ParameterVersion) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
