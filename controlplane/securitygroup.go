package controlplane

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// defaultGroupName is the name of the security group that every VPC has and nobody deletes.
const defaultGroupName = "default"

// defaultGroup returns the default security group of a new VPC: everything inbound from members of the
// group, everything outbound (Amazon VPC user guide, default security groups).
func (p *Plane) defaultGroup(tx *store.Tx, c EC2Call, v *trellis.VPC) (*trellis.SecurityGroup, error) {
	meta, err := p.ec2Meta(tx, c, idSecurityGroup, nil)
	if err != nil {
		return nil, err
	}
	g := &trellis.SecurityGroup{Meta: meta, VPCID: v.ID, Name: defaultGroupName, Description: "default VPC security group"}
	g.Rules = append([]trellis.SecurityGroupRule{{ID: trellis.NewID("sgr"), Protocol: "-1", FromPort: -1, ToPort: -1, GroupID: g.ID}}, defaultEgress(v)...)
	return g, tx.Claim(groupNameClaim(g), g.ID)
}

// defaultEgress is what a new security group has: everything outbound, over IPv6 too when the VPC has it.
func defaultEgress(v *trellis.VPC) []trellis.SecurityGroupRule {
	all := trellis.SecurityGroupRule{ID: trellis.NewID("sgr"), Egress: true, Protocol: "-1", FromPort: -1, ToPort: -1, CIDR: netip.MustParsePrefix("0.0.0.0/0")}
	if !v.IPv6CIDR.IsValid() {
		return []trellis.SecurityGroupRule{all}
	}
	all6 := all
	all6.ID, all6.CIDR = trellis.NewID("sgr"), netip.MustParsePrefix("::/0")
	return []trellis.SecurityGroupRule{all, all6}
}

// groupNameClaim is the claim that keeps the names of a VPC's groups unique. Names differ by case alone.
func groupNameClaim(g *trellis.SecurityGroup) string {
	return "groupname/" + g.Account + "/" + g.VPCID + "/" + g.Name
}

// NewSecurityGroup is what CreateSecurityGroup asks for.
type NewSecurityGroup struct {
	VPCID, Name, Description string
	Tags                     map[string]string
}

// CreateSecurityGroup makes a group that lets everything out and nothing in.
func (p *Plane) CreateSecurityGroup(ctx context.Context, c EC2Call, in NewSecurityGroup) (*trellis.SecurityGroup, trellis.Revision, error) {
	switch {
	case in.Name == "":
		return nil, 0, missingParameter("groupName")
	case in.Description == "":
		return nil, 0, missingParameter("groupDescription")
	case in.VPCID == "":
		return nil, 0, ec2Error("VPCIdNotSpecified", "No default VPC for this user. Specify a VPC.")
	case in.Name == defaultGroupName:
		return nil, 0, ec2Error("InvalidParameterValue", "Cannot use reserved security group name: %s", in.Name)
	case strings.HasPrefix(in.Name, "sg-"):
		return nil, 0, invalidParameter("groupName", in.Name, "Group names may not be in the format sg-*.")
	}
	if err := groupText("groupName", in.Name); err != nil {
		return nil, 0, err
	}
	if err := groupText("groupDescription", in.Description); err != nil {
		return nil, 0, err
	}
	have, err := count[*trellis.SecurityGroup](ctx, p, c.account()+"/")
	if err != nil {
		return nil, 0, err
	}
	var g *trellis.SecurityGroup
	rev, err := p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "CreateSecurityGroup", authpolicy.TagKeys(nil, in.Tags, nil), p.ec2ARN(c, "security-group/*"), p.ec2ARN(c, "vpc/"+in.VPCID)); err != nil {
			return err
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), in.VPCID)
		if err != nil {
			return err
		}
		if err := ec2Room[*trellis.SecurityGroup](p, tx, c, quota.SecurityGroups, have, "SecurityGroupLimitExceeded"); err != nil {
			return err
		}
		meta, err := p.ec2Meta(tx, c, idSecurityGroup, in.Tags)
		if err != nil {
			return err
		}
		g = &trellis.SecurityGroup{Meta: meta, VPCID: v.ID, Name: in.Name, Description: in.Description, Rules: defaultEgress(v)}
		err = tx.Claim(groupNameClaim(g), g.ID)
		var taken *store.TakenError
		if errors.As(err, &taken) {
			return ec2Error("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", in.Name, v.ID)
		}
		tx.Put(g)
		return err
	})
	return g, rev, err
}

// groupText checks a name or description: at most 255 characters of the set that AWS allows in a VPC.
func groupText(parameter, s string) error {
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" ._-:/()#,@[]+=&;{}!$*", r))
	}
	if len(s) > 255 || strings.ContainsFunc(s, bad) {
		return invalidParameter(parameter, s, "Character sets beyond ASCII are not supported, nor are more than 255 characters.")
	}
	return nil
}

