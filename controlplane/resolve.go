package controlplane

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// resourceKind is how the API names one kind of resource.
type resourceKind struct {
	path     string // in ARNs, for example servicenetwork
	typ      string // in errors, for example SERVICE_NETWORK
	describe string // the action that a share must give for the resource to be visible at all; empty: not shareable
}

// The kinds of resources that an identifier, an id or an ARN, can name. Only SERVICE and SERVICE_NETWORK
// are known from AWS's own errors; the other types follow their pattern.
var (
	networkKind             = resourceKind{"servicenetwork", "SERVICE_NETWORK", "vpc-lattice:GetServiceNetwork"}
	serviceKind             = resourceKind{"service", "SERVICE", "vpc-lattice:GetService"}
	targetGroupKind         = resourceKind{"targetgroup", "TARGET_GROUP", ""}
	serviceAssociationKind  = resourceKind{"servicenetworkserviceassociation", "SERVICE_NETWORK_SERVICE_ASSOCIATION", ""}
	vpcAssociationKind      = resourceKind{"servicenetworkvpcassociation", "SERVICE_NETWORK_VPC_ASSOCIATION", ""}
	subscriptionKind        = resourceKind{"accesslogsubscription", "ACCESS_LOG_SUBSCRIPTION", ""}
	gatewayKind             = resourceKind{"resourcegateway", "RESOURCE_GATEWAY", ""}
	configurationKind       = resourceKind{"resourceconfiguration", "RESOURCE_CONFIGURATION", "vpc-lattice:GetResourceConfiguration"}
	resourceAssociationKind = resourceKind{"servicenetworkresourceassociation", "SERVICE_NETWORK_RESOURCE_ASSOCIATION", ""}
	endpointAssociationKind = resourceKind{"resourceendpointassociation", "RESOURCE_ENDPOINT_ASSOCIATION", ""}
	verificationKind        = resourceKind{"domainverification", "DOMAIN_VERIFICATION", ""}
)

// owned is a noun that an account owns and an ARN names.
type owned interface {
	trellis.Noun
	Common() *trellis.Meta
	ARN(region string) string
}

// ref takes an identifier apart. A bare id means the caller's own account. What cannot be a resource of the
// kind in this region is not found.
func (p *Plane) ref(c *authpolicy.Caller, identifier string, kind resourceKind) (trellis.Ref, error) {
	if !strings.HasPrefix(identifier, "arn:") {
		if identifier == "" || strings.ContainsAny(identifier, "/:*") {
			return trellis.Ref{}, trellis.NotFound(kind.typ, identifier)
		}
		return trellis.Ref{Account: account(c), ID: identifier}, nil
	}
	a, err := trellis.ParseARN(identifier)
	id, ok := strings.CutPrefix(a.Resource, kind.path+"/")
	if err != nil || !ok || a.Partition != "aws" || a.Service != "vpc-lattice" || a.Region != p.Region ||
		!trellis.IsAccountID(a.Account) || id == "" || strings.ContainsAny(id, "/:*") {
		return trellis.Ref{}, trellis.NotFound(kind.typ, trellis.LastPart(identifier))
	}
	return trellis.Ref{Account: a.Account, ID: id}, nil
}

// resolve returns the noun that an identifier names, if the caller's policies allow action on it and, when it
// belongs to another account, a share does too. What a share does not show is answered as what does not
// exist; what it shows, but for other actions, as denied.
func resolve[T owned](p *Plane, tx *store.Tx, c *authpolicy.Caller, identifier string, kind resourceKind, action string, k keys) (T, error) {
	var none T
	ref, err := p.ref(c, identifier, kind)
	if err != nil {
		return none, err
	}
	arn := trellis.LatticeARN(p.Region, ref.Account, kind.path+"/"+ref.ID)
	n, err := store.Get[T](tx, ref.Key())
	missing := errors.Is(err, trellis.ErrNotExist)
	if err != nil && !missing {
		return none, err
	}
	if !missing && ref.Account == account(c) {
		k = authpolicy.TagKeys(maps.Clone(k), nil, n.Common().Tags)
	}
	if err := authorize(c, action, k, arn); err != nil {
		return none, err
	}
	if missing {
		return none, trellis.NotFound(kind.typ, ref.ID)
	}
	return n, p.reach(tx, c, ref, arn, kind, action, k)
}

