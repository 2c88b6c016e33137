// Package loadbalancer says what the operations of Elastic Load Balancing v2 mean: load balancers in subnets of a VPC, their
// listeners and rules, and the target groups that these forward to. Load balancers are records with addresses here; carrying
// requests is traffic's business.
package loadbalancer

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// Options is what LoadBalancers needs: those of every companion, and who gives interfaces with free addresses in subnets of
// an account. chosen are the addresses that a client chose, by subnet.
type Options struct {
	companion.Options
	Interfaces func(tx *store.Tx, account string, subnets []*trellis.Subnet, t trellis.IPAddressType, chosen map[string]string) ([]trellis.NetworkInterface, error)
}

// LoadBalancers serves the operations. It is safe for concurrent use, and starts nothing.
type LoadBalancers struct {
	*companion.Records
	Quotas  quota.Limits
	options Options
}

// New returns the companion.
func New(o Options) *LoadBalancers {
	return &LoadBalancers{companion.NewRecords(o.Options), quota.Limits{Strict: o.Strict}, o}
}

// service is the first part of the names of actions.
const service = "elasticloadbalancing:"

// bad is an error of Elastic Load Balancing, which answers 400 to all that a client has done wrong.
func bad(code, format string, args ...any) *trellis.Error {
	return trellis.NewError(400, code, format, args...)
}

// invalid is the error for a value that no operation takes.
func invalid(format string, args ...any) *trellis.Error {
	return bad("ValidationError", format, args...)
}

// arnOf is an ARN of the caller's account, for example of "loadbalancer/app/orders/*".
func (l *LoadBalancers) arnOf(c *authpolicy.Caller, resource string) string {
	return l.ARN(c, "elasticloadbalancing", resource)
}

// The sorts of resources as ARNs name them.
const (
	sortLoadBalancer = "loadbalancer"
	sortListener     = "listener"
	sortRule         = "listener-rule"
	sortTargetGroup  = "targetgroup"
)

// missing are the errors for what a caller named and is not there, by sort.
var missing = map[string]struct{ code, word string }{
	sortLoadBalancer: {"LoadBalancerNotFound", "load balancers"},
	sortListener:     {"ListenerNotFound", "listeners"},
	sortRule:         {"RuleNotFound", "rules"},
	sortTargetGroup:  {"TargetGroupNotFound", "target groups"},
}

// notFound is the error for a resource of a sort that is not there.
func notFound(sort, arn string) *trellis.Error {
	m := missing[sort]
	return bad(m.code, "One or more %s not found: %s", m.word, arn)
}

// keyOf is the key of what an ARN of a sort names. It is empty when the ARN is of another account or Region, which looks as
// if there were nothing.
func (l *LoadBalancers) keyOf(c *authpolicy.Caller, sort, arn string) (string, error) {
	region, is, ref, err := trellis.ParseLoadBalancingARN(arn)
	if err != nil || is != sort {
		return "", invalid("'%s' is not a valid %s ARN", arn, strings.ReplaceAll(sort, "-", " "))
	}
	if region != l.Region || ref.Account != c.Principal.Account {
		return "", nil
	}
	return ref.Key(), nil
}

// named reads what an ARN of a sort names, if the caller's policies allow an action on it. request are the tags of the
// request, keys further condition keys.
func named[T interface {
	trellis.Noun
	Common() *trellis.Meta
}](l *LoadBalancers, tx *store.Tx, c *authpolicy.Caller, action, sort, arn string, request map[string]string, keys map[string][]string) (T, error) {
	var n, none T
	key, err := l.keyOf(c, sort, arn)
	if err != nil {
		return none, err
	}
	there := false
	if key != "" {
		if n, err = store.Get[T](tx, key); err != nil && !errors.Is(err, trellis.ErrNotExist) {
			return none, err
		}
		there = err == nil
	}
	var tags map[string]string
	if there {
		tags = n.Common().Tags
	}
	if err := authorize(c, action, arn, request, tags, keys); err != nil {
		return none, err
	}
	if !there {
		return none, notFound(sort, arn)
	}
	return n, nil
}