// SecurityGroups is DescribeSecurityGroups. Names narrow it like ids do.
func (p *Plane) SecurityGroups(ctx context.Context, c EC2Call, q Query, names []string) ([]*trellis.SecurityGroup, error) {
	if len(names) > 0 {
		q.Filters = append(slices.Clone(q.Filters), Filter{"group-name", names})
	}
	groups, err := describe(ctx, p, c, "DescribeSecurityGroups", idSecurityGroup, q, &trellis.SecurityGroup{}, func(_ *store.Tx, g *trellis.SecurityGroup) (attributes, map[string]string) {
		a := attributes{"group-id": {g.ID}, "group-name": {g.Name}, "vpc-id": {g.VPCID}, "description": {g.Description}, "owner-id": {g.Account}}
		for _, side := range []string{"ip-permission.", "egress.ip-permission."} {
			for _, name := range []string{"cidr", "ipv6-cidr", "group-id", "prefix-list-id", "from-port", "to-port", "protocol"} {
				a[side+name] = nil
			}
		}
		for _, r := range g.Rules {
			side := "ip-permission."
			if r.Egress {
				side = "egress." + side
			}
			add := func(name, v string) {
				if v != "" {
					a[side+name] = append(a[side+name], v)
				}
			}
			if r.CIDR.IsValid() && r.CIDR.Addr().Is4() {
				add("cidr", r.CIDR.String())
			} else if r.CIDR.IsValid() {
				add("ipv6-cidr", r.CIDR.String())
			}
			add("group-id", r.GroupID)
			add("prefix-list-id", r.PrefixListID)
			add("protocol", r.Protocol)
			if r.Protocol != "-1" {
				add("from-port", strconv.Itoa(r.FromPort))
				add("to-port", strconv.Itoa(r.ToPort))
			}
		}
		return a, g.Tags
	})
	for _, name := range names {
		if err == nil && !slices.ContainsFunc(groups, func(g *trellis.SecurityGroup) bool { return g.Name == name }) {
			return nil, idSecurityGroup.notFound(name)
		}
	}
	return groups, err
}

// DeleteSecurityGroup removes a group that nothing uses: no instance or interface, no load balancer or function, no association of a
// VPC, no rule of another group.
func (p *Plane) DeleteSecurityGroup(ctx context.Context, c EC2Call, id string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DeleteSecurityGroup", nil, p.ec2ARN(c, "security-group/"+id)); err != nil {
			return err
		}
		g, err := find[*trellis.SecurityGroup](tx, idSecurityGroup, c.account(), id)
		if err != nil {
			return err
		}
		if g.Name == defaultGroupName {
			return ec2Error("CannotDelete", "the specified group: \"%s\" name: \"default\" cannot be deleted by a user", g.ID)
		}
		used, err := groupInUse(tx, g)
		if err != nil {
			return err
		}
		if used {
			return ec2Error("DependencyViolation", "resource %s has a dependent object", g.ID)
		}
		deleteGroup(tx, g)
		return nil
	})
}

// deleteGroup removes a group with its name and id.
func deleteGroup(tx *store.Tx, g *trellis.SecurityGroup) {
	tx.Release(groupNameClaim(g))
	releaseEC2ID(tx, g.ID)
	tx.Delete(g)
}

// groupInUse tells whether anything refers to a security group.
func groupInUse(tx *store.Tx, g *trellis.SecurityGroup) (bool, error) {
	instances, err := store.List[*trellis.Instance](tx, g.Account+"/")
	if err != nil {
		return false, err
	}
	for _, i := range instances {
		if i.State != trellis.InstanceTerminated && slices.Contains(i.SecurityGroupIDs, g.ID) {
			return true, nil
		}
	}
	interfaces, err := store.List[*trellis.ElasticNetworkInterface](tx, g.Account+"/")
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(interfaces, func(n *trellis.ElasticNetworkInterface) bool { return slices.Contains(n.SecurityGroupIDs, g.ID) }) {
		return true, nil
	}
	groups, err := store.List[*trellis.SecurityGroup](tx, g.Account+"/")
	if err != nil {
		return false, err
	}
	for _, other := range groups {
		if other.ID != g.ID && slices.ContainsFunc(other.Rules, func(r trellis.SecurityGroupRule) bool { return r.GroupID == g.ID }) {
			return true, nil
		}
	}
	balancers, err := store.List[*trellis.LoadBalancer](tx, g.Account+"/")
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(balancers, func(b *trellis.LoadBalancer) bool { return slices.Contains(b.SecurityGroupIDs, g.ID) }) {
		return true, nil
	}
	functions, err := store.List[*trellis.Function](tx, g.Account+"/")
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(functions, func(f *trellis.Function) bool { return f.VPC != nil && slices.Contains(f.VPC.SecurityGroupIDs, g.ID) }) {
		return true, nil
	}
	associations, err := tx.Marked(securityGroupUse(g.Key()))
	return len(associations) > 0, err
}
