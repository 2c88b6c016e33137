package controlplane

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// mainRouteTable is the id of the main route table of a VPC. A new VPC's follows from its own id.
func mainRouteTable(v *trellis.VPC) string {
	if v.MainRouteTableID != "" {
		return v.MainRouteTableID
	}
	return DerivedID("rtb", v.ID)
}

// mainAssociation is the id of the association of a VPC with its main route table.
func mainAssociation(v *trellis.VPC) string {
	if v.MainRouteTableID != "" {
		return DerivedID("rtbassoc", v.ID+" "+v.MainRouteTableID)
	}
	return DerivedID("rtbassoc", v.ID)
}

// freshMainTable is the main route table that a VPC is born with, as it is until somebody changes it.
func freshMainTable(v *trellis.VPC) []*trellis.RouteTable {
	if v.MainRouteTableID != "" {
		return nil
	}
	return []*trellis.RouteTable{{Meta: trellis.Meta{Account: v.Account, ID: DerivedID("rtb", v.ID), CreatedAt: v.CreatedAt, UpdatedAt: v.CreatedAt}, VPCID: v.ID}}
}

// routeTables lists the route tables of an account, stored or not, and its VPCs by id.
func routeTables(tx *store.Tx, account string) ([]*trellis.RouteTable, map[string]*trellis.VPC, error) {
	return born(tx, account, freshMainTable)
}

// findRouteTable finds a route table of an account, with its VPC.
func findRouteTable(tx *store.Tx, account, id string) (*trellis.RouteTable, *trellis.VPC, error) {
	tables, vpcs, err := routeTables(tx, account)
	if err != nil {
		return nil, nil, err
	}
	if tables, err = named(tables, idRouteTable, id); err != nil {
		return nil, nil, err
	}
	return tables[0], vpcs[tables[0].VPCID], nil
}

// changeRouteTable changes a route table in one transaction, after the caller's policies have allowed an action on it and on
// further ARNs.
func (p *Plane) changeRouteTable(ctx context.Context, c EC2Call, action, id string, further []string, change func(*store.Tx, *trellis.RouteTable, *trellis.VPC) error) (trellis.Revision, error) {
	return changeBorn(ctx, p, c, findRouteTable, action, "route-table", id, further, change)
}

// CreateRouteTable makes a route table of a VPC, with its local routes alone.
func (p *Plane) CreateRouteTable(ctx context.Context, c EC2Call, vpc, token string, tags map[string]string) (out DescribedRouteTable, rev trellis.Revision, err error) {
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "CreateRouteTable", authpolicy.TagKeys(nil, tags, nil), p.ec2ARN(c, "route-table/*"), p.ec2ARN(c, "vpc/"+vpc)); err != nil {
			return err
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), vpc)
		if err != nil {
			return err
		}
		made, err := store.Once(tx, c.account()+"/CreateRouteTable", token, []any{vpc, tags}, func() (*trellis.RouteTable, error) {
			tables, _, err := routeTables(tx, c.account())
			if err != nil {
				return nil, err
			}
			tables = slices.DeleteFunc(tables, func(r *trellis.RouteTable) bool { return r.VPCID != v.ID })
			if most, full, err := p.Quotas.Reached(tx, c.account(), quota.RouteTablesPerVPC, len(tables)); err != nil {
				return nil, err
			} else if full {
				return nil, ec2Error("RouteTableLimitExceeded", "The maximum number of route tables of the vpc '%s' has been reached: %d.", v.ID, most)
			}
			meta, err := p.ec2Meta(tx, c, idRouteTable, tags)
			if err != nil {
				return nil, err
			}
			r := &trellis.RouteTable{Meta: meta, VPCID: v.ID}
			tx.Put(r)
			return r, nil
		})
		if err != nil {
			return err
		}
		out, err = describeRouteTable(tx, made, v, &routeTargets{tx: tx, account: c.account()})
		return err
	})
	return out, rev, err
}

// DeleteRouteTable removes a route table that is not main and that nothing is associated with.
func (p *Plane) DeleteRouteTable(ctx context.Context, c EC2Call, id string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DeleteRouteTable", nil, p.ec2ARN(c, "route-table/"+id)); err != nil {
			return err
		}
		r, v, err := findRouteTable(tx, c.account(), id)
		if err != nil {
			return err
		}
		if len(r.Associations) > 0 || v != nil && mainRouteTable(v) == r.ID {
			return ec2Error("DependencyViolation", "The routeTable '%s' has dependencies and cannot be deleted.", r.ID)
		}
		releaseEC2ID(tx, r.ID)
		tx.Delete(r)
		return nil
	})
}

