package controlplane

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// NewResourceConfiguration is what CreateResourceConfiguration asks for.
type NewResourceConfiguration struct {
	Name             string
	Type             trellis.ConfigurationType
	Gateway          string // identifier; of a child it is the group's
	Group            string // identifier, of a child
	Protocol         string // TCP when empty
	PortRanges       []string
	Definition       *ResourceDefinition
	AllowShareable   *bool
	CustomDomainName string
	GroupDomain      string
	Verification     string // identifier of a domain verification
	Tags             map[string]string
}

// ResourceDefinition says where a resource is: exactly one of DomainName, Address, ARN and CIDRs.
type ResourceDefinition struct {
	DomainName    string
	IPAddressType trellis.IPAddressType // of DomainName, IPV4 when empty
	Address       string
	ARN           string
	CIDRs         []string
}

// complete checks a new configuration for its type, names all bad fields, and fills in the defaults.
func (in *NewResourceConfiguration) complete() error {
	switch in.Type {
	case trellis.SingleConfiguration, trellis.GroupConfiguration, trellis.ChildConfiguration:
	case "ARN":
		return in.refuseARN()
	case "CIDR":
		return field("type", "type CIDR is reached through tunnel endpoints alone, which are not served.")
	default:
		return field("type", "type must be GROUP, CHILD or SINGLE.")
	}
	if err := in.unexpected(); err != nil {
		return err
	}
	in.CustomDomainName, in.GroupDomain = plainDomain(in.CustomDomainName), plainDomain(in.GroupDomain)
	err := errors.Join(validName("name", in.Name, "rcfg-", 3, 40), validCustomDomain("customDomainName", in.CustomDomainName),
		validCustomDomain("groupDomain", in.GroupDomain), validProtocol(in.Protocol), validPorts(in.PortRanges))
	require := func(given bool, name string) {
		if !given {
			err = errors.Join(err, field(name, name+" is required for type "+string(in.Type)+"."))
		}
	}
	if in.Type == trellis.ChildConfiguration {
		require(in.Group != "", "resourceConfigurationGroupIdentifier")
	} else {
		require(in.Gateway != "", "resourceGatewayIdentifier")
	}
	if in.Type != trellis.GroupConfiguration {
		require(in.Definition != nil, "resourceConfigurationDefinition")
	}
	if in.Type == trellis.SingleConfiguration {
		require(len(in.PortRanges) > 0, "portRanges")
	}
	if in.Definition != nil {
		err = errors.Join(err, in.Definition.complete())
	}
	if in.Verification != "" && in.CustomDomainName == "" && in.GroupDomain == "" {
		err = errors.Join(err, field("domainVerificationIdentifier", "domainVerificationIdentifier needs a customDomainName or groupDomain."))
	}
	return firstError(err)
}

// refuseARN checks the ARN of a database, the only kind that AWS takes, and says that no database runs here by an ARN:
// nothing could be reached.
func (in *NewResourceConfiguration) refuseARN() error {
	const name = "resourceConfigurationDefinition.arnResource.arn"
	if in.Definition == nil || in.Definition.ARN == "" {
		return field(name, "arnResource is required for type ARN.")
	}
	a, err := trellis.ParseARN(in.Definition.ARN)
	if err != nil || a.Service != "rds" || !strings.HasPrefix(a.Resource, "db:") && !strings.HasPrefix(a.Resource, "cluster:") {
		return field(name, "arnResource must be the ARN of an Amazon RDS database or cluster.")
	}
	return field(name, "The database "+in.Definition.ARN+" does not exist: databases of Amazon RDS are not served. Use type SINGLE with its domain name or address.")
}

// unexpected refuses attributes that configurations of a type do not have, in AWS's words.
func (in *NewResourceConfiguration) unexpected() error {
	single, group, child := trellis.SingleConfiguration, trellis.GroupConfiguration, trellis.ChildConfiguration
	for _, a := range []struct {
		name  string
		given bool
		of    []trellis.ConfigurationType
	}{
		{"resourceGatewayIdentifier", in.Gateway != "", []trellis.ConfigurationType{single, group}},
		{"resourceConfigurationGroupIdentifier", in.Group != "", []trellis.ConfigurationType{child}},
		{"protocol", in.Protocol != "", []trellis.ConfigurationType{single, group}},
		{"resourceConfigurationDefinition", in.Definition != nil, []trellis.ConfigurationType{single, child}},
		{"allowAssociationToShareableServiceNetwork", in.AllowShareable != nil, []trellis.ConfigurationType{single, group}},
		{"customDomainName", in.CustomDomainName != "", []trellis.ConfigurationType{single, child}},
		{"groupDomain", in.GroupDomain != "", []trellis.ConfigurationType{group}},
	} {
		if a.given && !slices.Contains(a.of, in.Type) {
			return trellis.InvalidOther("Unexpected attribute %s for type %s", a.name, in.Type)
		}
	}
	return nil
}