// reach checks that a resource is the caller's own or that a share gives it for action, with the condition keys of the operation.
func (p *Plane) reach(tx *store.Tx, c *authpolicy.Caller, ref trellis.Ref, arn string, kind resourceKind, action string, k keys) error {
	switch {
	case ref.Account == account(c), kind.describe != "" && p.SharedWith(tx, c, arn, action, k):
		return nil
	case kind.describe == "" || !p.SharedWith(tx, c, arn, kind.describe, nil):
		return trellis.NotFound(kind.typ, ref.ID)
	default:
		return trellis.Denied("User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %s action",
			c.Principal.ARN, action, arn, action)
	}
}

// own returns a noun of the caller's account by its identifier, as resolve does, but never a shared one.
func own[T owned](p *Plane, tx *store.Tx, c *authpolicy.Caller, identifier string, kind resourceKind, action string, k keys) (T, error) {
	n, err := resolve[T](p, tx, c, identifier, kind, action, k)
	if err == nil && n.Common().Account != account(c) {
		var none T
		return none, notOwner(c, action, n.ARN(p.Region))
	}
	return n, err
}

// notOwner refuses an operation that only the owner of a resource may do.
func notOwner(c *authpolicy.Caller, action, arn string) error {
	return trellis.Denied("User: %s is not authorized to perform: %s on resource: %s because it belongs to another account",
		c.Principal.ARN, action, arn)
}

// visible lists what the caller owns of a kind and what shares show to it, sorted by id.
func visible[T owned](p *Plane, tx *store.Tx, c *authpolicy.Caller, kind resourceKind) ([]T, error) {
	own, err := store.List[T](tx, account(c)+"/")
	if err != nil {
		return nil, err
	}
	others, err := shown[T](p, tx, c, kind)
	return byID(append(own, others...)), err
}

// visiblePage is a page of visible, for which no more of what the caller owns is read, and the position that it ends at.
func visiblePage[T owned](p *Plane, tx *store.Tx, c *authpolicy.Caller, kind resourceKind, pg Page) (items []T, next string, err error) {
	after := ""
	if pg.After != "" {
		after = account(c) + "/" + pg.After
	}
	own, more, err := store.Page[T](tx, account(c)+"/", after, pg.size())
	if err != nil {
		return nil, "", err
	}
	others, err := shown[T](p, tx, c, kind)
	if err != nil {
		return nil, "", err
	}
	id := func(n T) string { return n.Common().ID }
	items, next = paginate(byID(append(own, others...)), id, pg)
	if next == "" && more != "" { // the page is full of the caller's own
		next = id(items[len(items)-1])
	}
	return items, next, nil
}

// byID sorts nouns by their ids.
func byID[T owned](items []T) []T {
	slices.SortFunc(items, func(a, b T) int { return strings.Compare(a.Common().ID, b.Common().ID) })
	return items
}

// shown lists what shares show of a kind to the caller.
func shown[T owned](p *Plane, tx *store.Tx, c *authpolicy.Caller, kind resourceKind) (items []T, err error) {
	r, err := p.reachOf(tx, account(c))
	if err != nil {
		return nil, err
	}
	for _, arn := range r.resources("") {
		ref, err := p.ref(c, arn, kind)
		if err != nil || !r.opens(c, arn, kind.describe, nil) {
			continue // of another kind or region, or not to be seen
		}
		n, err := store.Get[T](tx, ref.Key())
		if errors.Is(err, trellis.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		items = append(items, n)
	}
	return items, nil
}
