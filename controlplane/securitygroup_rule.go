package controlplane

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// Permission is one rule as Authorize and Revoke operations name it: exactly one of CIDR, GroupID,
// GroupName and PrefixListID is its other side.
type Permission struct {
	Protocol         string // tcp, udp, icmp, icmpv6, a number, or -1
	FromPort, ToPort *int   // of icmp: type and code
	CIDR             string
	GroupID          string
	GroupName        string // of the same VPC, instead of GroupID
	GroupAccount     string // empty: the caller's
	PrefixListID     string
	Description      string
}

// protocolNames gives the numbers of protocols that have names in EC2 their names.
var protocolNames = map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}

// rule reads a Permission for the group g: addresses in their canonical form, protocols by name.
func (r Permission) rule(tx *store.Tx, g *trellis.SecurityGroup, egress bool) (trellis.SecurityGroupRule, error) {
	out := trellis.SecurityGroupRule{Egress: egress, Protocol: r.Protocol, FromPort: -1, ToPort: -1, Description: r.Description}
	if name, ok := protocolNames[r.Protocol]; ok {
		out.Protocol = name
	}
	if err := r.ports(&out); err != nil {
		return out, err
	}
	if len(r.Description) > 255 {
		return out, invalidParameter("description", r.Description, "It has more than 255 characters.")
	}
	return out, r.otherSide(tx, g, &out)
}

// ports reads protocol and ports of a Permission into a rule.
func (r Permission) ports(out *trellis.SecurityGroupRule) error {
	from, to := -1, -1
	if r.FromPort != nil {
		from = *r.FromPort
	}
	if r.ToPort != nil {
		to = *r.ToPort
	}
	switch out.Protocol {
	case "":
		return missingParameter("ipProtocol")
	case "-1":
		return nil
	case "tcp", "udp":
		if r.FromPort == nil || r.ToPort == nil {
			return ec2Error("InvalidParameterValue", "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
		}
		if from == -1 && to == -1 {
			from, to = 0, 65535
		}
		if from < 0 || to > 65535 || from > to {
			return ec2Error("InvalidParameterValue", "Invalid TCP/UDP port range (%d-%d)", from, to)
		}
	case "icmp", "icmpv6":
		if from < -1 || from > 255 || to < -1 || to > 255 {
			return ec2Error("InvalidParameterValue", "ICMP code (%d) or type (%d) out of range", to, from)
		}
	default:
		n, err := strconv.Atoi(out.Protocol)
		if err != nil || n < 0 || n > 255 {
			return ec2Error("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", out.Protocol)
		}
		out.Protocol, from, to = strconv.Itoa(n), -1, -1
	}
	out.FromPort, out.ToPort = from, to
	return nil
}

// otherSide reads the source or destination of a Permission into a rule.
func (r Permission) otherSide(tx *store.Tx, g *trellis.SecurityGroup, out *trellis.SecurityGroupRule) error {
	switch {
	case r.CIDR != "":
		b, err := netip.ParsePrefix(r.CIDR)
		if err != nil || b.Addr().Is4In6() {
			return ec2Error("InvalidParameterValue", "CIDR block %s is malformed", r.CIDR)
		}
		out.CIDR = b.Masked()
	case r.PrefixListID != "":
		if _, err := findPrefixList(tx, g.Account, r.PrefixListID); err != nil {
			return err
		}
		out.PrefixListID = r.PrefixListID
	case r.GroupAccount != "" && r.GroupAccount != g.Account:
		return idSecurityGroup.notFound(r.GroupID)
	case r.GroupID != "":
		other, err := find[*trellis.SecurityGroup](tx, idSecurityGroup, g.Account, r.GroupID)
		if err != nil {
			return err
		}
		if other.VPCID != g.VPCID {
			return ec2Error("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
		}
		out.GroupID = r.GroupID
	case r.GroupName != "":
		groups, err := store.List[*trellis.SecurityGroup](tx, g.Account+"/")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(groups, func(o *trellis.SecurityGroup) bool { return o.VPCID == g.VPCID && o.Name == r.GroupName })
		if i < 0 {
			return idSecurityGroup.notFound(r.GroupName)
		}
		out.GroupID = groups[i].ID
	default:
		return missingParameter("ipRanges, ipv6Ranges, prefixListIds or groups")
	}
	return nil
}

// sameRule tells whether two rules allow the same traffic from the same side, whatever their descriptions.
func sameRule(a, b trellis.SecurityGroupRule) bool {
	return a.Egress == b.Egress && a.Protocol == b.Protocol && a.FromPort == b.FromPort && a.ToPort == b.ToPort &&
		a.CIDR == b.CIDR && a.GroupID == b.GroupID && a.PrefixListID == b.PrefixListID
}

// direction is the operation's name for a direction.
func direction(verb string, egress bool) string {
	if egress {
		return verb + "SecurityGroupEgress"
	}
	return verb + "SecurityGroupIngress"
}

// AuthorizeSecurityGroup adds rules to a group, all or none.
func (p *Plane) AuthorizeSecurityGroup(ctx context.Context, c EC2Call, groupID string, egress bool, permissions []Permission, tags map[string]string) ([]trellis.SecurityGroupRule, trellis.Revision, error) {
	if len(permissions) == 0 {
		return nil, 0, missingParameter("ipPermissions")
	}
	if err := checkTags(tags); err != nil {
		return nil, 0, err
	}
	var added []trellis.SecurityGroupRule
	rev, err := p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, direction("Authorize", egress), nil, p.ec2ARN(c, "security-group/"+groupID)); err != nil {
			return err
		}
		added = nil
		g, err := find[*trellis.SecurityGroup](tx, idSecurityGroup, c.account(), groupID)
		if err != nil {
			return err
		}
		for _, permission := range permissions {
			r, err := permission.rule(tx, g, egress)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(g.Rules, func(o trellis.SecurityGroupRule) bool { return sameRule(o, r) }) {
				return ec2Error("InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s, from port: %d, to port: %d, ALLOW\" already exists",
					peer(r), protocolText(r.Protocol), r.FromPort, r.ToPort)
			}
			r.ID, r.Tags = trellis.NewID("sgr"), tags
			g.Rules, added = append(g.Rules, r), append(added, r)
		}
		n := 0
		for _, r := range g.Rules {
			if r.Egress == egress {
				n++
			}
		}
		if _, more, err := p.Quotas.Reached(tx, g.Account, quota.RulesPerSecurityGroup, n-1); err != nil {
			return err
		} else if more {
			return ec2Error("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
		}
		g.UpdatedAt = p.now()
		tx.Put(g)
		return nil
	})
	return added, rev, err
}

