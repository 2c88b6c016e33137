package controlplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// awsOwner is the owner of the prefix lists that AWS manages. Every account sees them.
const awsOwner = "AWS"

// Bootstrap makes what is there from the first start on: the certificate authority of this installation, and AWS's
// own prefix lists of VPC Lattice, by which a target's security group lets in the
// traffic and the health checks of VPC Lattice (VPC Lattice user guide, security-groups). Their ids are the
// same in every installation of a region. It changes nothing that is there.
func (p *Plane) Bootstrap(ctx context.Context) error {
	_, err := p.Store.Commit(ctx, func(tx *store.Tx) error {
		for _, want := range p.latticePrefixLists() {
			have, err := store.Get[*trellis.PrefixList](tx, want.Key())
			if err == nil && slices.Equal(have.Entries, want.Entries) {
				continue
			}
			if err != nil && !errors.Is(err, trellis.ErrNotExist) {
				return err
			}
			want.CreatedAt, want.UpdatedAt = p.now(), p.now()
			tx.Put(want)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make the prefix lists of AWS: %w", err)
	}
	return p.bootstrapAuthority(ctx)
}

// latticePrefixLists are the managed prefix lists of VPC Lattice in this region.
func (p *Plane) latticePrefixLists() []*trellis.PrefixList {
	list := func(name, family string, cidrs ...netip.Prefix) *trellis.PrefixList {
		l := &trellis.PrefixList{Meta: trellis.Meta{Account: awsOwner, ID: DerivedID("pl", name)}, Name: name, AddressFamily: family, MaxEntries: len(cidrs), Version: 1}
		for _, c := range cidrs {
			l.Entries = append(l.Entries, trellis.PrefixListEntry{CIDR: c})
		}
		return l
	}
	return []*trellis.PrefixList{
		list("com.amazonaws."+p.Region+".vpc-lattice", "IPv4", trellis.LatticeBlock4, trellis.LatticePublicBlock),
		list("com.amazonaws."+p.Region+".ipv6.vpc-lattice", "IPv6", trellis.LatticeBlock6),
	}
}

// findPrefixList reads a prefix list of an account or of AWS.
func findPrefixList(tx *store.Tx, account, id string) (*trellis.PrefixList, error) {
	l, err := find[*trellis.PrefixList](tx, idPrefixList, account, id)
	var e *trellis.Error
	if errors.As(err, &e) && strings.HasSuffix(e.Code, ".NotFound") {
		return find[*trellis.PrefixList](tx, idPrefixList, awsOwner, id)
	}
	return l, err
}

// NewPrefixList is what CreateManagedPrefixList asks for.
type NewPrefixList struct {
	Name          string
	AddressFamily string // IPv4 or IPv6
	MaxEntries    int
	Entries       []PrefixListChange
	ClientToken   string
	Tags          map[string]string
}

// PrefixListChange is an entry to add or, by its CIDR, to remove.
type PrefixListChange struct {
	CIDR, Description string
}

// maxPrefixListEntries bounds one list (Amazon VPC quotas, maximum number of entries: 1000).
const maxPrefixListEntries = 1000

// CreatePrefixList makes a prefix list of the caller's account. It is usable at once.
func (p *Plane) CreatePrefixList(ctx context.Context, c EC2Call, in NewPrefixList) (*trellis.PrefixList, trellis.Revision, error) {
	if err := c.allow("CreateManagedPrefixList", authpolicy.TagKeys(nil, in.Tags, nil), p.ec2ARN(c, "prefix-list/*")); err != nil {
		return nil, 0, err
	}
	if in.AddressFamily != "IPv4" && in.AddressFamily != "IPv6" {
		return nil, 0, invalidParameter("AddressFamily", in.AddressFamily, "Valid values are IPv4 and IPv6.")
	}
	if err := prefixListName(in.Name); err != nil {
		return nil, 0, err
	}
	if in.MaxEntries < 1 || in.MaxEntries > maxPrefixListEntries {
		return nil, 0, invalidParameter("MaxEntries", fmt.Sprint(in.MaxEntries), "It must be from 1 to 1000.")
	}
	var out *trellis.PrefixList
	rev, err := p.ec2Commit(ctx, func(tx *store.Tx) (err error) {
		out, err = store.Once(tx, c.account()+"/CreateManagedPrefixList", in.ClientToken, in, func() (*trellis.PrefixList, error) {
			meta, err := p.ec2Meta(tx, c, idPrefixList, in.Tags)
			if err != nil {
				return nil, err
			}
			l := &trellis.PrefixList{Meta: meta, Name: in.Name, AddressFamily: in.AddressFamily, MaxEntries: in.MaxEntries, Version: 1}
			if err := changeEntries(l, in.Entries, nil); err != nil {
				return nil, err
			}
			tx.Put(l)
			return l, nil
		})
		return err
	})
	return out, rev, err
}

// prefixListName checks a name: up to 255 characters, not of AWS's own.
func prefixListName(name string) error {
	if name == "" || len(name) > 255 || strings.HasPrefix(name, "com.amazonaws") {
		return invalidParameter("PrefixListName", name, "It must have 1 to 255 characters and not begin with com.amazonaws.")
	}
	return nil
}

// changeEntries takes entries from a list and adds others. An entry that is added again gets its new description.
func changeEntries(l *trellis.PrefixList, add, remove []PrefixListChange) error {
	for _, e := range remove {
		b, err := netip.ParsePrefix(e.CIDR)
		i := slices.IndexFunc(l.Entries, func(have trellis.PrefixListEntry) bool { return have.CIDR == b.Masked() })
		if err != nil || i < 0 {
			return invalidParameter("RemoveEntry", e.CIDR, "The prefix list has no such entry.")
		}
		l.Entries = slices.Delete(l.Entries, i, i+1)
	}
	for _, e := range add {
		b, err := netip.ParsePrefix(e.CIDR)
		if err != nil || b.Addr().Is4() != (l.AddressFamily == "IPv4") || b.Addr().Is4In6() {
			return invalidParameter("AddEntry", e.CIDR, "This is not a valid "+l.AddressFamily+" CIDR block.")
		}
		if len(e.Description) > 255 {
			return invalidParameter("AddEntry", e.Description, "The description has more than 255 characters.")
		}
		entry := trellis.PrefixListEntry{CIDR: b.Masked(), Description: e.Description}
		if i := slices.IndexFunc(l.Entries, func(have trellis.PrefixListEntry) bool { return have.CIDR == entry.CIDR }); i >= 0 {
			l.Entries[i] = entry
		} else {
			l.Entries = append(l.Entries, entry)
		}
	}
	if len(l.Entries) > l.MaxEntries {
		return ec2Error("PrefixListMaxEntriesExceeded", "The number of entries (%d) exceeds the maximum of the prefix list (%d).", len(l.Entries), l.MaxEntries)
	}
	return nil
}

// PrefixListUpdate is what ModifyManagedPrefixList asks for.
type PrefixListUpdate struct {
	CurrentVersion *int64 // must be the list's when entries change
	Name           string
	MaxEntries     int // 0: as it was
	Add, Remove    []PrefixListChange
}

// ModifyPrefixList changes a prefix list of the caller's account. Security groups follow at once.
func (p *Plane) ModifyPrefixList(ctx context.Context, c EC2Call, id string, in PrefixListUpdate) (out *trellis.PrefixList, rev trellis.Revision, err error) {
	entries := len(in.Add)+len(in.Remove) > 0
	if entries && in.CurrentVersion == nil {
		return nil, 0, missingParameter("CurrentVersion")
	}
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) (err error) {
		if err := p.allow(tx, c, "ModifyManagedPrefixList", nil, p.ec2ARN(c, "prefix-list/"+id)); err != nil {
			return err
		}
		if out, err = ownPrefixList(tx, c, id); err != nil {
			return err
		}
		if in.CurrentVersion != nil && *in.CurrentVersion != out.Version {
			return ec2Error("PrefixListVersionMismatch", "The prefix list has the version %d, not %d.", out.Version, *in.CurrentVersion)
		}
		if in.Name != "" {
			if err := prefixListName(in.Name); err != nil {
				return err
			}
			out.Name = in.Name
		}
		if in.MaxEntries != 0 {
			if in.MaxEntries < len(out.Entries) || in.MaxEntries > maxPrefixListEntries {
				return invalidParameter("MaxEntries", fmt.Sprint(in.MaxEntries), "It must be from the number of entries to 1000.")
			}
			out.MaxEntries = in.MaxEntries
		}
		if err := changeEntries(out, in.Add, in.Remove); err != nil {
			return err
		}
		if entries {
			out.Version++
		}
		out.UpdatedAt = p.now()
		tx.Put(out)
		return nil
	})
	return out, rev, err
}

