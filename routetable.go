package trellis

import "net/netip"

// RouteTable says where the packets of subnets go. It is a record: it is kept and shown, and no packet asks it. The main
// table of a VPC is stored only once it differs from what a new VPC has.
type RouteTable struct {
	Meta
	VPCID        string                  `json:"vpcId"`
	Routes       []Route                 `json:"routes,omitempty"`       // besides those to the VPC's own blocks
	Associations []RouteTableAssociation `json:"associations,omitempty"` // explicit ones
}

// Route is one route of a RouteTable, to exactly one of Destination and PrefixListID.
type Route struct {
	Destination  netip.Prefix `json:"destination,omitzero"`
	PrefixListID string       `json:"prefixListId,omitempty"`
	Target       string       `json:"target"` // igw-…, i-… or eni-…
}

// RouteTableAssociation joins a route table and a subnet, or an internet gateway for what comes in by it.
type RouteTableAssociation struct {
	ID        string `json:"id"` // rtbassoc-…
	SubnetID  string `json:"subnetId,omitempty"`
	GatewayID string `json:"gatewayId,omitempty"`
}

// Kind is KindRouteTable.
func (*RouteTable) Kind() Kind { return KindRouteTable }

// ARN is arn:aws:ec2:region:account:route-table/rtb-….
func (r *RouteTable) ARN(region string) string { return EC2ARN(region, r.Account, "route-table/"+r.ID) }