// peer is the other side of a rule, as messages write it.
func peer(r trellis.SecurityGroupRule) string {
	if r.CIDR.IsValid() {
		return r.CIDR.String()
	}
	return r.GroupID + r.PrefixListID
}

// protocolText is a protocol as messages write it.
func protocolText(protocol string) string {
	if protocol == "-1" {
		return "ALL"
	}
	return protocol
}

// RevokeSecurityGroup removes rules by what they allow or by their ids, all or none.
func (p *Plane) RevokeSecurityGroup(ctx context.Context, c EC2Call, groupID string, egress bool, permissions []Permission, ruleIDs []string) (revoked []trellis.SecurityGroupRule, rev trellis.Revision, err error) {
	if len(permissions)+len(ruleIDs) == 0 {
		return nil, 0, missingParameter("ipPermissions")
	}
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, direction("Revoke", egress), nil, p.ec2ARN(c, "security-group/"+groupID)); err != nil {
			return err
		}
		revoked = nil
		g, err := find[*trellis.SecurityGroup](tx, idSecurityGroup, c.account(), groupID)
		if err != nil {
			return err
		}
		for _, permission := range permissions {
			_, i, err := permission.find(tx, g, egress)
			if err != nil {
				return err
			}
			revoked = append(revoked, g.Rules[i])
			g.Rules = slices.Delete(g.Rules, i, i+1)
		}
		for _, id := range ruleIDs {
			i, err := ruleIndex(g, id)
			if err != nil {
				return err
			}
			if g.Rules[i].Egress != egress {
				return errNoPermission()
			}
			revoked = append(revoked, g.Rules[i])
			g.Rules = slices.Delete(g.Rules, i, i+1)
		}
		g.UpdatedAt = p.now()
		tx.Put(g)
		return nil
	})
	return revoked, rev, err
}

// find finds the rule of a group that a permission describes, and its index.
func (r Permission) find(tx *store.Tx, g *trellis.SecurityGroup, egress bool) (rule trellis.SecurityGroupRule, i int, err error) {
	if rule, err = r.rule(tx, g, egress); err != nil {
		return rule, 0, err
	}
	if i = slices.IndexFunc(g.Rules, func(o trellis.SecurityGroupRule) bool { return sameRule(o, rule) }); i < 0 {
		return rule, 0, errNoPermission()
	}
	return rule, i, nil
}