// authorize asks the caller's policies with the condition keys of tags, those under Elastic Load Balancing's own name too
// (Service authorization reference, Elastic Load Balancing V2).
func authorize(c *authpolicy.Caller, action, arn string, request, resource map[string]string, more map[string][]string) error {
	keys := map[string][]string{}
	for k, v := range more {
		keys[k] = v
	}
	for k, v := range resource {
		keys["elasticloadbalancing:resourcetag/"+strings.ToLower(k)] = []string{v}
	}
	return c.Authorize(service+action, arn, authpolicy.TagKeys(keys, request, resource))
}

// authorizeNew is authorize for an operation that makes a resource: with tags, the caller must be allowed to add them too.
func authorizeNew(c *authpolicy.Caller, action, arn string, tags map[string]string, keys map[string][]string) error {
	if err := authorize(c, action, arn, tags, nil, keys); err != nil || len(tags) == 0 {
		return err
	}
	return authorize(c, "AddTags", arn, tags, nil, map[string][]string{"elasticloadbalancing:createaction": {action}})
}

// meta is the Meta of a resource that is being made.
func (l *LoadBalancers) meta(c *authpolicy.Caller, id string, tags map[string]string) trellis.Meta {
	return l.Meta(c, id, tags)
}

// nameForm is the form of the names of load balancers and target groups (CreateLoadBalancer, CreateTargetGroup).
var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)

// checkName refuses what can't be the name of a load balancer or target group.
func checkName(what, name string) error {
	switch {
	case len(name) > 32:
		return invalid("The %s name '%s' cannot be longer than '32' characters", what, name)
	case !nameForm.MatchString(name):
		return invalid("The %s name '%s' must contain only alphanumeric characters or hyphens, and must not begin or end with a hyphen", what, name)
	}
	return nil
}

// Place says where a load balancer is to have an address.
type Place struct {
	SubnetID string
	IPv4     string // chosen by the client; empty for any
}

// Spec is what CreateLoadBalancer is given; empty members mean AWS's defaults.
type Spec struct {
	Name, Type, Scheme, IPAddressType string
	Places                            []Place
	SecurityGroupIDs                  []string
	Tags                              map[string]string
}

// CreateLoadBalancer makes a load balancer. One of the same name with the same settings is answered as it is.
func (l *LoadBalancers) CreateLoadBalancer(ctx context.Context, c *authpolicy.Caller, in Spec) (b *trellis.LoadBalancer, rev trellis.Revision, err error) {
	if in.Type == "" {
		in.Type = trellis.LoadBalancerApplication
	}
	if in.Scheme == "" {
		in.Scheme = "internet-facing"
	}
	if in.IPAddressType == "" {
		in.IPAddressType = "ipv4"
	}
	if in.Type != trellis.LoadBalancerApplication && in.Type != trellis.LoadBalancerNetwork {
		return nil, 0, bad("OperationNotPermitted", "Trellis has no load balancers of type %s: application and network are served", in.Type)
	}
	if err := checkName("load balancer", in.Name); err != nil {
		return nil, 0, err
	}
	if strings.HasPrefix(in.Name, "internal-") {
		return nil, 0, invalid("The load balancer name '%s' must not begin with 'internal-'", in.Name)
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, 0, err
	}
	b = &trellis.LoadBalancer{Name: in.Name, Type: in.Type, Scheme: in.Scheme, IPAddressType: in.IPAddressType}
	prefix := map[string]string{trellis.LoadBalancerApplication: "app/", trellis.LoadBalancerNetwork: "net/"}[in.Type] + in.Name + "/"
	keys := map[string][]string{"elasticloadbalancing:scheme": {in.Scheme}, "elasticloadbalancing:securitygroup": in.SecurityGroupIDs}
	for _, p := range in.Places {
		keys["elasticloadbalancing:subnet"] = append(keys["elasticloadbalancing:subnet"], p.SubnetID)
	}
	if err := authorizeNew(c, "CreateLoadBalancer", l.arnOf(c, sortLoadBalancer+"/"+prefix+"*"), in.Tags, keys); err != nil {
		return nil, 0, err
	}
	id := trellis.RandomHex(16)
	rev, err = l.Store.Commit(ctx, func(tx *store.Tx) error {
		b.Meta = l.meta(c, prefix+id, in.Tags)
		have, err := store.List[*trellis.LoadBalancer](tx, b.Account+"/")
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(have, func(o *trellis.LoadBalancer) bool { return o.Name == in.Name }); i >= 0 {
			if same(have[i], in) {
				b = have[i]
				return nil
			}
			return bad("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", in.Name)
		}
		alike := 0
		for _, o := range have {
			if o.Type == b.Type {
				alike++
			}
		}
		if err := l.room(tx, b.Account, limited[b.Type].balancers, alike, "TooManyLoadBalancers", b.Type+" load balancers"); err != nil {
			return err
		}
		if err := l.place(tx, b, in.Places); err != nil {
			return err
		}
		if err := l.protect(tx, b, in.SecurityGroupIDs); err != nil {
			return err
		}
		b.DNSName = dnsName(b, l.Region, id)
		tx.Put(b)
		return nil
	})
	return b, rev, err
}

