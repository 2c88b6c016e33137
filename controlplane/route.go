package controlplane

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// RouteRequest is what CreateRoute, ReplaceRoute and DeleteRoute ask for.
type RouteRequest struct {
	Table                        string
	CIDR, IPv6CIDR, PrefixListID string   // the destination: one of the three
	Targets                      []string // the ids of targets that the request names: exactly one, but for DeleteRoute
}

// destination reads the destination of a request: a block or a prefix list.
func (r RouteRequest) destination(tx *store.Tx, account string) (trellis.Route, error) {
	named := slices.Concat(one(r.CIDR), one(r.IPv6CIDR), one(r.PrefixListID))
	switch {
	case len(named) == 0:
		return trellis.Route{}, missingParameter("destinationCidrBlock")
	case len(named) > 1:
		return trellis.Route{}, ec2Error("InvalidParameterCombination", "The request must contain exactly one destination")
	case r.PrefixListID != "":
		_, err := findPrefixList(tx, account, r.PrefixListID)
		return trellis.Route{PrefixListID: r.PrefixListID}, err
	}
	b, err := netip.ParsePrefix(named[0])
	if err != nil || b.Addr().Is4() != (r.CIDR != "") || b.Addr().Is4In6() {
		return trellis.Route{}, invalidParameter("destinationCidrBlock", named[0], "This is not a valid CIDR block.")
	}
	return trellis.Route{Destination: b.Masked()}, nil
}

// targetCodes are the codes for targets of kinds that no account has here, by the prefixes of their ids (EC2 API reference, error
// codes).
var targetCodes = map[string]string{
	"nat": "NatGatewayNotFound", "pcx": "InvalidVpcPeeringConnectionID.NotFound", "tgw": "InvalidTransitGatewayID.NotFound", "vgw": "InvalidGatewayID.NotFound",
	"eigw": "InvalidGatewayID.NotFound", "lgw": "InvalidLocalGatewayID.NotFound", "cagw": "InvalidCarrierGatewayID.NotFound",
}

// target checks the target of a request for a route of a VPC.
func (r RouteRequest) target(tx *store.Tx, v *trellis.VPC) (string, error) {
	switch {
	case len(r.Targets) == 0:
		return "", missingParameter("gatewayId")
	case len(r.Targets) > 1:
		return "", ec2Error("InvalidParameterCombination", "The request must contain exactly one target")
	}
	id := r.Targets[0]
	kind, _, _ := strings.Cut(id, "-")
	switch kind {
	case idInternetGateway.prefix:
		g, err := find[*trellis.InternetGateway](tx, idInternetGateway, v.Account, id)
		if err != nil {
			return "", ec2Error("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", id)
		}
		if g.VPCID != v.ID {
			return "", ec2Error("InvalidParameterValue", "internet gateway %s and VPC %s belong to different networks", id, v.ID)
		}
		return id, nil
	case idInstance.prefix, idInterface.prefix:
		k := idInstance
		if kind == idInterface.prefix {
			k = idInterface
		}
		if err := k.check(id); err != nil {
			return "", err
		}
		targets := &routeTargets{tx: tx, account: v.Account}
		if err := targets.load(); err != nil {
			return "", err
		}
		i, free := targets.instances[id], targets.free[id]
		if i == nil && free == nil {
			return "", k.notFound(id)
		}
		if i != nil && i.VPCID != v.ID || free != nil && free.VPCID != v.ID {
			return "", ec2Error("InvalidParameterValue", "route target %s and VPC %s belong to different networks", id, v.ID)
		}
		return id, nil
	}
	if code := targetCodes[kind]; code != "" {
		return "", ec2Error(code, "The target '%s' does not exist", id)
	}
	return "", invalidParameter("gatewayId", id, "Routes lead to internet gateways, instances and network interfaces.")
}

// destinationText is a destination in messages.
func destinationText(r trellis.Route) string {
	if r.PrefixListID != "" {
		return r.PrefixListID
	}
	return r.Destination.String()
}

// sameDestination tells whether a route goes where another does.
func sameDestination(a trellis.Route) func(trellis.Route) bool {
	return func(b trellis.Route) bool { return a.Destination == b.Destination && a.PrefixListID == b.PrefixListID }
}

// latticeBlocks are where VPC Lattice is in an associated VPC.
func latticeBlocks() []netip.Prefix {
	return []netip.Prefix{trellis.LatticeBlock4, trellis.LatticePublicBlock, trellis.LatticeBlock6}
}

