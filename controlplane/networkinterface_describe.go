package controlplane

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// DescribedInterface is a network interface with what the answer shows of the nouns around it. That of a resource gateway, a
// VPC endpoint or a load balancer is told as if it were an elastic one that no instance has.
type DescribedInterface struct {
	*trellis.ElasticNetworkInterface
	AvailabilityZone string
	Type             string                   // interface or vpc_endpoint
	Managed          bool                     // it is its owner's alone to change
	Groups           []*trellis.SecurityGroup // in the order of SecurityGroupIDs
	AttachmentStatus string                   // of an attachment: attached or detached
}

// Status is whether something has the interface.
func (d DescribedInterface) Status() string {
	if d.Managed || d.AttachmentStatus == "attached" {
		return "in-use"
	}
	return "available"
}

// withDetached shows the attachment that an interface had until now, for who asks for attachments by their ids.
func (d DescribedInterface) withDetached(now time.Time) DescribedInterface {
	if d.Attachment == nil && d.Detached != nil && now.Before(d.Detached.At.Add(detachedVisible)) {
		n := *d.ElasticNetworkInterface
		n.Attachment = n.Detached
		d.ElasticNetworkInterface, d.AttachmentStatus = &n, "detached"
	}
	return d
}

// PrivateDNSName is the private name of an IPv4 address, ip-10-0-12-31.eu-west-1.compute.internal.
func (p *Plane) PrivateDNSName(a netip.Addr) string {
	name := "ip-" + strings.ReplaceAll(a.String(), ".", "-")
	return name + "." + trellis.PrivateDomain(p.Region)
}

// NetworkInterfaces is DescribeNetworkInterfaces: of those that users made, of instances that are not terminated, and of resource
// gateways, VPC endpoints and load balancers, which have one in each of their subnets.
func (p *Plane) NetworkInterfaces(ctx context.Context, c EC2Call, q Query) ([]DescribedInterface, error) {
	if err := c.allow("DescribeNetworkInterfaces", nil, "*"); err != nil {
		return nil, err
	}
	for _, id := range q.IDs {
		if err := idInterface.check(id); err != nil {
			return nil, err
		}
	}
	if err := q.check(p.interfaceAttributes(DescribedInterface{ElasticNetworkInterface: &trellis.ElasticNetworkInterface{}})); err != nil {
		return nil, err
	}
	var out []DescribedInterface
	err := p.read(ctx, func(tx *store.Tx) error {
		all, err := p.interfaces(tx, c.account())
		if err != nil {
			return err
		}
		out = nil
		byAttachment := slices.ContainsFunc(q.Filters, func(f Filter) bool { return f.Name == "attachment.attachment-id" })
		for _, d := range all {
			if byAttachment {
				d = d.withDetached(p.now())
			}
			ok, err := q.matches(p.interfaceAttributes(d), d.Tags)
			if err != nil {
				return err
			}
			if ok && (len(q.IDs) == 0 || slices.Contains(q.IDs, d.ID)) {
				out = append(out, d)
			}
		}
		for _, id := range q.IDs {
			if !slices.ContainsFunc(all, func(d DescribedInterface) bool { return d.ID == id }) {
				return idInterface.notFound(id)
			}
		}
		return nil
	})
	return out, err
}

// around knows the nouns that interfaces are described by.
type around struct {
	plane  *Plane
	zones  map[string]string // by subnet
	groups map[string]*trellis.SecurityGroup
	taken  map[string][]*trellis.ElasticNetworkInterface // stored ones, by the instance that has them
	free   []*trellis.ElasticNetworkInterface            // and those that none has
}

