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

// publicServices are the services that Trellis has, as global-infrastructure names them; package api/every tests that they are all.
var publicServices = []string{"accessanalyzer", "acm", "cloudtrail", "cloudwatch", "ec2", "eks", "eks-auth", "elb", "firehose", "iam", "kms", "lambda", "logs", "organizations",
	"ram", "resourcegroupstaggingapi", "rolesanywhere", "route53", "s3", "servicequotas", "ssm", "sts", "vpc", "vpc-lattice"}

// PublicService tells whether a public parameter says that a service is there.
func PublicService(name string) bool { return slices.Contains(publicServices, name) }

// place is where a Region of AWS is, as global-infrastructure tells it.
type place struct {
	name        string
	country     string // ISO 3166-1
	subdivision string // ISO 3166-2; empty where no source tells it
}

// places are where AWS's Regions are (AWS's list of Regions; Systems Manager user guide, public parameters). A Region that AWS has
// not is nowhere.
var places = map[string]place{
	"af-south-1":     {"Africa (Cape Town)", "ZA", "ZA-WC"},
	"ap-east-1":      {"Asia Pacific (Hong Kong)", "HK", ""},
	"ap-east-2":      {"Asia Pacific (Taipei)", "TW", "TW-TPE"},
	"ap-northeast-1": {"Asia Pacific (Tokyo)", "JP", "JP-13"},
	"ap-northeast-2": {"Asia Pacific (Seoul)", "KR", "KR-11"},
	"ap-northeast-3": {"Asia Pacific (Osaka)", "JP", "JP-27"},
	"ap-south-1":     {"Asia Pacific (Mumbai)", "IN", "IN-MH"},
	"ap-south-2":     {"Asia Pacific (Hyderabad)", "IN", "IN-TG"},
	"ap-southeast-1": {"Asia Pacific (Singapore)", "SG", ""},
	"ap-southeast-2": {"Asia Pacific (Sydney)", "AU", "AU-NSW"},
	"ap-southeast-3": {"Asia Pacific (Jakarta)", "ID", "ID-JK"},
	"ap-southeast-4": {"Asia Pacific (Melbourne)", "AU", "AU-VIC"},
	"ap-southeast-5": {"Asia Pacific (Malaysia)", "MY", ""},
	"ap-southeast-6": {"Asia Pacific (New Zealand)", "NZ", "NZ-AUK"},
	"ap-southeast-7": {"Asia Pacific (Thailand)", "TH", ""},
	"ca-central-1":   {"Canada (Central)", "CA", "CA-QC"},
	"ca-west-1":      {"Canada West (Calgary)", "CA", "CA-AB"},
	"eu-central-1":   {"Europe (Frankfurt)", "DE", "DE-HE"},
	"eu-central-2":   {"Europe (Zurich)", "CH", "CH-ZH"},
	"eu-north-1":     {"Europe (Stockholm)", "SE", "SE-AB"},
	"eu-south-1":     {"Europe (Milan)", "IT", "IT-25"},
	"eu-south-2":     {"Europe (Spain)", "ES", "ES-AR"},
	"eu-west-1":      {"Europe (Ireland)", "IE", "IE-D"},
	"eu-west-2":      {"Europe (London)", "GB", "GB-LND"},
	"eu-west-3":      {"Europe (Paris)", "FR", "FR-IDF"},
	"il-central-1":   {"Israel (Tel Aviv)", "IL", "IL-TA"},
	"me-central-1":   {"Middle East (UAE)", "AE", ""},
	"me-south-1":     {"Middle East (Bahrain)", "BH", ""},
	"mx-central-1":   {"Mexico (Central)", "MX", "MX-QUE"},
	"sa-east-1":      {"South America (Sao Paulo)", "BR", "BR-SP"},
	"us-east-1":      {"US East (N. Virginia)", "US", "US-VA"},
	"us-east-2":      {"US East (Ohio)", "US", "US-OH"},
	"us-west-1":      {"US West (N. California)", "US", "US-CA"},
	"us-west-2":      {"US West (Oregon)", "US", "US-OR"},
}

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
	if at, known := places[region]; known {
		add(global+"regions/"+region+"/longName", at.name, "text")
		add(global+"regions/"+region+"/geolocationCountry", at.country, "text")
		if at.subdivision != "" {
			add(global+"regions/"+region+"/geolocationRegion", at.subdivision, "text")
		}
	}
	for _, z := range trellis.Zones(region) {
		add(global+"availability-zones/"+z.ID, z.ID, "text")
		add(global+"regions/"+region+"/availability-zones/"+z.ID, z.ID, "text")
	}
	for _, s := range publicServices {
		add(global+"services/"+s, s, "text")
		add(global+"regions/"+region+"/services/"+s, s, "text")
		add(global+"services/"+s+"/regions/"+region, region, "text")
	}
	slices.SortFunc(all, func(a, b *trellis.ParameterVersion) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
