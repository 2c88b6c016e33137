package trellis

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ResourceConfiguration is a resource in a VPC, such as a database, or a group of them, that clients in other VPCs reach
// over TCP through a resource gateway.
type ResourceConfiguration struct {
	Meta
	Name      string            `json:"name"` // 3 to 40 characters, unique in its account
	Type      ConfigurationType `json:"type"`
	Status    Status            `json:"status"`
	GatewayID string            `json:"gatewayId"`         // of the same account; a child has its group's
	GroupID   string            `json:"groupId,omitempty"` // of a child, of the same account
	Protocol  Protocol          `json:"protocol"`          // TCP
	Ports     []PortRange       `json:"ports,omitempty"`   // a group may have none
	// Exactly one of DomainName and Address says where the resource is; a group has neither.
	DomainName    string        `json:"domainName,omitempty"`
	IPAddressType IPAddressType `json:"ipAddressType,omitempty"` // which addresses of DomainName are taken
	Address       netip.Addr    `json:"address,omitzero"`
	// AllowShareable lets the configuration join networks that others may be given a share of. A child has its group's.
	AllowShareable       bool   `json:"allowShareable,omitempty"`
	CustomDomainName     string `json:"customDomainName,omitempty"` // not of a group
	GroupDomain          string `json:"groupDomain,omitempty"`      // of a group: the parent of its children's names
	DomainVerificationID string `json:"domainVerificationId,omitempty"`
}

// ConfigurationType says what a resource configuration stands for.
type ConfigurationType string

// The types of resource configurations (VPC Lattice API, CreateResourceConfiguration). AWS has two more, which are
// refused: ARN, as no database runs here, and CIDR, as there are no tunnel endpoints.
const (
	SingleConfiguration ConfigurationType = "SINGLE"
	GroupConfiguration  ConfigurationType = "GROUP"
	ChildConfiguration  ConfigurationType = "CHILD"
)

// Kind is KindResourceConfiguration.
func (*ResourceConfiguration) Kind() Kind { return KindResourceConfiguration }

// ARN is arn:aws:vpc-lattice:region:account:resourceconfiguration/rcfg-….
func (c *ResourceConfiguration) ARN(region string) string {
	return LatticeARN(region, c.Account, "resourceconfiguration/"+c.ID)
}

// Serves tells whether a port is among those of the configuration.
func (c *ResourceConfiguration) Serves(port int) bool {
	for _, r := range c.Ports {
		if r.From <= port && port <= r.To {
			return true
		}
	}
	return false
}

// PortRange is the ports From to To, both included.
type PortRange struct {
	From int `json:"from"` // 1 to To
	To   int `json:"to"`   // to 65535
}

// ParsePortRange reads a port, or two with a hyphen between them (VPC Lattice API, CreateResourceConfiguration).
func ParsePortRange(s string) (PortRange, error) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	from, err1 := strconv.ParseUint(first, 10, 16) // which takes digits alone
	to, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || from < 1 || from > to {
		return PortRange{}, fmt.Errorf("%q is not a range of ports from 1 to 65535", s)
	}
	return PortRange{int(from), int(to)}, nil
}

// String is the range as ParsePortRange reads it.
func (r PortRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(r.From)
	}
	return strconv.Itoa(r.From) + "-" + strconv.Itoa(r.To)
}