// same tells whether a load balancer has what a request to make one asks for.
func same(b *trellis.LoadBalancer, in Spec) bool {
	want := make([]string, len(in.Places))
	for i, p := range in.Places {
		want[i] = p.SubnetID
	}
	have := trellis.Subnets(b.Interfaces)
	slices.Sort(want)
	slices.Sort(have)
	groups := slices.Sorted(slices.Values(in.SecurityGroupIDs))
	return b.Type == in.Type && b.Scheme == in.Scheme && b.IPAddressType == in.IPAddressType && slices.Equal(want, have) &&
		(len(groups) == 0 || slices.Equal(groups, slices.Sorted(slices.Values(b.SecurityGroupIDs))))
}

// dnsName is the name that AWS would give a load balancer (user guides of both types, DNS name).
func dnsName(b *trellis.LoadBalancer, region, id string) string {
	if b.Type == trellis.LoadBalancerNetwork {
		return b.Name + "-" + id + ".elb." + region + ".amazonaws.com"
	}
	n, _ := strconv.ParseUint(id[:8], 16, 32)
	name := b.Name + "-" + strconv.FormatUint(n, 10) + "." + region + ".elb.amazonaws.com"
	if b.Scheme == "internal" {
		name = "internal-" + name
	}
	return name
}

// families are the addresses that a load balancer has in its subnets, by its type of addresses.
var families = map[string]trellis.IPAddressType{"ipv4": trellis.IPv4Addresses, "dualstack": trellis.DualStackAddresses, "dualstack-without-public-ipv4": trellis.DualStackAddresses}

// place gives a load balancer interfaces in subnets, and keeps those that it has in some of them.
func (l *LoadBalancers) place(tx *store.Tx, b *trellis.LoadBalancer, places []Place) error {
	if len(places) == 0 {
		return invalid("At least one subnet must be specified")
	}
	if b.IPAddressType == "dualstack-without-public-ipv4" && (b.Type != trellis.LoadBalancerApplication || b.Scheme == "internal") {
		return bad("InvalidConfigurationRequest", "The IP address type 'dualstack-without-public-ipv4' is for internet-facing application load balancers")
	}
	zones, chosen, vpc := map[string]bool{}, map[string]string{}, ""
	wasChosen := b.Chosen
	b.Chosen = map[string]bool{}
	var kept []trellis.NetworkInterface
	var fresh []*trellis.Subnet
	for _, p := range places {
		s, err := companion.Get[*trellis.Subnet](tx, b.Account+"/"+p.SubnetID, bad("SubnetNotFound", "The subnet ID '%s' does not exist", p.SubnetID))
		if err != nil {
			return err
		}
		switch {
		case vpc != "" && vpc != s.VPCID, b.VPCID != "" && b.VPCID != s.VPCID:
			return bad("InvalidConfigurationRequest", "The subnets must be in one VPC")
		case zones[s.AvailabilityZone]:
			return bad("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		case b.IPAddressType != "ipv4" && !s.IPv6CIDR.IsValid():
			return bad("InvalidSubnet", "The subnet '%s' has no IPv6 CIDR block, which the IP address type '%s' needs", s.ID, b.IPAddressType)
		case p.IPv4 != "" && (b.Type != trellis.LoadBalancerNetwork || b.Scheme != "internal"):
			return bad("InvalidConfigurationRequest", "A private address can be chosen for internal network load balancers alone")
		}
		vpc, zones[s.AvailabilityZone] = s.VPCID, true
		at := slices.IndexFunc(b.Interfaces, func(n trellis.NetworkInterface) bool { return n.SubnetID == s.ID })
		if at >= 0 && b.Interfaces[at].IPv6.IsValid() == families[b.IPAddressType].Has(true) {
			kept = append(kept, b.Interfaces[at])
			if wasChosen[s.ID] {
				b.Chosen[s.ID] = true
			}
			continue
		}
		if p.IPv4 != "" {
			chosen[s.ID] = p.IPv4
			b.Chosen[s.ID] = true
		}
		fresh = append(fresh, s)
	}
	if b.Type == trellis.LoadBalancerApplication && len(zones) < 2 {
		return invalid("At least two subnets in two different Availability Zones must be specified")
	}
	b.VPCID, b.Interfaces = vpc, kept
	more, err := l.options.Interfaces(tx, b.Account, fresh, families[b.IPAddressType], chosen)
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return bad("InvalidSubnet", "%s", e.Message)
	}
	b.Interfaces = append(kept, more...)
	return err
}