// ownPrefixList finds a prefix list that the caller may change. AWS's are visible, but nobody changes them.
func ownPrefixList(tx *store.Tx, c EC2Call, id string) (*trellis.PrefixList, error) {
	l, err := findPrefixList(tx, c.account(), id)
	if err == nil && l.Account == awsOwner {
		return nil, ec2Error("UnauthorizedOperation", "The prefix list '%s' is managed by AWS.", id)
	}
	return l, err
}

// DeletePrefixList removes a prefix list that no security group and no route table names.
func (p *Plane) DeletePrefixList(ctx context.Context, c EC2Call, id string) (out *trellis.PrefixList, rev trellis.Revision, err error) {
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) (err error) {
		if err := p.allow(tx, c, "DeleteManagedPrefixList", nil, p.ec2ARN(c, "prefix-list/"+id)); err != nil {
			return err
		}
		if out, err = ownPrefixList(tx, c, id); err != nil {
			return err
		}
		groups, err := store.List[*trellis.SecurityGroup](tx, c.account()+"/")
		if err != nil {
			return err
		}
		for _, g := range groups {
			if slices.ContainsFunc(g.Rules, func(r trellis.SecurityGroupRule) bool { return r.PrefixListID == id }) {
				return ec2Error("DependencyViolation", "The prefix list '%s' is in use by %s.", id, g.ID)
			}
		}
		tables, err := store.List[*trellis.RouteTable](tx, c.account()+"/")
		if err != nil {
			return err
		}
		for _, r := range tables {
			if slices.ContainsFunc(r.Routes, func(route trellis.Route) bool { return route.PrefixListID == id }) {
				return ec2Error("DependencyViolation", "The prefix list '%s' is in use by %s.", id, r.ID)
			}
		}
		releaseEC2ID(tx, id)
		tx.Delete(out)
		return nil
	})
	return out, rev, err
}

