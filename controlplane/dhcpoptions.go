package controlplane

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// bornDHCPOptions is the id of the DHCP options that an account is born with.
func bornDHCPOptions(account string) string { return DerivedID("dopt", account) }

// DHCPOptionsOf is the id of the DHCP options of a VPC, trellis.NoDHCPOptions where it has none.
func DHCPOptionsOf(v *trellis.VPC) string {
	if v.DHCPOptionsID != "" {
		return v.DHCPOptionsID
	}
	return bornDHCPOptions(v.Account)
}

// dhcpOptions lists the DHCP options of an account, also those that it is born with.
func (p *Plane) dhcpOptions(tx *store.Tx, account string) ([]*trellis.DHCPOptions, error) {
	all, err := store.List[*trellis.DHCPOptions](tx, account+"/")
	if err != nil {
		return nil, err
	}
	id := bornDHCPOptions(account)
	if !slices.ContainsFunc(all, func(o *trellis.DHCPOptions) bool { return o.ID == id }) {
		all = append(all, &trellis.DHCPOptions{Meta: trellis.Meta{Account: account, ID: id}, Options: trellis.BornDHCPOptions(p.Region)})
	}
	return all, nil
}

// findDHCPOptions finds DHCP options of an account; they belong to no VPC.
func (p *Plane) findDHCPOptions(tx *store.Tx, account, id string) (*trellis.DHCPOptions, *trellis.VPC, error) {
	all, err := p.dhcpOptions(tx, account)
	if err != nil {
		return nil, nil, err
	}
	if all, err = named(all, idDHCPOptions, id); err != nil {
		return nil, nil, err
	}
	return all[0], nil, nil
}

// mostServers is how many servers of a kind DHCP options may name (VPC user guide, DHCP option sets).
const mostServers = 4

// checkDHCP finds what is wrong with the options of a request (EC2 API reference, CreateDhcpOptions).
func checkDHCP(options []trellis.DHCPOption) error {
	if len(options) == 0 {
		return missingParameter("dhcpConfiguration")
	}
	seen := map[string]bool{}
	for _, o := range options {
		if seen[o.Key] {
			return invalidParameter("dhcpConfiguration", o.Key, "An option may be given once.")
		}
		seen[o.Key] = true
		if len(o.Values) == 0 {
			return missingParameter("value")
		}
		check, most := checkServer, mostServers
		switch o.Key {
		case trellis.DHCPDomainName:
			check, most = checkDomains, 1
		case trellis.DHCPNameServers:
			check = func(s string) bool { return s == trellis.AmazonProvidedDNS || checkServer(s) }
		case "ntp-servers", "netbios-name-servers":
		case "netbios-node-type":
			check, most = func(s string) bool { return slices.Contains([]string{"1", "2", "4", "8"}, s) }, 1
		case "ipv6-address-preferred-lease-time":
			check, most = func(s string) bool { n, err := strconv.Atoi(s); return err == nil && n >= 140 && n <= 2147483647 }, 1
		default:
			return invalidParameter("key", o.Key, "There is no such DHCP option.")
		}
		if len(o.Values) > most {
			return invalidParameter(o.Key, strings.Join(o.Values, ", "), "There are too many values.")
		}
		for _, v := range o.Values {
			if !check(v) {
				return invalidParameter(o.Key, v, "")
			}
		}
	}
	return nil
}

// checkServer tells whether a text is the address of a server.
func checkServer(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == "" && !a.Is4In6()
}

// checkDomains tells whether a text is a domain, or several with spaces between them, which some systems take.
func checkDomains(s string) bool {
	domains := strings.Split(s, " ")
	return len(s) <= 255 && !slices.ContainsFunc(domains, func(d string) bool {
		return d == "" || strings.ContainsFunc(d, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '.' && r != '_'
		})
	})
}

// CreateDHCPOptions makes DHCP options that no VPC has yet.
func (p *Plane) CreateDHCPOptions(ctx context.Context, c EC2Call, options []trellis.DHCPOption, tags map[string]string) (o *trellis.DHCPOptions, rev trellis.Revision, err error) {
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "CreateDhcpOptions", authpolicy.TagKeys(nil, tags, nil), p.ec2ARN(c, "dhcp-options/*")); err != nil {
			return err
		}
		if err := checkDHCP(options); err != nil {
			return err
		}
		meta, err := p.ec2Meta(tx, c, idDHCPOptions, tags)
		if err != nil {
			return err
		}
		o = &trellis.DHCPOptions{Meta: meta, Options: options}
		tx.Put(o)
		return nil
	})
	return o, rev, err
}

// DeleteDHCPOptions removes DHCP options that no VPC has. Those that the account is born with every new VPC will have.
func (p *Plane) DeleteDHCPOptions(ctx context.Context, c EC2Call, id string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DeleteDhcpOptions", nil, p.ec2ARN(c, "dhcp-options/"+id)); err != nil {
			return err
		}
		o, _, err := p.findDHCPOptions(tx, c.account(), id)
		if err != nil {
			return err
		}
		vpcs, err := store.List[*trellis.VPC](tx, c.account()+"/")
		if err != nil {
			return err
		}
		if id == bornDHCPOptions(c.account()) || slices.ContainsFunc(vpcs, func(v *trellis.VPC) bool { return v.DHCPOptionsID == id }) {
			return ec2Error("DependencyViolation", "The dhcpOptions '%s' has dependencies and cannot be deleted.", id)
		}
		releaseEC2ID(tx, id)
		tx.Delete(o)
		return nil
	})
}

// AssociateDHCPOptions gives a VPC DHCP options, or with trellis.NoDHCPOptions none.
func (p *Plane) AssociateDHCPOptions(ctx context.Context, c EC2Call, id, vpc string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		arns := []string{p.ec2ARN(c, "vpc/"+vpc)}
		if id != trellis.NoDHCPOptions {
			arns = append(arns, p.ec2ARN(c, "dhcp-options/"+id))
		}
		if err := p.allow(tx, c, "AssociateDhcpOptions", nil, arns...); err != nil {
			return err
		}
		if id != trellis.NoDHCPOptions {
			if _, _, err := p.findDHCPOptions(tx, c.account(), id); err != nil {
				return err
			}
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), vpc)
		if err != nil {
			return err
		}
		v.DHCPOptionsID, v.UpdatedAt = id, p.now()
		if id == bornDHCPOptions(c.account()) {
			v.DHCPOptionsID = ""
		}
		tx.Put(v)
		return nil
	})
}

// DHCPOptions is DescribeDhcpOptions.
func (p *Plane) DHCPOptions(ctx context.Context, c EC2Call, q Query) (out []*trellis.DHCPOptions, err error) {
	if err := c.allow("DescribeDhcpOptions", nil, "*"); err != nil {
		return nil, err
	}
	attrs := func(o *trellis.DHCPOptions) attributes {
		a := attributes{"dhcp-options-id": {o.ID}, "owner-id": {o.Account}, "key": nil, "value": nil}
		for _, one := range o.Options {
			a["key"], a["value"] = append(a["key"], one.Key), append(a["value"], one.Values...)
		}
		return a
	}
	if err := q.check(attrs(&trellis.DHCPOptions{})); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		all, err := p.dhcpOptions(tx, c.account())
		if err != nil {
			return err
		}
		if all, err = named(all, idDHCPOptions, q.IDs...); err != nil {
			return err
		}
		out = nil
		for _, o := range all {
			if ok, err := q.matches(attrs(o), o.Tags); err != nil {
				return err
			} else if ok {
				out = append(out, o)
			}
		}
		return nil
	})
	return out, err
}