// protect gives a load balancer security groups of its VPC: the default group to an Application Load Balancer without any.
func (l *LoadBalancers) protect(tx *store.Tx, b *trellis.LoadBalancer, ids []string) error {
	if len(ids) == 0 && b.Type == trellis.LoadBalancerApplication {
		groups, err := store.List[*trellis.SecurityGroup](tx, b.Account+"/")
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.VPCID == b.VPCID && g.Name == "default" {
				ids = []string{g.ID}
			}
		}
	}
	for _, id := range ids {
		g, err := companion.Get[*trellis.SecurityGroup](tx, b.Account+"/"+id, bad("InvalidSecurityGroup", "One or more security groups are invalid: '%s'", id))
		if err != nil {
			return err
		}
		if g.VPCID != b.VPCID {
			return bad("InvalidConfigurationRequest", "One or more security groups are invalid: '%s' is not in VPC '%s'", id, b.VPCID)
		}
	}
	b.SecurityGroupIDs = slices.Clone(ids)
	return nil
}

// Filter chooses resources by ARN, name, or what they are of. Nothing chooses all.
type Filter struct {
	ARNs, Names []string
	Of          string // ARN of a load balancer or listener
}

// LoadBalancers returns load balancers of the caller's account. Each that is named must be there.
func (l *LoadBalancers) LoadBalancers(ctx context.Context, c *authpolicy.Caller, f Filter) (found []*trellis.LoadBalancer, err error) {
	err = l.Read(ctx, c, service+"DescribeLoadBalancers", "*", nil, func(tx *store.Tx) error {
		all, err := store.List[*trellis.LoadBalancer](tx, c.Principal.Account+"/")
		if err != nil {
			return err
		}
		found, err = choose(l, c, all, sortLoadBalancer, f, func(b *trellis.LoadBalancer) string { return b.Name })
		return err
	})
	return found, err
}