// errNoPermission is for a rule that a caller described and a group does not have.
func errNoPermission() error {
	return ec2Error("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
}

// ruleIndex finds a rule of a group by its id.
func ruleIndex(g *trellis.SecurityGroup, id string) (int, error) {
	if err := idGroupRule.check(id); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(g.Rules, func(r trellis.SecurityGroupRule) bool { return r.ID == id })
	if i < 0 {
		return 0, idGroupRule.notFound(id)
	}
	return i, nil
}

// GroupRuleChange is what a rule with an id becomes.
type GroupRuleChange struct {
	ID string
	Permission
}

// ModifySecurityGroupRules replaces rules of a group by their ids. A rule keeps its direction and tags.
func (p *Plane) ModifySecurityGroupRules(ctx context.Context, c EC2Call, groupID string, changes []GroupRuleChange) (trellis.Revision, error) {
	if len(changes) == 0 {
		return 0, missingParameter("securityGroupRules")
	}
	arns := []string{p.ec2ARN(c, "security-group/"+groupID)}
	for _, change := range changes {
		arns = append(arns, p.ec2ARN(c, "security-group-rule/"+change.ID))
	}
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "ModifySecurityGroupRules", nil, arns...); err != nil {
			return err
		}
		g, err := find[*trellis.SecurityGroup](tx, idSecurityGroup, c.account(), groupID)
		if err != nil {
			return err
		}
		for _, change := range changes {
			i, err := ruleIndex(g, change.ID)
			if err != nil {
				return err
			}
			r, err := change.rule(tx, g, g.Rules[i].Egress)
			if err != nil {
				return err
			}
			for j, o := range g.Rules {
				if j != i && sameRule(o, r) {
					return ec2Error("InvalidPermission.Duplicate", "the specified rule already exists as %s", o.ID)
				}
			}
			r.ID, r.Tags = g.Rules[i].ID, g.Rules[i].Tags
			g.Rules[i] = r
		}
		g.UpdatedAt = p.now()
		tx.Put(g)
		return nil
	})
}

// DescribeRules changes the descriptions of rules that exist, found by what they allow or by id
// (UpdateSecurityGroupRuleDescriptionsIngress and Egress).
func (p *Plane) DescribeRules(ctx context.Context, c EC2Call, groupID string, egress bool, permissions []Permission, byID map[string]string) (trellis.Revision, error) {
	action := "UpdateSecurityGroupRuleDescriptionsIngress"
	if egress {
		action = "UpdateSecurityGroupRuleDescriptionsEgress"
	}
	if len(permissions)+len(byID) == 0 {
		return 0, missingParameter("ipPermissions")
	}
	for _, description := range byID {
		if len(description) > 255 {
			return 0, invalidParameter("description", description, "It has more than 255 characters.")
		}
	}
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, action, nil, p.ec2ARN(c, "security-group/"+groupID)); err != nil {
			return err
		}
		g, err := find[*trellis.SecurityGroup](tx, idSecurityGroup, c.account(), groupID)
		if err != nil {
			return err
		}
		for _, permission := range permissions {
			r, i, err := permission.find(tx, g, egress)
			if err != nil {
				return err
			}
			g.Rules[i].Description = r.Description
		}
		for id, description := range byID {
			i, err := ruleIndex(g, id)
			if err != nil {
				return err
			}
			g.Rules[i].Description = description
		}
		g.UpdatedAt = p.now()
		tx.Put(g)
		return nil
	})
}

// GroupRule is a rule and the group that it belongs to.
type GroupRule struct {
	trellis.SecurityGroupRule
	Group *trellis.SecurityGroup
}

// SecurityGroupRules is DescribeSecurityGroupRules.
func (p *Plane) SecurityGroupRules(ctx context.Context, c EC2Call, q Query) ([]GroupRule, error) {
	if err := c.allow("DescribeSecurityGroupRules", nil, "*"); err != nil {
		return nil, err
	}
	attrs := func(g *trellis.SecurityGroup, r trellis.SecurityGroupRule) attributes {
		return attributes{"group-id": {g.ID}, "security-group-rule-id": {r.ID}}
	}
	if err := q.check(attrs(&trellis.SecurityGroup{}, trellis.SecurityGroupRule{})); err != nil {
		return nil, err
	}
	for _, id := range q.IDs {
		if err := idGroupRule.check(id); err != nil {
			return nil, err
		}
	}
	var out []GroupRule
	err := p.read(ctx, func(tx *store.Tx) error {
		out = nil
		groups, err := store.List[*trellis.SecurityGroup](tx, c.account()+"/")
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, g := range groups {
			for _, r := range g.Rules {
				if len(q.IDs) > 0 && !slices.Contains(q.IDs, r.ID) {
					continue
				}
				seen[r.ID] = true
				ok, err := q.matches(attrs(g, r), r.Tags)
				if err != nil {
					return err
				}
				if ok {
					out = append(out, GroupRule{r, g})
				}
			}
		}
		for _, id := range q.IDs {
			if !seen[id] {
				return idGroupRule.notFound(id)
			}
		}
		return nil
	})
	return out, err
}
