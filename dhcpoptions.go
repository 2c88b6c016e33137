package trellis

import "slices"

// DHCPOptions is what instances of a VPC are told about their network. Their domain and name servers go into the instances'
// /etc/resolv.conf; nothing here asks the others, which are kept and shown. Those that an account is born with are stored only once
// somebody tags them.
type DHCPOptions struct {
	Meta
	Options []DHCPOption `json:"options"`
}

// DHCPOption is one option by its name, for example domain-name-servers.
type DHCPOption struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// The options that decide something, and the value of domain-name-servers that stands for the VPC's own resolver.
const (
	DHCPDomainName    = "domain-name"
	DHCPNameServers   = "domain-name-servers"
	AmazonProvidedDNS = "AmazonProvidedDNS"
)

// NoDHCPOptions is the DHCPOptionsID of a VPC whose instances are told nothing.
const NoDHCPOptions = "default"

// BornDHCPOptions are the options that every account is born with: the Region's private domain and the VPC's own resolver.
func BornDHCPOptions(region string) []DHCPOption {
	return []DHCPOption{{DHCPDomainName, []string{PrivateDomain(region)}}, {DHCPNameServers, []string{AmazonProvidedDNS}}}
}

// PrivateDomain is the domain of the private names of a Region's instances.
func PrivateDomain(region string) string {
	if region == "us-east-1" {
		return "ec2.internal"
	}
	return region + ".compute.internal"
}

// DHCPValues are the values of an option, none when it is not set.
func DHCPValues(options []DHCPOption, key string) []string {
	if i := slices.IndexFunc(options, func(o DHCPOption) bool { return o.Key == key }); i >= 0 {
		return options[i].Values
	}
	return nil
}

// Kind is KindDHCPOptions.
func (*DHCPOptions) Kind() Kind { return KindDHCPOptions }

// ARN is arn:aws:ec2:region:account:dhcp-options/dopt-….
func (o *DHCPOptions) ARN(region string) string {
	return EC2ARN(region, o.Account, "dhcp-options/"+o.ID)
}