// vpcBlocks are all blocks of a VPC.
func vpcBlocks(v *trellis.VPC) []netip.Prefix {
	out := append([]netip.Prefix{v.CIDR}, v.MoreCIDRs...)
	if v.IPv6CIDR.IsValid() {
		out = append(out, v.IPv6CIDR)
	}
	return out
}

// own refuses destinations that the VPC has itself, or that VPC Lattice has in every VPC: those routes are not anybody's to change.
func (r RouteRequest) own(route trellis.Route, v *trellis.VPC, code string) error {
	if slices.Contains(vpcBlocks(v), route.Destination) {
		return ec2Error(code, "The route identified by %s is the local route of the VPC.", destinationText(route))
	}
	if slices.Contains(latticeBlocks(), route.Destination) {
		return ec2Error("InvalidParameterValue", "The route identified by %s is managed by VPC Lattice.", destinationText(route))
	}
	return nil
}

// within refuses a route to an internet gateway for addresses that are the VPC's own.
func within(route trellis.Route, v *trellis.VPC) error {
	for _, b := range vpcBlocks(v) {
		if strings.HasPrefix(route.Target, "igw-") && route.Destination.IsValid() && b.Bits() <= route.Destination.Bits() && b.Contains(route.Destination.Addr()) {
			return invalidParameter("destinationCidrBlock", destinationText(route), "It is more specific than a block of the VPC, which an internet gateway can't be the target of.")
		}
	}
	return nil
}

// CreateRoute adds a route to a route table.
func (p *Plane) CreateRoute(ctx context.Context, c EC2Call, in RouteRequest) (trellis.Revision, error) {
	return p.changeRouteTable(ctx, c, "CreateRoute", in.Table, nil, func(tx *store.Tx, r *trellis.RouteTable, v *trellis.VPC) error {
		route, err := in.destination(tx, c.account())
		if err != nil {
			return err
		}
		if err := in.own(route, v, "RouteAlreadyExists"); err != nil {
			return err
		}
		if route.Target, err = in.target(tx, v); err != nil {
			return err
		}
		if err := within(route, v); err != nil {
			return err
		}
		if i := slices.IndexFunc(r.Routes, sameDestination(route)); i >= 0 {
			if r.Routes[i].Target == route.Target {
				return nil // as on AWS: the same route once more is no error
			}
			return ec2Error("RouteAlreadyExists", "The route identified by %s already exists.", destinationText(route))
		}
		if most, full, err := p.Quotas.Reached(tx, c.account(), quota.RoutesPerTable, len(r.Routes)); err != nil {
			return err
		} else if full {
			return ec2Error("RouteLimitExceeded", "The maximum number of routes of the route table '%s' has been reached: %d.", r.ID, most)
		}
		r.Routes = append(r.Routes, route)
		return nil
	})
}

// noRoute says that a table has no route to a destination.
func noRoute(r *trellis.RouteTable, route trellis.Route) error {
	return ec2Error("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", destinationText(route), r.ID)
}

// ReplaceRoute gives a route another target.
func (p *Plane) ReplaceRoute(ctx context.Context, c EC2Call, in RouteRequest) (trellis.Revision, error) {
	return p.changeRouteTable(ctx, c, "ReplaceRoute", in.Table, nil, func(tx *store.Tx, r *trellis.RouteTable, v *trellis.VPC) error {
		route, err := in.destination(tx, c.account())
		if err != nil {
			return err
		}
		if err := in.own(route, v, "InvalidParameterValue"); err != nil {
			return err
		}
		if route.Target, err = in.target(tx, v); err != nil {
			return err
		}
		if err := within(route, v); err != nil {
			return err
		}
		i := slices.IndexFunc(r.Routes, sameDestination(route))
		if i < 0 {
			return noRoute(r, route)
		}
		r.Routes[i] = route
		return nil
	})
}

// DeleteRoute takes a route from a route table.
func (p *Plane) DeleteRoute(ctx context.Context, c EC2Call, in RouteRequest) (trellis.Revision, error) {
	return p.changeRouteTable(ctx, c, "DeleteRoute", in.Table, nil, func(tx *store.Tx, r *trellis.RouteTable, v *trellis.VPC) error {
		route, err := in.destination(tx, c.account())
		if err != nil {
			return err
		}
		if err := in.own(route, v, "InvalidParameterValue"); err != nil {
			return err
		}
		i := slices.IndexFunc(r.Routes, sameDestination(route))
		if i < 0 {
			return noRoute(r, route)
		}
		r.Routes = slices.Delete(r.Routes, i, i+1)
		return nil
	})
}
