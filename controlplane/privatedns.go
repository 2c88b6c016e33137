package controlplane

import (
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// privateDNSPreferences are for which domains of resources an endpoint answers private names (EC2 API reference,
// DnsOptionsSpecification).
var privateDNSPreferences = []string{"VERIFIED_DOMAINS_ONLY", "ALL_DOMAINS", "VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS", "SPECIFIED_DOMAINS_ONLY"}

// checkPrivateDNS checks a preference, empty for none, and the domains that it specifies: names, or all names below one
// as *.example.com.
func checkPrivateDNS(preference string, domains []string) error {
	if preference != "" && !slices.Contains(privateDNSPreferences, preference) {
		return invalidParameter("PrivateDnsPreference", preference, "It must be one of "+strings.Join(privateDNSPreferences, ", ")+".")
	}
	specifies := strings.Contains(preference, "SPECIFIED")
	if len(domains) > 0 && !specifies || len(domains) == 0 && specifies {
		return ec2Error("InvalidParameterCombination", "PrivateDnsSpecifiedDomains goes with the preferences VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS and SPECIFIED_DOMAINS_ONLY.")
	}
	if len(domains) > 10 {
		return ec2Error("InvalidParameterValue", "At most 10 domains can be specified.")
	}
	for _, d := range domains {
		name := strings.TrimPrefix(plainDomain(d), "*.")
		if name == "" || validDomainName("PrivateDnsSpecifiedDomains", name) != nil {
			return invalidParameter("PrivateDnsSpecifiedDomains", d, "It is not a domain name.")
		}
	}
	return nil
}

// privateDNSClash refuses private names for an endpoint of a resource in a VPC where another one of its network has
// them, and the reverse: one name would lead two ways (VPC Lattice user guide, resource-configuration).
func privateDNSClash(tx *store.Tx, e *trellis.VPCEndpoint) error {
	if !e.PrivateDNSEnabled {
		return nil
	}
	others, err := store.List[*trellis.VPCEndpoint](tx, e.Account+"/")
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.ID == e.ID || o.VPCID != e.VPCID || !o.PrivateDNSEnabled || o.Type == e.Type || !o.Carries() && o.State != trellis.EndpointPending {
			continue
		}
		resource, network := e.Configuration, o.ServiceNetwork
		if e.Type == trellis.ServiceNetworkEndpoint {
			resource, network = o.Configuration, e.ServiceNetwork
		}
		in, err := markedAssociations[*trellis.ResourceAssociation](tx, configurationNetworks(resource.Key()))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(in, func(a *trellis.ResourceAssociation) bool { return a.ServiceNetwork == network }) {
			return ec2Error("InvalidParameter", "private-dns-enabled cannot be set because the VPC endpoint %s in the same VPC has private DNS for the resource configuration %s.", o.ID, resource.ID)
		}
	}
	return nil
}