// AssociateRouteTable associates a route table with a subnet, or with the internet gateway of its VPC. Neither may have
// another table.
func (p *Plane) AssociateRouteTable(ctx context.Context, c EC2Call, id, subnet, gateway string) (association string, rev trellis.Revision, err error) {
	if (subnet == "") == (gateway == "") {
		return "", 0, ec2Error("InvalidParameterCombination", "The request must contain exactly one of subnetId and gatewayId")
	}
	further := p.ec2ARN(c, "subnet/"+subnet)
	if gateway != "" {
		further = p.ec2ARN(c, "internet-gateway/"+gateway)
	}
	rev, err = p.changeRouteTable(ctx, c, "AssociateRouteTable", id, []string{further}, func(tx *store.Tx, r *trellis.RouteTable, _ *trellis.VPC) error {
		var vpc string
		if subnet != "" {
			s, err := find[*trellis.Subnet](tx, idSubnet, c.account(), subnet)
			if err != nil {
				return err
			}
			vpc = s.VPCID
		} else {
			g, err := find[*trellis.InternetGateway](tx, idInternetGateway, c.account(), gateway)
			if err != nil {
				return err
			}
			vpc = g.VPCID
		}
		if vpc != r.VPCID {
			return ec2Error("InvalidParameterValue", "route table %s and %s%s belong to different networks", r.ID, subnet, gateway)
		}
		tables, _, err := routeTables(tx, c.account())
		if err != nil {
			return err
		}
		for _, other := range tables {
			for _, a := range other.Associations {
				if a.SubnetID != subnet || a.GatewayID != gateway {
					continue
				}
				if other.ID == r.ID {
					association = a.ID // as before
					return nil
				}
				return ec2Error("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", r.ID)
			}
		}
		association = trellis.NewID("rtbassoc")
		r.Associations = append(r.Associations, trellis.RouteTableAssociation{ID: association, SubnetID: subnet, GatewayID: gateway})
		return nil
	})
	return association, rev, err
}

// noAssociation says that there is no such association.
func noAssociation(id string) error {
	return ec2Error("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
}

// associated finds the route table with an explicit association, and the association.
func associated(tables []*trellis.RouteTable, id string) (*trellis.RouteTable, int) {
	for _, r := range tables {
		if i := slices.IndexFunc(r.Associations, func(a trellis.RouteTableAssociation) bool { return a.ID == id }); i >= 0 {
			return r, i
		}
	}
	return nil, 0
}

// DisassociateRouteTable ends an explicit association: the subnet has the main table again.
func (p *Plane) DisassociateRouteTable(ctx context.Context, c EC2Call, association string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		tables, vpcs, err := routeTables(tx, c.account())
		if err != nil {
			return err
		}
		r, i := associated(tables, association)
		id, main := "*", false
		if r != nil {
			id = r.ID
		}
		for _, v := range vpcs {
			if mainAssociation(v) == association {
				id, main = mainRouteTable(v), true
			}
		}
		if err := p.allow(tx, c, "DisassociateRouteTable", nil, p.ec2ARN(c, "route-table/"+id)); err != nil {
			return err
		}
		if main {
			return ec2Error("InvalidParameterValue", "cannot disassociate the main route table association %s", association)
		}
		if r == nil {
			return noAssociation(association)
		}
		r.Associations, r.UpdatedAt = slices.Delete(r.Associations, i, i+1), p.now()
		tx.Put(r)
		return nil
	})
}

// ReplaceRouteTableAssociation gives a subnet or gateway another route table, or a VPC another main one. The association gets a new
// id.
func (p *Plane) ReplaceRouteTableAssociation(ctx context.Context, c EC2Call, association, id string) (made string, rev trellis.Revision, err error) {
	rev, err = p.changeRouteTable(ctx, c, "ReplaceRouteTableAssociation", id, nil, func(tx *store.Tx, r *trellis.RouteTable, v *trellis.VPC) error {
		tables, vpcs, err := routeTables(tx, c.account())
		if err != nil {
			return err
		}
		other := ec2Error("InvalidParameterValue", "route table %s and association %s belong to different networks", r.ID, association)
		for _, of := range vpcs {
			if mainAssociation(of) != association {
				continue
			}
			if of.ID != r.VPCID {
				return other
			}
			// The table that the VPC was born with is stored from now on: nothing else says that it is there.
			if before, _, err := findRouteTable(tx, c.account(), mainRouteTable(of)); err != nil {
				return err
			} else if before.ID != r.ID {
				tx.Put(before)
			}
			v.MainRouteTableID, v.UpdatedAt = r.ID, p.now()
			tx.Put(v)
			made = mainAssociation(v)
			return nil
		}
		from, i := associated(tables, association)
		if from == nil {
			return noAssociation(association)
		}
		if from.VPCID != r.VPCID {
			return other
		}
		moved := from.Associations[i]
		moved.ID = trellis.NewID("rtbassoc")
		made = moved.ID
		if from.ID == r.ID {
			r.Associations[i] = moved
			return nil
		}
		from.Associations, from.UpdatedAt = slices.Delete(from.Associations, i, i+1), p.now()
		tx.Put(from)
		r.Associations = append(r.Associations, moved)
		return nil
	})
	return made, rev, err
}