// PrefixLists lists the account's own prefix lists and AWS's, for DescribeManagedPrefixLists and
// DescribePrefixLists, whichever action says.
func (p *Plane) PrefixLists(ctx context.Context, c EC2Call, action string, q Query) ([]*trellis.PrefixList, error) {
	if err := c.allow(action, nil, "*"); err != nil {
		return nil, err
	}
	attrs := func(l *trellis.PrefixList) attributes {
		return attributes{"owner-id": {l.Account}, "prefix-list-id": {l.ID}, "prefix-list-name": {l.Name}}
	}
	if err := q.check(attrs(&trellis.PrefixList{})); err != nil {
		return nil, err
	}
	var out []*trellis.PrefixList
	err := p.read(ctx, func(tx *store.Tx) error {
		out = nil
		lists, err := store.List[*trellis.PrefixList](tx, c.account()+"/")
		if err != nil {
			return err
		}
		aws, err := store.List[*trellis.PrefixList](tx, awsOwner+"/")
		if err != nil {
			return err
		}
		lists = append(lists, aws...)
		for _, id := range q.IDs {
			if _, err := findPrefixList(tx, c.account(), id); err != nil {
				return err
			}
		}
		for _, l := range lists {
			ok, err := q.matches(attrs(l), l.Tags)
			if err != nil {
				return err
			}
			if ok && (len(q.IDs) == 0 || slices.Contains(q.IDs, l.ID)) {
				out = append(out, l)
			}
		}
		slices.SortFunc(out, func(a, b *trellis.PrefixList) int { return cmp.Compare(a.ID, b.ID) })
		return nil
	})
	return out, err
}

// PrefixList is one prefix list, for GetManagedPrefixListEntries.
func (p *Plane) PrefixList(ctx context.Context, c EC2Call, id string) (l *trellis.PrefixList, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "GetManagedPrefixListEntries", nil, p.ec2ARN(c, "prefix-list/"+id)); err != nil {
			return err
		}
		l, err = findPrefixList(tx, c.account(), id)
		return err
	})
	return l, err
}
