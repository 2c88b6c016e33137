package controlplane

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// DescribedEndpoint is a VPC endpoint with its security groups.
type DescribedEndpoint struct {
	*trellis.VPCEndpoint
	Groups []*trellis.SecurityGroup // in the order of SecurityGroupIDs
}

// viewEndpoint adds the security groups of an endpoint, and the state to show.
func (p *Plane) viewEndpoint(tx *store.Tx, e *trellis.VPCEndpoint) (*DescribedEndpoint, error) {
	d := &DescribedEndpoint{VPCEndpoint: e}
	e.State = p.shownState(e)
	for _, id := range e.SecurityGroupIDs {
		g, err := store.Get[*trellis.SecurityGroup](tx, e.Account+"/"+id)
		if err != nil {
			return nil, err
		}
		d.Groups = append(d.Groups, g)
	}
	return d, nil
}

// shownState is the state of an endpoint as it is shown: available only once the traffic side carries it.
func (p *Plane) shownState(e *trellis.VPCEndpoint) string {
	if _, unsettled := p.unsettled.Load(string(e.Kind()) + "/" + e.Key()); unsettled && e.Carries() {
		return trellis.EndpointPending
	}
	return e.State
}

// VPCEndpoints is DescribeVpcEndpoints.
func (p *Plane) VPCEndpoints(ctx context.Context, c EC2Call, q Query) ([]*DescribedEndpoint, error) {
	var views []*DescribedEndpoint
	list, err := describe(ctx, p, c, "DescribeVpcEndpoints", idVPCEndpoint, q, &trellis.VPCEndpoint{}, func(_ *store.Tx, e *trellis.VPCEndpoint) (attributes, map[string]string) {
		return attributes{"vpc-id": {e.VPCID}, "vpc-endpoint-id": {e.ID}, "vpc-endpoint-state": {p.shownState(e)}, "vpc-endpoint-type": {string(e.Type)},
			"service-name": nil, "service-region": {p.Region}}, e.Tags
	})
	if err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		views = nil
		for _, e := range list {
			d, err := p.viewEndpoint(tx, e)
			if errors.Is(err, trellis.ErrNotExist) {
				d, err = &DescribedEndpoint{VPCEndpoint: e}, nil // it went with its group meanwhile
			}
			if err != nil {
				return err
			}
			views = append(views, d)
		}
		return nil
	})
	return views, err
}

// EndpointLead is one thing that a VPC endpoint leads to: a service or a resource.
type EndpointLead struct {
	ID            string // of the lead itself
	Endpoint      *trellis.VPCEndpoint
	Network       *trellis.ServiceNetwork // nil for an endpoint of type Resource
	ResourceARN   string                  // of the service or resource configuration
	GroupARN      string                  // of a child's group
	Name          string                  // by which clients reach it
	PrivateName   string                  // or by this one; may be empty
	Accessible    bool
	FailureReason string // why it is not accessible
}

// EndpointLeads is DescribeVpcEndpointAssociations: what the caller's endpoints lead to, by endpoint and lead.
func (p *Plane) EndpointLeads(ctx context.Context, c EC2Call, q Query) ([]EndpointLead, error) {
	if err := c.allow("DescribeVpcEndpointAssociations", nil, "*"); err != nil {
		return nil, err
	}
	attrs := func(l EndpointLead) attributes {
		a := attributes{"vpc-endpoint-id": {l.Endpoint.ID}, "association-id": {l.ID}, "associated-resource-id": {trellis.LastPart(l.ResourceARN)},
			"associated-resource-accessibility": {l.Accessibility()}, "service-network-arn": nil, "resource-configuration-group-arn": one(l.GroupARN)}
		if l.Network != nil {
			a["service-network-arn"] = []string{l.Network.ARN(p.Region)}
		}
		return a
	}
	if err := q.check(attrs(EndpointLead{Endpoint: &trellis.VPCEndpoint{}})); err != nil {
		return nil, err
	}
	var out []EndpointLead
	err := p.read(ctx, func(tx *store.Tx) error {
		out = nil
		endpoints, err := queried[*trellis.VPCEndpoint](tx, idVPCEndpoint, c.account(), q.IDs)
		if err != nil {
			return err
		}
		for _, e := range endpoints {
			all, err := p.endpointLeads(tx, e)
			if err != nil {
				return err
			}
			for _, l := range all {
				ok, err := q.matches(attrs(l), nil)
				if err != nil {
					return err
				}
				if ok {
					out = append(out, l)
				}
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b EndpointLead) int {
		return cmp.Or(cmp.Compare(a.Endpoint.ID, b.Endpoint.ID), cmp.Compare(a.ID, b.ID))
	})
	return out, err
}

// Accessibility is Accessible or Inaccessible, as EC2 writes it.
func (l EndpointLead) Accessibility() string {
	if l.Accessible {
		return "Accessible"
	}
	return "Inaccessible"
}

// endpointLeads lists what one endpoint leads to.
func (p *Plane) endpointLeads(tx *store.Tx, e *trellis.VPCEndpoint) (out []EndpointLead, err error) {
	if e.State == trellis.EndpointRejected || e.State == trellis.EndpointDeleting {
		return nil, nil
	}
	var n *trellis.ServiceNetwork
	if e.Type == trellis.ServiceNetworkEndpoint {
		if n, err = store.Get[*trellis.ServiceNetwork](tx, e.ServiceNetwork.Key()); err != nil {
			return nil, err
		}
		services, err := markedAssociations[*trellis.ServiceAssociation](tx, networkServices(n.Key()))
		if err != nil {
			return nil, err
		}
		for _, a := range services {
			s, err := store.Get[*trellis.Service](tx, a.Service.Key())
			if err != nil {
				return nil, err
			}
			out = append(out, EndpointLead{ID: DerivedID("vpce-asc", e.ID+" "+a.ID), Endpoint: e, Network: n, ResourceARN: s.ARN(p.Region),
				Name: e.ServiceName(p.Region, a.ID), PrivateName: s.CustomDomainName, Accessible: e.Carries() && a.Status.Carries()})
		}
	}
	resources, err := leads(tx, e)
	if err != nil {
		return nil, err
	}
	for _, l := range resources {
		m, err := store.Get[*trellis.ResourceConfiguration](tx, l.configuration.Key())
		if err != nil {
			return nil, err
		}
		r := EndpointLead{ID: DerivedID("vpce-asc", e.ID+" "+m.ID), Endpoint: e, Network: n, ResourceARN: m.ARN(p.Region), Accessible: e.Carries(),
			Name: e.ResourceName(p.Region, l.association.ID, m.ID)}
		if m.GroupID != "" {
			r.GroupARN = trellis.LatticeARN(p.Region, m.Account, configurationKind.path+"/"+m.GroupID)
		}
		if e.PrivateDNSEnabled {
			r.PrivateName = m.CustomDomainName
		}
		at, err := store.Get[*trellis.EndpointAddress](tx, e.Key()+"/"+m.ID)
		switch {
		case errors.Is(err, trellis.ErrNotExist):
			r.Accessible, r.FailureReason = false, "The subnets of the endpoint have no free address."
		case err != nil:
			return nil, err
		case len(at.Addresses) < len(e.Interfaces):
			r.FailureReason = "A subnet of the endpoint has no free address."
		}
		out = append(out, r)
	}
	return out, nil
}