// choose returns those of some resources that a filter names.
func choose[T trellis.Noun](l *LoadBalancers, c *authpolicy.Caller, all []T, sort string, f Filter, name func(T) string) ([]T, error) {
	if len(f.ARNs)+len(f.Names) == 0 {
		return all, nil
	}
	var found []T
	take := func(what string, is func(T) bool) error {
		i := slices.IndexFunc(all, is)
		if i < 0 {
			return notFound(sort, what)
		}
		if !slices.ContainsFunc(found, func(n T) bool { return n.Key() == all[i].Key() }) {
			found = append(found, all[i])
		}
		return nil
	}
	for _, arn := range f.ARNs {
		key, err := l.keyOf(c, sort, arn)
		if err != nil {
			return nil, err
		}
		if err := take(arn, func(n T) bool { return n.Key() == key }); err != nil {
			return nil, err
		}
	}
	for _, want := range f.Names {
		if err := take(want, func(n T) bool { return name(n) == want }); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Zones are the Availability Zones of the subnets of an account, by subnet: what answers say of load balancers in them.
func (l *LoadBalancers) Zones(ctx context.Context, account string) (zones map[string]string, err error) {
	err = l.Store.Read(ctx, func(tx *store.Tx) error {
		zones = map[string]string{}
		subnets, err := store.List[*trellis.Subnet](tx, account+"/")
		for _, s := range subnets {
			zones[s.ID] = s.AvailabilityZone
		}
		return err
	})
	return zones, err
}

// change changes one load balancer.
func (l *LoadBalancers) change(ctx context.Context, c *authpolicy.Caller, action, arn string, keys map[string][]string, fn func(*store.Tx, *trellis.LoadBalancer) error) (b *trellis.LoadBalancer, rev trellis.Revision, err error) {
	rev, err = l.Store.Commit(ctx, func(tx *store.Tx) error {
		if b, err = named[*trellis.LoadBalancer](l, tx, c, action, sortLoadBalancer, arn, nil, keys); err != nil {
			return err
		}
		if err := fn(tx, b); err != nil {
			return err
		}
		b.UpdatedAt = l.Time()
		tx.Put(b)
		return nil
	})
	return b, rev, err
}

// SetSubnets moves a load balancer to other subnets of its VPC, and to other families of addresses when ipType is not empty.
func (l *LoadBalancers) SetSubnets(ctx context.Context, c *authpolicy.Caller, arn, ipType string, places []Place) (*trellis.LoadBalancer, trellis.Revision, error) {
	return l.change(ctx, c, "SetSubnets", arn, nil, func(tx *store.Tx, b *trellis.LoadBalancer) error {
		if ipType != "" {
			b.IPAddressType = ipType
		}
		return l.place(tx, b, places)
	})
}

// SetIPAddressType gives a load balancer other families of addresses.
func (l *LoadBalancers) SetIPAddressType(ctx context.Context, c *authpolicy.Caller, arn, ipType string) (*trellis.LoadBalancer, trellis.Revision, error) {
	return l.change(ctx, c, "SetIpAddressType", arn, nil, func(tx *store.Tx, b *trellis.LoadBalancer) error {
		b.IPAddressType = ipType
		var places []Place
		for _, n := range b.Interfaces {
			places = append(places, Place{SubnetID: n.SubnetID})
		}
		return l.place(tx, b, places)
	})
}

// SetSecurityGroups gives a load balancer other security groups. privateLink is on, off, or empty for as it was.
func (l *LoadBalancers) SetSecurityGroups(ctx context.Context, c *authpolicy.Caller, arn string, ids []string, privateLink string) (*trellis.LoadBalancer, trellis.Revision, error) {
	return l.change(ctx, c, "SetSecurityGroups", arn, map[string][]string{"elasticloadbalancing:securitygroup": ids}, func(tx *store.Tx, b *trellis.LoadBalancer) error {
		switch {
		case b.Type == trellis.LoadBalancerNetwork && (len(b.SecurityGroupIDs) == 0) != (len(ids) == 0):
			return bad("InvalidConfigurationRequest", "A network load balancer that was made without security groups can't get any, and one with some must keep one")
		case len(ids) == 0:
			return invalid("At least one security group must be specified")
		}
		if privateLink != "" {
			b.PrivateLinkRules = privateLink
		}
		return l.protect(tx, b, ids)
	})
}

// DeleteLoadBalancer removes a load balancer with its listeners and rules. One that is not there is no error.
func (l *LoadBalancers) DeleteLoadBalancer(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	return l.Store.Commit(ctx, func(tx *store.Tx) error {
		b, err := named[*trellis.LoadBalancer](l, tx, c, "DeleteLoadBalancer", sortLoadBalancer, arn, nil, nil)
		if e, ok := errors.AsType[*trellis.Error](err); ok && e.Code == missing[sortLoadBalancer].code {
			return nil
		}
		if err != nil {
			return err
		}
		if b.Attributes["deletion_protection.enabled"] == "true" {
			return bad("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", arn)
		}
		users, err := tx.Marked(targetUse(arn))
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return bad("ResourceInUse", "Load balancer '%s' cannot be deleted because it is registered as a target of '%s'", arn, users[0])
		}
		listeners, err := store.List[*trellis.LoadBalancerListener](tx, b.Key()+"/")
		if err != nil {
			return err
		}
		for _, n := range listeners {
			if err := dropListener(tx, n); err != nil {
				return err
			}
		}
		tx.Delete(b)
		return nil
	})
}
