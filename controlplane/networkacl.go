package controlplane

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// freshNetworkACL is the default network ACL that a VPC is born with, as it is until somebody changes it: everything passes.
func freshNetworkACL(v *trellis.VPC) []*trellis.NetworkACL {
	v6 := v.IPv6CIDR.IsValid()
	return []*trellis.NetworkACL{{Meta: trellis.Meta{Account: v.Account, ID: DerivedID("acl", v.ID), CreatedAt: v.CreatedAt, UpdatedAt: v.CreatedAt}, VPCID: v.ID, Default: true,
		Entries: append(trellis.AllowEverything(true, v6), trellis.AllowEverything(false, v6)...)}}
}

// networkACLs lists the network ACLs of an account, stored or not, and its VPCs by id.
func networkACLs(tx *store.Tx, account string) ([]*trellis.NetworkACL, map[string]*trellis.VPC, error) {
	return born(tx, account, freshNetworkACL)
}

// findNetworkACL finds a network ACL of an account, with its VPC.
func findNetworkACL(tx *store.Tx, account, id string) (*trellis.NetworkACL, *trellis.VPC, error) {
	all, vpcs, err := networkACLs(tx, account)
	if err != nil {
		return nil, nil, err
	}
	if all, err = named(all, idNetworkACL, id); err != nil {
		return nil, nil, err
	}
	return all[0], vpcs[all[0].VPCID], nil
}

// changeNetworkACL changes a network ACL in one transaction, after the caller's policies have allowed an action on it.
func (p *Plane) changeNetworkACL(ctx context.Context, c EC2Call, action, id string, change func(*store.Tx, *trellis.NetworkACL, *trellis.VPC) error) (trellis.Revision, error) {
	return changeBorn(ctx, p, c, findNetworkACL, action, "network-acl", id, nil, change)
}

// CreateNetworkACL makes a network ACL of a VPC that lets nothing pass.
func (p *Plane) CreateNetworkACL(ctx context.Context, c EC2Call, vpc, token string, tags map[string]string) (out DescribedNetworkACL, rev trellis.Revision, err error) {
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "CreateNetworkAcl", authpolicy.TagKeys(nil, tags, nil), p.ec2ARN(c, "network-acl/*"), p.ec2ARN(c, "vpc/"+vpc)); err != nil {
			return err
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), vpc)
		if err != nil {
			return err
		}
		made, err := store.Once(tx, c.account()+"/CreateNetworkAcl", token, []any{vpc, tags}, func() (*trellis.NetworkACL, error) {
			all, _, err := networkACLs(tx, c.account())
			if err != nil {
				return nil, err
			}
			all = slices.DeleteFunc(all, func(a *trellis.NetworkACL) bool { return a.VPCID != v.ID })
			if most, full, err := p.Quotas.Reached(tx, c.account(), quota.NetworkACLsPerVPC, len(all)); err != nil {
				return nil, err
			} else if full {
				return nil, ec2Error("NetworkAclLimitExceeded", "The maximum number of network ACLs of the vpc '%s' has been reached: %d.", v.ID, most)
			}
			meta, err := p.ec2Meta(tx, c, idNetworkACL, tags)
			if err != nil {
				return nil, err
			}
			a := &trellis.NetworkACL{Meta: meta, VPCID: v.ID}
			tx.Put(a)
			return a, nil
		})
		if err != nil {
			return err
		}
		out = describeNetworkACL(made, v, made.Associations)
		return nil
	})
	return out, rev, err
}

// DeleteNetworkACL removes a network ACL that is not the default one and that no subnet has.
func (p *Plane) DeleteNetworkACL(ctx context.Context, c EC2Call, id string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DeleteNetworkAcl", nil, p.ec2ARN(c, "network-acl/"+id)); err != nil {
			return err
		}
		a, _, err := findNetworkACL(tx, c.account(), id)
		switch {
		case err != nil:
			return err
		case a.Default:
			return ec2Error("InvalidParameterValue", "cannot delete default network ACL %s", a.ID)
		case len(a.Associations) > 0:
			return ec2Error("DependencyViolation", "The networkAcl '%s' has dependencies and cannot be deleted.", a.ID)
		}
		releaseEC2ID(tx, a.ID)
		tx.Delete(a)
		return nil
	})
}