// around reads what is around the interfaces of an account.
func (p *Plane) around(tx *store.Tx, account string) (*around, error) {
	x := &around{plane: p, zones: map[string]string{}, groups: map[string]*trellis.SecurityGroup{}, taken: map[string][]*trellis.ElasticNetworkInterface{}}
	subnets, err := store.List[*trellis.Subnet](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, s := range subnets {
		x.zones[s.ID] = s.AvailabilityZone
	}
	groups, err := store.List[*trellis.SecurityGroup](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		x.groups[g.ID] = g
	}
	stored, err := store.List[*trellis.ElasticNetworkInterface](tx, account+"/")
	for _, n := range stored {
		if n.Attachment == nil {
			x.free = append(x.free, n)
		} else {
			x.taken[n.Attachment.InstanceID] = append(x.taken[n.Attachment.InstanceID], n)
		}
	}
	return x, err
}

// describe completes an interface.
func (x *around) describe(n *trellis.ElasticNetworkInterface) DescribedInterface {
	d := DescribedInterface{ElasticNetworkInterface: n, Type: "interface", AvailabilityZone: cmp.Or(x.zones[n.SubnetID], x.plane.Region+"a")}
	if n.Attachment != nil {
		d.AttachmentStatus = "attached"
	}
	for _, id := range n.SecurityGroupIDs {
		if g := x.groups[id]; g != nil {
			d.Groups = append(d.Groups, g)
		}
	}
	return d
}

// of are the interfaces of an instance, by device index. A terminated one has none.
func (x *around) of(i *trellis.Instance) (out []DescribedInterface) {
	if i.State == trellis.InstanceTerminated {
		return nil
	}
	for _, n := range i.Interfaces(x.taken[i.ID]) {
		out = append(out, x.describe(n))
	}
	return out
}

// managed is an interface of what has one for life.
func (x *around) managed(n trellis.NetworkInterface, owner *trellis.Meta, vpc string, groups []string, typ, description string) DescribedInterface {
	e := &trellis.ElasticNetworkInterface{Meta: trellis.Meta{Account: owner.Account, ID: n.ID, CreatedAt: owner.CreatedAt}, VPCID: vpc,
		SubnetID: n.SubnetID, MAC: n.MAC, Description: description, SecurityGroupIDs: groups}
	if n.IPv4.IsValid() {
		e.IPv4 = []netip.Addr{n.IPv4}
	}
	if n.IPv6.IsValid() {
		e.IPv6 = []netip.Addr{n.IPv6}
	}
	d := x.describe(e)
	d.Type, d.Managed = typ, true
	return d
}

// interfaces are the interfaces of an account, by id.
func (p *Plane) interfaces(tx *store.Tx, account string) ([]DescribedInterface, error) {
	x, err := p.around(tx, account)
	if err != nil {
		return nil, err
	}
	var out []DescribedInterface
	for _, n := range x.free {
		out = append(out, x.describe(n))
	}
	instances, err := store.List[*trellis.Instance](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		out = append(out, x.of(i)...)
	}
	gateways, err := store.List[*trellis.ResourceGateway](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, g := range gateways {
		for _, n := range g.Interfaces {
			out = append(out, x.managed(n, &g.Meta, g.VPCID, g.SecurityGroupIDs, "interface", "VPC Lattice Resource Gateway "+g.ID))
		}
	}
	balancers, err := store.List[*trellis.LoadBalancer](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, b := range balancers {
		for _, n := range b.Interfaces {
			out = append(out, x.managed(n, &b.Meta, b.VPCID, b.SecurityGroupIDs, "interface", "ELB "+b.ID))
		}
	}
	endpoints, err := store.List[*trellis.VPCEndpoint](tx, account+"/")
	for _, e := range endpoints {
		for _, n := range e.Interfaces {
			out = append(out, x.managed(n, &e.Meta, e.VPCID, e.SecurityGroupIDs, "vpc_endpoint", "VPC Endpoint Interface "+e.ID))
		}
	}
	slices.SortFunc(out, func(a, b DescribedInterface) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

// texts are addresses as filters write them.
func texts(addrs []netip.Addr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
}

// interfaceAttributes are the filters of DescribeNetworkInterfaces.
func (p *Plane) interfaceAttributes(d DescribedInterface) attributes {
	a := attributes{
		"network-interface-id": {d.ID}, "vpc-id": one(d.VPCID), "subnet-id": one(d.SubnetID), "owner-id": {d.Account}, "group-id": nil, "group-name": nil,
		"attachment.instance-id": nil, "attachment.status": nil, "attachment.device-index": nil, "attachment.instance-owner-id": nil,
		"attachment.attachment-id": nil, "attachment.delete-on-termination": nil, "attachment.attach-time": nil,
		"availability-zone": {d.AvailabilityZone}, "status": {d.Status()}, "description": {d.Description}, "mac-address": {d.MAC}, "interface-type": {d.Type},
		"private-ip-address": nil, "addresses.private-ip-address": texts(d.IPv4), "addresses.primary": nil, "private-dns-name": nil, "requester-id": nil,
		"requester-managed": flag(d.Managed), "source-dest-check": flag(!d.NoSourceDestCheck), "ipv6-addresses.ipv6-address": texts(d.IPv6),
		"association.public-ip": nil, "association.allocation-id": nil, "addresses.association.public-ip": nil,
	}
	for _, g := range d.Groups {
		a["group-id"], a["group-name"] = append(a["group-id"], g.ID), append(a["group-name"], g.Name)
	}
	if len(d.IPv4) > 0 {
		a["private-ip-address"], a["private-dns-name"] = a["addresses.private-ip-address"][:1], []string{p.PrivateDNSName(d.IPv4[0])}
		a["addresses.primary"] = slices.Concat(flag(true), flag(len(d.IPv4) == 1))
	}
	if at := d.Attachment; at != nil {
		a["attachment.instance-id"], a["attachment.instance-owner-id"] = []string{at.InstanceID}, []string{d.Account}
		a["attachment.status"], a["attachment.device-index"] = []string{d.AttachmentStatus}, []string{strconv.Itoa(at.DeviceIndex)}
		a["attachment.attachment-id"], a["attachment.delete-on-termination"] = []string{AttachmentID(d.ElasticNetworkInterface)}, flag(at.DeleteOnTermination)
		a["attachment.attach-time"] = []string{at.At.UTC().Format(time.RFC3339)}
	}
	return a
}