// noun is the configuration that a complete request asks for, without what it refers to. It may join shareable networks when
// the request says so (VPC Lattice API, CreateResourceConfiguration: the default is false; decision 6).
func (in *NewResourceConfiguration) noun() *trellis.ResourceConfiguration {
	m := &trellis.ResourceConfiguration{Name: in.Name, Type: in.Type, Protocol: trellis.ProtocolTCP, Ports: portRanges(in.PortRanges),
		AllowShareable: in.AllowShareable != nil && *in.AllowShareable, CustomDomainName: in.CustomDomainName, GroupDomain: in.GroupDomain}
	if in.Definition != nil {
		in.Definition.apply(m)
	}
	return m
}

// plainDomain is a domain name in small letters, without the dot at its end.
func plainDomain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// validProtocol checks the protocol of a configuration.
func validProtocol(protocol string) error {
	if protocol != "" && protocol != "TCP" {
		return field("protocol", "protocol must be TCP: DNS over UDP goes through tunnel endpoints alone, which are not served.")
	}
	return nil
}

// validPorts checks port ranges.
func validPorts(ranges []string) error {
	for _, s := range ranges {
		if _, err := trellis.ParsePortRange(s); err != nil {
			return field("portRanges", "portRanges: "+err.Error()+".")
		}
	}
	return nil
}

// portRanges reads port ranges that validPorts has seen.
func portRanges(ranges []string) (out []trellis.PortRange) {
	for _, s := range ranges {
		r, err := trellis.ParsePortRange(s)
		if err == nil && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// privateBlocks are where the IPv4 addresses of resources are (VPC Lattice user guide, resource-configuration).
var privateBlocks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16")}

// complete checks a definition and fills in the default.
func (d *ResourceDefinition) complete() error {
	const name = "resourceConfigurationDefinition"
	switch {
	case d.ARN != "" || d.CIDRs != nil:
		return field(name, name+" must be a dnsResource or an ipResource.")
	case d.DomainName != "":
		d.DomainName = plainDomain(d.DomainName)
		if d.IPAddressType == "" {
			d.IPAddressType = trellis.IPv4Addresses
		}
		return errors.Join(validDomainName(name+".dnsResource.domainName", d.DomainName), validIPAddressType(name+".dnsResource.ipAddressType", d.IPAddressType))
	}
	a, err := netip.ParseAddr(d.Address)
	switch {
	case err != nil || a.Zone() != "" || a.Is4In6():
		return field(name+".ipResource.ipAddress", "ipAddress must be an IPv4 or IPv6 address.")
	case a.Is4() && !slices.ContainsFunc(privateBlocks, func(b netip.Prefix) bool { return b.Contains(a) }):
		return field(name+".ipResource.ipAddress", "An IPv4 address must be a private one: of 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12 or 192.168.0.0/16.")
	}
	return nil
}

// apply writes where the resource is into a configuration.
func (d *ResourceDefinition) apply(m *trellis.ResourceConfiguration) {
	m.DomainName, m.IPAddressType, m.Address = "", "", netip.Addr{}
	if d.DomainName != "" {
		m.DomainName, m.IPAddressType = d.DomainName, d.IPAddressType
		return
	}
	m.Address, _ = netip.ParseAddr(d.Address) // complete has seen it
}

// apply changes a configuration, when the change fits its type.
func (ch *ResourceConfigurationChange) apply(m *trellis.ResourceConfiguration) error {
	switch {
	case ch.Definition != nil && m.Type == trellis.GroupConfiguration:
		return trellis.InvalidOther("Unexpected attribute resourceConfigurationDefinition for type %s", m.Type)
	case ch.AllowShareable != nil && *ch.AllowShareable != m.AllowShareable && m.Type == trellis.ChildConfiguration: // Terraform repeats it
		return trellis.InvalidOther("Unexpected attribute allowAssociationToShareableServiceNetwork for type %s", m.Type)
	}
	err := validPorts(ch.PortRanges)
	if ch.PortRanges != nil && len(ch.PortRanges) == 0 && m.Type != trellis.GroupConfiguration {
		err = errors.Join(err, field("portRanges", "portRanges must hold at least one range."))
	}
	if ch.Definition != nil {
		err = errors.Join(err, ch.Definition.complete())
	}
	if err != nil {
		return firstError(err)
	}
	if ch.Definition != nil {
		ch.Definition.apply(m)
	}
	if ch.AllowShareable != nil {
		m.AllowShareable = *ch.AllowShareable
	}
	if ch.PortRanges != nil {
		m.Ports = portRanges(ch.PortRanges)
	}
	return nil
}