// NewNetworkACLEntry is what CreateNetworkAclEntry and ReplaceNetworkAclEntry ask for.
type NewNetworkACLEntry struct {
	Number         int
	Egress, Deny   bool
	Protocol       string
	CIDR, IPv6CIDR string // one of both
	From, To       *int32 // ports of TCP and UDP; others have none
	Type, Code     *int32 // of ICMP, and of ICMPv6 with IPv6CIDR
}

// The protocols whose entries say more.
const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58
)

// entry reads an entry. What says nothing about a protocol, such as ports of all protocols, is dropped, as AWS does.
func (in NewNetworkACLEntry) entry() (e trellis.NetworkACLEntry, err error) {
	if err := checkEntryNumber(in.Number); err != nil {
		return e, err
	}
	e = trellis.NetworkACLEntry{Number: in.Number, Egress: in.Egress, Deny: in.Deny, FromPort: -1, ToPort: -1}
	protocol, err := strconv.Atoi(in.Protocol)
	if err != nil || protocol < -1 || protocol > 255 {
		return e, ec2Error("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", in.Protocol)
	}
	e.Protocol = strconv.Itoa(protocol)
	text := in.CIDR + in.IPv6CIDR
	switch {
	case text == "":
		return e, missingParameter("cidrBlock")
	case in.CIDR != "" && in.IPv6CIDR != "":
		return e, ec2Error("InvalidParameterCombination", "The request must contain exactly one of cidrBlock and ipv6CidrBlock")
	}
	e.CIDR, err = netip.ParsePrefix(text)
	if err != nil || e.CIDR.Addr().Is4() != (in.CIDR != "") || e.CIDR.Addr().Is4In6() {
		return e, ec2Error("InvalidParameterValue", "CIDR block %s is malformed", text)
	}
	e.CIDR = e.CIDR.Masked()
	switch {
	case protocol == protocolTCP || protocol == protocolUDP:
		if in.From == nil || in.To == nil {
			return e, ec2Error("InvalidParameterValue", "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
		}
		e.FromPort, e.ToPort = int(*in.From), int(*in.To)
		if e.FromPort < 0 || e.FromPort > e.ToPort || e.ToPort > 65535 {
			return e, ec2Error("InvalidParameterValue", "Invalid TCP/UDP port range (%d-%d)", e.FromPort, e.ToPort)
		}
	case protocol == protocolICMP || protocol == protocolICMPv6 && in.IPv6CIDR != "":
		if in.Type == nil || in.Code == nil {
			return e, missingParameter("icmpTypeCode")
		}
		e.FromPort, e.ToPort = int(*in.Type), int(*in.Code)
		if min(e.FromPort, e.ToPort) < -1 || max(e.FromPort, e.ToPort) > 255 || e.FromPort < 0 && e.ToPort >= 0 {
			return e, ec2Error("InvalidParameterValue", "ICMP code (%d) or type (%d) out of range", e.ToPort, e.FromPort)
		}
	}
	return e, nil
}

// lastEntry is the number of the entry that drops what no other of its direction lets pass; that of IPv6 has the next one. Nobody can
// change either.
const lastEntry = 32767

// checkEntryNumber refuses numbers that no entry can have.
func checkEntryNumber(n int) error {
	if n < 1 || n >= lastEntry {
		return invalidParameter("ruleNumber", strconv.Itoa(n), "The number must be from 1 to 32766.")
	}
	return nil
}

// entryAt finds an entry by its direction and number; -1 for none.
func entryAt(a *trellis.NetworkACL, egress bool, number int) int {
	return slices.IndexFunc(a.Entries, func(e trellis.NetworkACLEntry) bool { return e.Egress == egress && e.Number == number })
}

// noEntry says that there is no such entry.
func noEntry(egress bool, number int) error {
	direction := "ingress"
	if egress {
		direction = "egress"
	}
	return ec2Error("InvalidNetworkAclEntry.NotFound", "no %s entry with number %d", direction, number)
}

// roomForEntry refuses entries of one direction and family of which there would be too many: the final one counts, too (VPC user guide,
// quotas).
func (p *Plane) roomForEntry(tx *store.Tx, a *trellis.NetworkACL, like trellis.NetworkACLEntry) error {
	have := 1
	for _, e := range a.Entries {
		if e.Egress == like.Egress && e.CIDR.Addr().Is4() == like.CIDR.Addr().Is4() {
			have++
		}
	}
	if most, full, err := p.Quotas.Reached(tx, a.Account, quota.EntriesPerNetworkACL, have); err != nil {
		return err
	} else if full {
		return ec2Error("NetworkAclEntryLimitExceeded", "The maximum number of network ACL entries has been reached: %d.", most)
	}
	return nil
}

// CreateNetworkACLEntry adds an entry to a network ACL, whose number must be free.
func (p *Plane) CreateNetworkACLEntry(ctx context.Context, c EC2Call, id string, in NewNetworkACLEntry) (trellis.Revision, error) {
	return p.changeNetworkACL(ctx, c, "CreateNetworkAclEntry", id, func(tx *store.Tx, a *trellis.NetworkACL, _ *trellis.VPC) error {
		e, err := in.entry()
		if err != nil {
			return err
		}
		if entryAt(a, e.Egress, e.Number) >= 0 {
			return ec2Error("NetworkAclEntryAlreadyExists", "The network acl entry identified by %d already exists.", e.Number)
		}
		if err := p.roomForEntry(tx, a, e); err != nil {
			return err
		}
		a.Entries = append(a.Entries, e)
		return nil
	})
}

// ReplaceNetworkACLEntry puts another entry in the place of one.
func (p *Plane) ReplaceNetworkACLEntry(ctx context.Context, c EC2Call, id string, in NewNetworkACLEntry) (trellis.Revision, error) {
	return p.changeNetworkACL(ctx, c, "ReplaceNetworkAclEntry", id, func(tx *store.Tx, a *trellis.NetworkACL, _ *trellis.VPC) error {
		e, err := in.entry()
		if err != nil {
			return err
		}
		i := entryAt(a, e.Egress, e.Number)
		if i < 0 {
			return noEntry(e.Egress, e.Number)
		}
		a.Entries = slices.Delete(a.Entries, i, i+1)
		if err := p.roomForEntry(tx, a, e); err != nil {
			return err
		}
		a.Entries = append(a.Entries, e)
		return nil
	})
}

// DeleteNetworkACLEntry takes an entry from a network ACL.
func (p *Plane) DeleteNetworkACLEntry(ctx context.Context, c EC2Call, id string, egress bool, number int) (trellis.Revision, error) {
	return p.changeNetworkACL(ctx, c, "DeleteNetworkAclEntry", id, func(_ *store.Tx, a *trellis.NetworkACL, _ *trellis.VPC) error {
		if err := checkEntryNumber(number); err != nil {
			return err
		}
		i := entryAt(a, egress, number)
		if i < 0 {
			return noEntry(egress, number)
		}
		a.Entries = slices.Delete(a.Entries, i, i+1)
		return nil
	})
}

// aclAssociations are the associations of each network ACL, by its id: each subnet has one, with the default network ACL of its VPC
// where there is no other. The id of that one follows from the subnet's.
func aclAssociations(tx *store.Tx, account string, all []*trellis.NetworkACL) (map[string][]trellis.NetworkACLAssociation, error) {
	subnets, err := store.List[*trellis.Subnet](tx, account+"/")
	if err != nil {
		return nil, err
	}
	of, rest, explicit := map[string][]trellis.NetworkACLAssociation{}, map[string]string{}, map[string]bool{}
	for _, a := range all {
		if a.Default {
			rest[a.VPCID] = a.ID
		}
		of[a.ID] = slices.Clone(a.Associations)
		for _, as := range a.Associations {
			explicit[as.SubnetID] = true
		}
	}
	for _, s := range subnets {
		if id := rest[s.VPCID]; !explicit[s.ID] {
			of[id] = append(of[id], trellis.NetworkACLAssociation{ID: DerivedID("aclassoc", s.ID), SubnetID: s.ID})
		}
	}
	return of, nil
}

// ReplaceNetworkACLAssociation gives a subnet another network ACL. The association gets a new id.
func (p *Plane) ReplaceNetworkACLAssociation(ctx context.Context, c EC2Call, association, id string) (made string, rev trellis.Revision, err error) {
	rev, err = p.changeNetworkACL(ctx, c, "ReplaceNetworkAclAssociation", id, func(tx *store.Tx, a *trellis.NetworkACL, _ *trellis.VPC) error {
		all, _, err := networkACLs(tx, c.account())
		if err != nil {
			return err
		}
		of, err := aclAssociations(tx, c.account(), all)
		if err != nil {
			return err
		}
		is := func(as trellis.NetworkACLAssociation) bool { return as.ID == association }
		from := slices.IndexFunc(all, func(one *trellis.NetworkACL) bool { return slices.ContainsFunc(of[one.ID], is) })
		if from < 0 {
			return noAssociation(association)
		}
		subnet := of[all[from].ID][slices.IndexFunc(of[all[from].ID], is)].SubnetID
		if all[from].VPCID != a.VPCID {
			return ec2Error("InvalidParameterValue", "network ACL %s and subnet %s belong to different networks", a.ID, subnet)
		}
		if all[from].ID != a.ID && slices.ContainsFunc(all[from].Associations, is) {
			all[from].Associations, all[from].UpdatedAt = slices.DeleteFunc(all[from].Associations, is), p.now()
			tx.Put(all[from])
		}
		made = trellis.NewID("aclassoc")
		a.Associations = append(slices.DeleteFunc(a.Associations, is), trellis.NetworkACLAssociation{ID: made, SubnetID: subnet})
		return nil
	})
	return made, rev, err
}

// leaveNetworkACLs ends the explicit association of a subnet that is going away.
func leaveNetworkACLs(tx *store.Tx, s *trellis.Subnet) error {
	all, err := store.List[*trellis.NetworkACL](tx, s.Account+"/")
	for _, a := range all {
		of := func(as trellis.NetworkACLAssociation) bool { return as.SubnetID == s.ID }
		if slices.ContainsFunc(a.Associations, of) {
			a.Associations = slices.DeleteFunc(a.Associations, of)
			tx.Put(a)
		}
	}
	return err
}

// aclsOf returns the stored default network ACL of a VPC, nil when it is not stored, and whether others keep the VPC from being
// deleted.
func aclsOf(tx *store.Tx, v *trellis.VPC) (rest trellis.Owned, held bool, err error) {
	all, err := store.List[*trellis.NetworkACL](tx, v.Account+"/")
	for _, a := range all {
		switch {
		case a.VPCID != v.ID:
		case a.Default:
			rest = a
		default:
			held = true
		}
	}
	return rest, held, err
}

// letIPv6Pass has the default network ACL of a VPC that gets IPv6 let it pass in each direction of which nobody has changed the entries
// (VPC user guide, default network ACL). One that is not stored does by itself.
func (p *Plane) letIPv6Pass(tx *store.Tx, v *trellis.VPC) error {
	rest, _, err := aclsOf(tx, v)
	if err != nil || rest == nil {
		return err
	}
	a := rest.(*trellis.NetworkACL)
	for _, egress := range []bool{true, false} {
		other := func(e trellis.NetworkACLEntry) bool { return e.Egress != egress }
		if own := slices.DeleteFunc(slices.Clone(a.Entries), other); slices.Equal(own, trellis.AllowEverything(egress, false)) {
			a.Entries = append(a.Entries, trellis.AllowEverything(egress, true)[1])
		}
	}
	a.UpdatedAt = p.now()
	tx.Put(a)
	return nil
}

// DescribedNetworkACL is a network ACL with all its associations and entries, in the order in which they are shown.
type DescribedNetworkACL struct {
	*trellis.NetworkACL
	AllAssociations []trellis.NetworkACLAssociation
	AllEntries      []trellis.NetworkACLEntry
}

// describeNetworkACL completes a network ACL, with the entries that drop what is left.
func describeNetworkACL(a *trellis.NetworkACL, v *trellis.VPC, associations []trellis.NetworkACLAssociation) DescribedNetworkACL {
	d := DescribedNetworkACL{NetworkACL: a, AllAssociations: associations, AllEntries: slices.Clone(a.Entries)}
	for _, egress := range []bool{true, false} {
		for n, last := range trellis.AllowEverything(egress, v.IPv6CIDR.IsValid()) {
			last.Number, last.Deny = lastEntry+n, true
			d.AllEntries = append(d.AllEntries, last)
		}
	}
	direction := map[bool]int{false: 1}
	slices.SortFunc(d.AllEntries, func(a, b trellis.NetworkACLEntry) int {
		return cmp.Or(direction[a.Egress]-direction[b.Egress], a.Number-b.Number)
	})
	return d
}

// NetworkACLs is DescribeNetworkAcls.
func (p *Plane) NetworkACLs(ctx context.Context, c EC2Call, q Query) ([]DescribedNetworkACL, error) {
	if err := c.allow("DescribeNetworkAcls", nil, "*"); err != nil {
		return nil, err
	}
	if err := q.check(networkACLAttributes(DescribedNetworkACL{NetworkACL: &trellis.NetworkACL{}})); err != nil {
		return nil, err
	}
	var out []DescribedNetworkACL
	err := p.read(ctx, func(tx *store.Tx) error {
		out = nil
		all, vpcs, err := networkACLs(tx, c.account())
		if err != nil {
			return err
		}
		of, err := aclAssociations(tx, c.account(), all)
		if err != nil {
			return err
		}
		if all, err = named(all, idNetworkACL, q.IDs...); err != nil {
			return err
		}
		for _, a := range all {
			if vpcs[a.VPCID] == nil {
				continue
			}
			d := describeNetworkACL(a, vpcs[a.VPCID], of[a.ID])
			if ok, err := q.matches(networkACLAttributes(d), a.Tags); err != nil {
				return err
			} else if ok {
				out = append(out, d)
			}
		}
		return nil
	})
	return out, err
}

// HasPorts tells whether an entry is about ports, and HasICMP whether it is about types of ICMP: the API shows either.
func HasPorts(e trellis.NetworkACLEntry) bool {
	return e.Protocol == strconv.Itoa(protocolTCP) || e.Protocol == strconv.Itoa(protocolUDP)
}

// HasICMP tells whether an entry is about types of ICMP or ICMPv6.
func HasICMP(e trellis.NetworkACLEntry) bool {
	return e.Protocol == strconv.Itoa(protocolICMP) || e.Protocol == strconv.Itoa(protocolICMPv6) && e.CIDR.Addr().Is6()
}

// networkACLAttributes are the filters of DescribeNetworkAcls (EC2 API reference).
func networkACLAttributes(d DescribedNetworkACL) attributes {
	a := attributes{
		"vpc-id": {d.VPCID}, "network-acl-id": {d.ID}, "owner-id": {d.Account}, "default": flag(d.Default),
		"association.association-id": nil, "association.network-acl-id": nil, "association.subnet-id": nil,
		"entry.cidr": nil, "entry.ipv6-cidr": nil, "entry.egress": nil, "entry.protocol": nil, "entry.rule-action": nil, "entry.rule-number": nil,
		"entry.icmp.code": nil, "entry.icmp.type": nil, "entry.port-range.from": nil, "entry.port-range.to": nil,
	}
	add := func(name string, values ...string) {
		a[name] = append(a[name], values...)
	}
	for _, as := range d.AllAssociations {
		add("association.association-id", as.ID)
		add("association.network-acl-id", d.ID)
		add("association.subnet-id", as.SubnetID)
	}
	for _, e := range d.AllEntries {
		if e.CIDR.Addr().Is4() {
			add("entry.cidr", e.CIDR.String())
		} else {
			add("entry.ipv6-cidr", e.CIDR.String())
		}
		add("entry.egress", flag(e.Egress)...)
		add("entry.protocol", slices.Concat(one(e.Protocol), one(protocolNames[e.Protocol]))...)
		add("entry.rule-action", EntryAction(e))
		add("entry.rule-number", strconv.Itoa(e.Number))
		from, to := strconv.Itoa(e.FromPort), strconv.Itoa(e.ToPort)
		switch {
		case HasPorts(e):
			add("entry.port-range.from", from)
			add("entry.port-range.to", to)
		case HasICMP(e):
			add("entry.icmp.type", from)
			add("entry.icmp.code", to)
		}
	}
	return a
}

// EntryAction is what an entry does, as the API says it.
func EntryAction(e trellis.NetworkACLEntry) string {
	if e.Deny {
		return "deny"
	}
	return "allow"
}
