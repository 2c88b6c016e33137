package controlplane

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// idInternetGateway is the kind of the ids of internet gateways.
var idInternetGateway = idKind{prefix: "igw", code: "InvalidInternetGatewayID", noun: "internetGateway ID"}

// CreateInternetGateway makes an internet gateway that is attached to no VPC.
func (p *Plane) CreateInternetGateway(ctx context.Context, c EC2Call, tags map[string]string) (g *trellis.InternetGateway, rev trellis.Revision, err error) {
	if err := c.allow("CreateInternetGateway", authpolicy.TagKeys(nil, tags, nil), p.ec2ARN(c, "internet-gateway/*")); err != nil {
		return nil, 0, err
	}
	have, err := count[*trellis.InternetGateway](ctx, p, c.account()+"/")
	if err != nil {
		return nil, 0, err
	}
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := ec2Room[*trellis.InternetGateway](p, tx, c, quota.InternetGateways, have, "InternetGatewayLimitExceeded"); err != nil {
			return err
		}
		meta, err := p.ec2Meta(tx, c, idInternetGateway, tags)
		if err != nil {
			return err
		}
		g = &trellis.InternetGateway{Meta: meta}
		tx.Put(g)
		return nil
	})
	return g, rev, err
}

// InternetGateways is DescribeInternetGateways.
func (p *Plane) InternetGateways(ctx context.Context, c EC2Call, q Query) ([]*trellis.InternetGateway, error) {
	return describe(ctx, p, c, "DescribeInternetGateways", idInternetGateway, q, &trellis.InternetGateway{}, func(_ *store.Tx, g *trellis.InternetGateway) (attributes, map[string]string) {
		a := attributes{"internet-gateway-id": {g.ID}, "owner-id": {g.Account}, "attachment.vpc-id": one(g.VPCID), "attachment.state": nil}
		if g.VPCID != "" {
			a["attachment.state"] = []string{"available"}
		}
		return a, g.Tags
	})
}

// internetGatewayOf is the internet gateway of a VPC, nil when it has none.
func internetGatewayOf(tx *store.Tx, v *trellis.VPC) (*trellis.InternetGateway, error) {
	all, err := store.List[*trellis.InternetGateway](tx, v.Account+"/")
	if i := slices.IndexFunc(all, func(g *trellis.InternetGateway) bool { return g.VPCID == v.ID }); i >= 0 {
		return all[i], err
	}
	return nil, err
}

// AttachInternetGateway attaches a gateway to a VPC. Each is attached to one of the other at most.
func (p *Plane) AttachInternetGateway(ctx context.Context, c EC2Call, id, vpc string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "AttachInternetGateway", nil, p.ec2ARN(c, "internet-gateway/"+id), p.ec2ARN(c, "vpc/"+vpc)); err != nil {
			return err
		}
		g, err := find[*trellis.InternetGateway](tx, idInternetGateway, c.account(), id)
		if err != nil {
			return err
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), vpc)
		if err != nil {
			return err
		}
		if g.VPCID != "" {
			return ec2Error("Resource.AlreadyAssociated", "resource %s is already attached to network %s", g.ID, g.VPCID)
		}
		switch other, err := internetGatewayOf(tx, v); {
		case err != nil:
			return err
		case other != nil:
			return ec2Error("InvalidParameterValue", "Network %s already has an internet gateway attached", v.ID)
		}
		g.VPCID, g.UpdatedAt = v.ID, p.now()
		tx.Put(g)
		return nil
	})
}

// DetachInternetGateway parts a gateway from its VPC. Routes to it become blackholes.
func (p *Plane) DetachInternetGateway(ctx context.Context, c EC2Call, id, vpc string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DetachInternetGateway", nil, p.ec2ARN(c, "internet-gateway/"+id), p.ec2ARN(c, "vpc/"+vpc)); err != nil {
			return err
		}
		g, err := find[*trellis.InternetGateway](tx, idInternetGateway, c.account(), id)
		if err != nil {
			return err
		}
		if err := idVPC.check(vpc); err != nil {
			return err
		}
		if g.VPCID != vpc {
			return ec2Error("Gateway.NotAttached", "resource %s is not attached to network %s", g.ID, vpc)
		}
		g.VPCID, g.UpdatedAt = "", p.now()
		tx.Put(g)
		return nil
	})
}

// DeleteInternetGateway removes a gateway that is attached to no VPC.
func (p *Plane) DeleteInternetGateway(ctx context.Context, c EC2Call, id string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DeleteInternetGateway", nil, p.ec2ARN(c, "internet-gateway/"+id)); err != nil {
			return err
		}
		g, err := find[*trellis.InternetGateway](tx, idInternetGateway, c.account(), id)
		if err != nil {
			return err
		}
		if g.VPCID != "" {
			return ec2Error("DependencyViolation", "The internetGateway '%s' has dependencies and cannot be deleted.", g.ID)
		}
		releaseEC2ID(tx, g.ID)
		tx.Delete(g)
		return nil
	})
}