// leaveRouteTables ends the explicit association of a subnet that is going away.
func leaveRouteTables(tx *store.Tx, s *trellis.Subnet) error {
	tables, err := store.List[*trellis.RouteTable](tx, s.Account+"/")
	for _, r := range tables {
		if i := slices.IndexFunc(r.Associations, func(a trellis.RouteTableAssociation) bool { return a.SubnetID == s.ID }); i >= 0 {
			r.Associations = slices.Delete(r.Associations, i, i+1)
			tx.Put(r)
		}
	}
	return err
}

// routingOf returns the stored main route table of a VPC, nil when it is not stored, and whether other tables or an internet
// gateway keep the VPC from being deleted.
func routingOf(tx *store.Tx, v *trellis.VPC) (main trellis.Owned, held bool, err error) {
	tables, err := store.List[*trellis.RouteTable](tx, v.Account+"/")
	if err != nil {
		return nil, false, err
	}
	for _, r := range tables {
		switch {
		case r.VPCID != v.ID:
		case r.ID == mainRouteTable(v):
			main = r
		default:
			held = true
		}
	}
	g, err := internetGatewayOf(tx, v)
	return main, held || g != nil, err
}

// DescribedRouteTable is a route table with all its routes and, when it is main, that association.
type DescribedRouteTable struct {
	*trellis.RouteTable
	MainAssociation string // empty for one that is not main
	AllRoutes       []DescribedRoute
}

// DescribedRoute is a route as it stands.
type DescribedRoute struct {
	trellis.Route
	Origin            string // CreateRouteTable or CreateRoute
	State             string // active, or blackhole when the target is gone
	Instance, Network string // the instance and the network interface that the target is
}

// routeTargets knows what the targets of the routes of an account are. It reads them once.
type routeTargets struct {
	tx        *store.Tx
	account   string
	read      bool
	gateways  map[string]string                           // id to VPC
	instances map[string]*trellis.Instance                // by their ids and those of their interfaces
	free      map[string]*trellis.ElasticNetworkInterface // that no instance has
}

// load reads what is there.
func (t *routeTargets) load() error {
	if t.read {
		return nil
	}
	t.read, t.gateways, t.instances, t.free = true, map[string]string{}, map[string]*trellis.Instance{}, map[string]*trellis.ElasticNetworkInterface{}
	gateways, err := store.List[*trellis.InternetGateway](t.tx, t.account+"/")
	if err != nil {
		return err
	}
	for _, g := range gateways {
		t.gateways[g.ID] = g.VPCID
	}
	instances, err := store.List[*trellis.Instance](t.tx, t.account+"/")
	if err != nil {
		return err
	}
	for _, i := range instances {
		if i.State != trellis.InstanceTerminated {
			t.instances[i.ID], t.instances[i.InterfaceID] = i, i
		}
	}
	interfaces, err := store.List[*trellis.ElasticNetworkInterface](t.tx, t.account+"/")
	for _, n := range interfaces {
		if n.Attachment == nil {
			t.free[n.ID] = n
		} else {
			t.instances[n.ID] = t.instances[n.Attachment.InstanceID]
		}
	}
	return err
}

// describe is a stored route as it stands.
func (t *routeTargets) describe(r trellis.Route, vpc string) (DescribedRoute, error) {
	d := DescribedRoute{Route: r, Origin: "CreateRoute", State: "active"}
	if err := t.load(); err != nil {
		return d, err
	}
	if strings.HasPrefix(r.Target, "igw-") {
		if t.gateways[r.Target] != vpc {
			d.State = "blackhole"
		}
		return d, nil
	}
	i := t.instances[r.Target]
	if i == nil {
		d.State = "blackhole"
		if strings.HasPrefix(r.Target, "i-") {
			d.Instance = r.Target
		} else {
			d.Network = r.Target
		}
		return d, nil
	}
	if d.Instance, d.Network = i.ID, i.InterfaceID; strings.HasPrefix(r.Target, "eni-") {
		d.Network = r.Target
	}
	if i.State != trellis.InstanceRunning && i.State != trellis.InstancePending {
		d.State = "blackhole"
	}
	return d, nil
}

