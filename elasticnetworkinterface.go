package trellis

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// ElasticNetworkInterface is a network interface that is not bound for life to what has it: users make it, attach it to
// instances and detach it again. An instance's first interface is one too, but is stored only once there is something to know
// of it that the instance does not say itself (see Instance.FirstInterface).
type ElasticNetworkInterface struct {
	Meta
	VPCID            string       `json:"vpcId"`
	SubnetID         string       `json:"subnetId"`
	Description      string       `json:"description,omitempty"`
	MAC              string       `json:"mac"`            // xx:xx:xx:xx:xx:xx
	IPv4             []netip.Addr `json:"ipv4"`           // the first is the primary one, which it keeps for life
	IPv6             []netip.Addr `json:"ipv6,omitempty"` // likewise of the subnet
	SecurityGroupIDs []string     `json:"securityGroupIds"`
	// NoSourceDestCheck is only shown: no packet asks a route, so none is for others than who has its address.
	NoSourceDestCheck bool                 `json:"noSourceDestCheck,omitempty"`
	Attachment        *InterfaceAttachment `json:"attachment,omitempty"` // nil while no instance has it
	Detached          *InterfaceAttachment `json:"detached,omitempty"`   // the last one that has ended, at its At
}

// InterfaceAttachment joins a network interface and an instance.
type InterfaceAttachment struct {
	ID                  string    `json:"id,omitempty"` // eni-attach-…; empty where it follows from the interface's id
	InstanceID          string    `json:"instanceId"`
	DeviceIndex         int       `json:"deviceIndex"` // the instance calls it eth followed by this
	DeleteOnTermination bool      `json:"deleteOnTermination"`
	At                  time.Time `json:"at"`
}

// Kind is KindElasticNetworkInterface.
func (*ElasticNetworkInterface) Kind() Kind { return KindElasticNetworkInterface }

// ARN is arn:aws:ec2:region:account:network-interface/eni-….
func (n *ElasticNetworkInterface) ARN(region string) string {
	return EC2ARN(region, n.Account, "network-interface/"+n.ID)
}

// Terms are the instance that has the interface, if one has.
func (n *ElasticNetworkInterface) Terms() []string {
	if n.Attachment == nil {
		return nil
	}
	return []string{n.Attachment.InstanceID}
}

// Addresses are all addresses of the interface.
func (n *ElasticNetworkInterface) Addresses() []netip.Addr { return slices.Concat(n.IPv4, n.IPv6) }

// FirstInterface is the interface at device index 0 as the instance tells it. One that is stored takes its place.
func (i *Instance) FirstInterface() *ElasticNetworkInterface {
	n := &ElasticNetworkInterface{
		Meta:  Meta{Account: i.Account, ID: i.InterfaceID, CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt},
		VPCID: i.VPCID, SubnetID: i.SubnetID, MAC: i.MAC, IPv4: []netip.Addr{i.PrivateIP}, SecurityGroupIDs: i.SecurityGroupIDs,
		Attachment: &InterfaceAttachment{InstanceID: i.ID, DeleteOnTermination: true, At: i.CreatedAt},
	}
	if i.IPv6.IsValid() {
		n.IPv6 = []netip.Addr{i.IPv6}
	}
	return n
}

// Interfaces are those of the instance, by device index, out of those that are stored and attached to it.
func (i *Instance) Interfaces(stored []*ElasticNetworkInterface) []*ElasticNetworkInterface {
	all := slices.SortedFunc(slices.Values(stored), func(a, b *ElasticNetworkInterface) int {
		return cmp.Compare(a.Attachment.DeviceIndex, b.Attachment.DeviceIndex)
	})
	if len(all) == 0 || all[0].Attachment.DeviceIndex != 0 {
		all = slices.Insert(all, 0, i.FirstInterface())
	}
	return all
}