// describeRouteTable completes a route table: with the local routes, and while a service network is associated with the VPC, what goes
// to VPC Lattice (VPC Lattice user guide, resource configurations).
func describeRouteTable(tx *store.Tx, r *trellis.RouteTable, v *trellis.VPC, targets *routeTargets) (DescribedRouteTable, error) {
	d := DescribedRouteTable{RouteTable: r}
	if mainRouteTable(v) == r.ID {
		d.MainAssociation = mainAssociation(v)
	}
	for _, b := range vpcBlocks(v) {
		d.AllRoutes = append(d.AllRoutes, DescribedRoute{Route: trellis.Route{Destination: b, Target: "local"}, Origin: "CreateRouteTable", State: "active"})
	}
	associations, err := tx.Marked(vpcNetworks(v.Key()))
	if err != nil {
		return d, err
	}
	if len(associations) > 0 {
		for _, b := range latticeBlocks() {
			d.AllRoutes = append(d.AllRoutes, DescribedRoute{Route: trellis.Route{Destination: b, Target: "VpcLattice"}, Origin: "CreateRoute", State: "active"})
		}
	}
	for _, route := range r.Routes {
		one, err := targets.describe(route, v.ID)
		if err != nil {
			return d, err
		}
		d.AllRoutes = append(d.AllRoutes, one)
	}
	return d, nil
}

// RouteTables is DescribeRouteTables.
func (p *Plane) RouteTables(ctx context.Context, c EC2Call, q Query) ([]DescribedRouteTable, error) {
	if err := c.allow("DescribeRouteTables", nil, "*"); err != nil {
		return nil, err
	}
	if err := q.check(routeTableAttributes(DescribedRouteTable{RouteTable: &trellis.RouteTable{}})); err != nil {
		return nil, err
	}
	var out []DescribedRouteTable
	err := p.read(ctx, func(tx *store.Tx) error {
		out = nil
		tables, vpcs, err := routeTables(tx, c.account())
		if err != nil {
			return err
		}
		if tables, err = named(tables, idRouteTable, q.IDs...); err != nil {
			return err
		}
		targets := &routeTargets{tx: tx, account: c.account()}
		for _, r := range tables {
			if vpcs[r.VPCID] == nil {
				continue
			}
			d, err := describeRouteTable(tx, r, vpcs[r.VPCID], targets)
			if err != nil {
				return err
			}
			if ok, err := q.matches(routeTableAttributes(d), r.Tags); err != nil {
				return err
			} else if ok {
				out = append(out, d)
			}
		}
		return nil
	})
	return out, err
}

// routeTableAttributes are the filters of DescribeRouteTables (EC2 API reference).
func routeTableAttributes(d DescribedRouteTable) attributes {
	a := attributes{
		"vpc-id": {d.VPCID}, "route-table-id": {d.ID}, "owner-id": {d.Account}, "association.route-table-id": nil, "association.main": nil,
		"association.route-table-association-id": nil, "association.subnet-id": nil, "association.gateway-id": nil,
		"route.destination-cidr-block": nil, "route.destination-ipv6-cidr-block": nil, "route.destination-prefix-list-id": nil, "route.gateway-id": nil,
		"route.instance-id": nil, "route.origin": nil, "route.state": nil, "route.egress-only-internet-gateway-id": nil, "route.nat-gateway-id": nil,
		"route.transit-gateway-id": nil, "route.vpc-peering-connection-id": nil,
	}
	add := func(name, v string) {
		if v != "" {
			a[name] = append(a[name], v)
		}
	}
	if d.MainAssociation != "" {
		add("association.main", "true")
		add("association.route-table-id", d.ID)
		add("association.route-table-association-id", d.MainAssociation)
	}
	for _, as := range d.Associations {
		add("association.main", "false")
		add("association.route-table-id", d.ID)
		add("association.route-table-association-id", as.ID)
		add("association.subnet-id", as.SubnetID)
		add("association.gateway-id", as.GatewayID)
	}
	for _, r := range d.AllRoutes {
		switch {
		case r.PrefixListID != "":
			add("route.destination-prefix-list-id", r.PrefixListID)
		case r.Destination.Addr().Is4():
			add("route.destination-cidr-block", r.Destination.String())
		default:
			add("route.destination-ipv6-cidr-block", r.Destination.String())
		}
		add("route.origin", r.Origin)
		add("route.state", r.State)
		add("route.instance-id", r.Instance)
		if r.Instance+r.Network == "" {
			add("route.gateway-id", r.Target)
		}
	}
	return a
}
