package controlplane

import (
	"context"
	"errors"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// NewVPCEndpoint is what CreateVpcEndpoint asks for.
type NewVPCEndpoint struct {
	Type              trellis.EndpointType
	VPCID             string
	ServiceNetworkARN string // of an endpoint of type ServiceNetwork
	ConfigurationARN  string // of one of type Resource
	SubnetIDs         []string
	SecurityGroupIDs  []string              // the default group of the VPC when empty
	IPAddressType     trellis.IPAddressType // IPV4 when empty
	PrivateDNSEnabled bool
	DNSPreference     string
	DNSDomains        []string
	ClientToken       string
	Tags              map[string]string
}

// idVPCEndpoint is the kind of the ids of VPC endpoints.
var idVPCEndpoint = idKind{prefix: "vpce", code: "InvalidVpcEndpointId", noun: "Vpc Endpoint Id"}

// CreateVPCEndpoint makes an endpoint of a service network or a resource configuration in subnets of a VPC. It is
// pending until this node carries it.
func (p *Plane) CreateVPCEndpoint(ctx context.Context, c EC2Call, in NewVPCEndpoint) (*DescribedEndpoint, trellis.Revision, error) {
	arns := []string{p.ec2ARN(c, "vpc-endpoint/*"), p.ec2ARN(c, "vpc/"+in.VPCID)}
	for _, id := range in.SubnetIDs {
		arns = append(arns, p.ec2ARN(c, "subnet/"+id))
	}
	for _, id := range in.SecurityGroupIDs {
		arns = append(arns, p.ec2ARN(c, "security-group/"+id))
	}
	if err := in.check(); err != nil {
		return nil, 0, err
	}
	var out *DescribedEndpoint
	rev, err := p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "CreateVpcEndpoint", authpolicy.TagKeys(nil, in.Tags, nil), arns...); err != nil {
			return err
		}
		e, err := store.Once(tx, c.account()+"/CreateVpcEndpoint", in.ClientToken, in, func() (*trellis.VPCEndpoint, error) {
			return p.makeVPCEndpoint(tx, c, in)
		})
		if err == nil {
			out, err = p.viewEndpoint(tx, e)
		}
		return err
	})
	return out, rev, err
}

// check finds what is wrong with the parameters by themselves.
func (in *NewVPCEndpoint) check() error {
	if in.IPAddressType == "" {
		in.IPAddressType = trellis.IPv4Addresses
	}
	other := in.ConfigurationARN
	switch {
	case in.Type == trellis.ServiceNetworkEndpoint && in.ServiceNetworkARN == "":
		return missingParameter("ServiceNetworkArn")
	case in.Type == trellis.ResourceEndpoint && in.ConfigurationARN == "":
		return missingParameter("ResourceConfigurationArn")
	case in.Type == trellis.ResourceEndpoint:
		other = in.ServiceNetworkARN
	case in.Type != trellis.ServiceNetworkEndpoint:
		if in.Type == "" {
			in.Type = "Gateway" // EC2's default
		}
		return ec2Error("UnsupportedOperation", "VPC endpoints of type %s are not served: the types are ServiceNetwork and Resource.", in.Type)
	}
	switch {
	case other != "":
		return ec2Error("InvalidParameterCombination", "A VPC endpoint has either a service network or a resource configuration.")
	case in.VPCID == "":
		return missingParameter("VpcId")
	case len(in.SubnetIDs) == 0:
		return missingParameter("SubnetId")
	}
	if err := checkPrivateDNS(in.DNSPreference, in.DNSDomains); err != nil {
		return err
	}
	return checkEndpointGroups(in.SecurityGroupIDs)
}

// checkEndpointGroups bounds the security groups of an endpoint.
func checkEndpointGroups(ids []string) error {
	if len(ids) > 5 {
		return ec2Error("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
	}
	return nil
}

// makeVPCEndpoint puts a new endpoint with its interfaces.
func (p *Plane) makeVPCEndpoint(tx *store.Tx, c EC2Call, in NewVPCEndpoint) (*trellis.VPCEndpoint, error) {
	v, err := find[*trellis.VPC](tx, idVPC, c.account(), in.VPCID)
	if err != nil {
		return nil, err
	}
	subnets, err := p.endpointSubnets(tx, v, nil, in.SubnetIDs, in.IPAddressType)
	if err != nil {
		return nil, err
	}
	meta, err := p.ec2Meta(tx, c, idVPCEndpoint, in.Tags)
	if err != nil {
		return nil, err
	}
	e := &trellis.VPCEndpoint{Meta: meta, Type: in.Type, VPCID: v.ID, IPAddressType: in.IPAddressType, PrivateDNSEnabled: in.PrivateDNSEnabled,
		DNSPreference: in.DNSPreference, DNSDomains: in.DNSDomains, State: trellis.EndpointPending}
	if e.SecurityGroupIDs, err = endpointGroups(tx, v, in.SecurityGroupIDs); err != nil {
		return nil, err
	}
	if e.Interfaces, err = newInterfaces(tx, v.Account, subnets, in.IPAddressType); err != nil {
		return nil, err
	}
	for _, id := range e.SecurityGroupIDs {
		tx.Mark(securityGroupUse(v.Account+"/"+id), e.Key())
	}
	if in.Type == trellis.ServiceNetworkEndpoint {
		err = p.joinNetwork(tx, c, e, in.ServiceNetworkARN)
	} else {
		err = p.joinConfiguration(tx, c, e, in.ConfigurationARN)
	}
	if err != nil {
		return nil, err
	}
	tx.Put(e)
	return e, privateDNSClash(tx, e)
}

// endpointSubnets finds subnets that an endpoint shall have besides those that it has.
func (p *Plane) endpointSubnets(tx *store.Tx, v *trellis.VPC, has, ids []string, t trellis.IPAddressType) (out []*trellis.Subnet, err error) {
	zones := map[string]bool{}
	for _, id := range has {
		s, err := store.Get[*trellis.Subnet](tx, v.Account+"/"+id)
		if err != nil {
			return nil, err
		}
		zones[s.AvailabilityZone] = true
	}
	for i, id := range ids {
		s, err := find[*trellis.Subnet](tx, idSubnet, v.Account, id)
		switch {
		case err != nil:
			return nil, err
		case s.VPCID != v.ID:
			return nil, ec2Error("InvalidParameter", "Subnet %s is not in the VPC %s.", id, v.ID)
		case slices.Contains(ids[:i], id) || slices.Contains(has, id) || p.Strict && zones[s.AvailabilityZone]:
			return nil, ec2Error("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of %s. VPC endpoint subnets should be in different availability zones supported by the VPC endpoint service.", id)
		case t.Has(true) && !s.IPv6CIDR.IsValid():
			return nil, ec2Error("InvalidParameter", "The subnet '%s' has no IPv6 CIDR block", id)
		}
		zones[s.AvailabilityZone] = true
		out = append(out, s)
	}
	return out, nil
}

// endpointGroups checks the security groups of an endpoint; without any it is the VPC's default group.
func endpointGroups(tx *store.Tx, v *trellis.VPC, ids []string) ([]string, error) {
	if len(ids) > 0 {
		return groupsOfVPC(tx, v.Account, v.ID, ids)
	}
	groups, err := store.List[*trellis.SecurityGroup](tx, v.Account+"/")
	for _, g := range groups {
		if g.VPCID == v.ID && g.Name == defaultGroupName {
			return []string{g.ID}, nil
		}
	}
	return nil, err
}

// joinNetwork gives an endpoint its place in a service network. The caller's policies must allow that on the network,
// and of another account's network its share.
func (p *Plane) joinNetwork(tx *store.Tx, c EC2Call, e *trellis.VPCEndpoint, arn string) error {
	const action = "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation"
	k := keys{"vpc-lattice:vpcid": {e.VPCID}, "vpc-lattice:servicenetworkarn": {arn}, "vpc-lattice:securitygroupids": e.SecurityGroupIDs}
	n, err := resolve[*trellis.ServiceNetwork](p, tx, c.Caller, arn, networkKind, action, k)
	if err != nil {
		return ofEC2(err, "ServiceNetworkArn", arn)
	}
	have, err := tx.Marked(networkEndpoints(n.Key()))
	if err != nil {
		return err
	}
	if _, full, err := p.Quotas.Reached(tx, n.Account, quota.EndpointsPerNetwork, len(have)); err != nil {
		return err
	} else if full {
		return ec2Error("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints of service network %s has been reached.", n.ID)
	}
	e.ServiceNetwork, e.AssociationID = n.Ref(), trellis.NewID("snea")
	tx.Mark(networkEndpoints(n.Key()), e.Key())
	return nil
}

// joinConfiguration joins an endpoint with a resource configuration that the caller sees.
func (p *Plane) joinConfiguration(tx *store.Tx, c EC2Call, e *trellis.VPCEndpoint, arn string) error {
	m, err := p.seenConfiguration(tx, c.Caller, arn, "vpc-lattice:GetResourceConfiguration")
	if err != nil {
		return ofEC2(err, "ResourceConfigurationArn", arn)
	}
	if m.Type == trellis.ChildConfiguration {
		return invalidParameter("ResourceConfigurationArn", arn, "It is a child: an endpoint leads to its group.")
	}
	if err := p.ready(configurationKind.typ, m.ID, m.Status); err != nil {
		return ofEC2(err, "ResourceConfigurationArn", arn)
	}
	a := &trellis.ResourceEndpointAssociation{Meta: p.meta(c.Caller, "rea", nil), Configuration: m.Ref(), EndpointID: e.ID}
	e.Configuration, e.AssociationID = m.Ref(), a.ID
	tx.Mark(configurationEndpoints(m.Key()), a.Key())
	markForeign(tx, &a.Meta, a.Configuration)
	tx.Put(a)
	return nil
}

// ofEC2 is an error of VPC Lattice about what a parameter names, as EC2 answers it.
func ofEC2(err error, parameter, value string) error {
	var e *trellis.Error
	switch {
	case !errors.As(err, &e):
		return err
	case e.Code == "AccessDeniedException":
		return unauthorized(err)
	case e.Code == "ResourceNotFoundException":
		return invalidParameter(parameter, value, "It does not exist, or is not shared with you.")
	}
	return invalidParameter(parameter, value, e.Message)
}

// VPCEndpointChange is what ModifyVpcEndpoint can change; nil and empty leave as it is.
type VPCEndpointChange struct {
	AddSubnets, RemoveSubnets []string
	AddGroups, RemoveGroups   []string
	PrivateDNSEnabled         *bool
	DNSPreference             *string
	DNSDomains                []string
}

// ModifyVPCEndpoint changes an endpoint. It keeps carrying traffic meanwhile.
func (p *Plane) ModifyVPCEndpoint(ctx context.Context, c EC2Call, id string, ch VPCEndpointChange) (trellis.Revision, error) {
	arns := []string{p.ec2ARN(c, "vpc-endpoint/"+id)}
	for _, subnet := range slices.Concat(ch.AddSubnets, ch.RemoveSubnets) {
		arns = append(arns, p.ec2ARN(c, "subnet/"+subnet))
	}
	for _, group := range slices.Concat(ch.AddGroups, ch.RemoveGroups) {
		arns = append(arns, p.ec2ARN(c, "security-group/"+group))
	}
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "ModifyVpcEndpoint", nil, arns...); err != nil {
			return err
		}
		e, err := find[*trellis.VPCEndpoint](tx, idVPCEndpoint, c.account(), id)
		if err != nil {
			return err
		}
		if !e.Carries() && e.State != trellis.EndpointPending {
			return ec2Error("IncorrectState", "The VPC endpoint '%s' is in the state %s.", id, e.State)
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), e.VPCID)
		if err != nil {
			return err
		}
		if len(ch.AddSubnets)+len(ch.RemoveSubnets) > 0 {
			if err := p.changeSubnets(tx, v, e, ch); err != nil {
				return err
			}
		}
		if len(ch.AddGroups)+len(ch.RemoveGroups) > 0 {
			if err := changeGroups(tx, v, e, ch); err != nil {
				return err
			}
		}
		if ch.PrivateDNSEnabled != nil {
			e.PrivateDNSEnabled = *ch.PrivateDNSEnabled
		}
		if ch.DNSPreference != nil {
			e.DNSPreference, e.DNSDomains = *ch.DNSPreference, ch.DNSDomains
		} else if ch.DNSDomains != nil {
			e.DNSDomains = ch.DNSDomains
		}
		if err := checkPrivateDNS(e.DNSPreference, e.DNSDomains); err != nil {
			return err
		}
		e.UpdatedAt = p.now()
		tx.Put(e)
		return privateDNSClash(tx, e)
	})
}

// changeSubnets takes interfaces from an endpoint, and gives it new ones.
func (p *Plane) changeSubnets(tx *store.Tx, v *trellis.VPC, e *trellis.VPCEndpoint, ch VPCEndpointChange) error {
	for _, id := range ch.RemoveSubnets {
		i := slices.Index(trellis.Subnets(e.Interfaces), id)
		if i < 0 {
			return ec2Error("InvalidParameter", "The VPC endpoint '%s' is not in the subnet %s.", e.ID, id)
		}
		e.Interfaces = slices.Delete(e.Interfaces, i, i+1)
	}
	subnets, err := p.endpointSubnets(tx, v, trellis.Subnets(e.Interfaces), ch.AddSubnets, e.IPAddressType)
	if err != nil {
		return err
	}
	added, err := newInterfaces(tx, v.Account, subnets, e.IPAddressType)
	if err != nil {
		return err
	}
	if e.Interfaces = append(e.Interfaces, added...); len(e.Interfaces) == 0 {
		return ec2Error("InvalidParameter", "A VPC endpoint is in one subnet at least.")
	}
	e.Changing = true
	return nil
}

// changeGroups gives an endpoint other security groups.
func changeGroups(tx *store.Tx, v *trellis.VPC, e *trellis.VPCEndpoint, ch VPCEndpointChange) error {
	left := slices.DeleteFunc(slices.Clone(e.SecurityGroupIDs), func(id string) bool { return slices.Contains(ch.RemoveGroups, id) })
	ids, err := groupsOfVPC(tx, v.Account, v.ID, append(left, ch.AddGroups...))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return ec2Error("InvalidParameter", "A VPC endpoint has one security group at least.")
	}
	if err := checkEndpointGroups(ids); err != nil {
		return err
	}
	for _, id := range e.SecurityGroupIDs {
		tx.Unmark(securityGroupUse(v.Account+"/"+id), e.Key())
	}
	for _, id := range ids {
		tx.Mark(securityGroupUse(v.Account+"/"+id), e.Key())
	}
	e.SecurityGroupIDs = ids
	return nil
}

// DeleteVPCEndpoints begins to delete endpoints, each by itself: those that can't be are in failed, with the reason.
func (p *Plane) DeleteVPCEndpoints(ctx context.Context, c EC2Call, ids []string) (failed map[string]*trellis.Error, rev trellis.Revision, err error) {
	if len(ids) == 0 {
		return nil, 0, missingParameter("VpcEndpointId")
	}
	var arns []string
	for _, id := range ids {
		arns = append(arns, p.ec2ARN(c, "vpc-endpoint/"+id))
	}
	err = p.read(ctx, func(tx *store.Tx) error { return p.allow(tx, c, "DeleteVpcEndpoints", nil, arns...) })
	if err != nil {
		return nil, 0, err
	}
	failed = map[string]*trellis.Error{}
	for _, id := range ids {
		at, err := p.ec2Commit(ctx, func(tx *store.Tx) error {
			e, err := find[*trellis.VPCEndpoint](tx, idVPCEndpoint, c.account(), id)
			if err != nil || e.State == trellis.EndpointDeleting {
				return err
			}
			e.State, e.UpdatedAt = trellis.EndpointDeleting, p.now()
			tx.Put(e)
			return nil
		})
		var refused *trellis.Error
		if errors.As(err, &refused) {
			failed[id] = refused
		} else if err != nil {
			return nil, 0, err
		}
		rev = max(rev, at)
	}
	return failed, rev, nil
}

// nextVPCEndpoint moves an endpoint on.
func (p *Plane) nextVPCEndpoint(e *trellis.VPCEndpoint) *settling {
	key, seen := e.Key(), e.State
	switch {
	case seen == trellis.EndpointPending || e.Carries() && e.Changing:
		s := &settling{step: func(tx *store.Tx) (bool, error) {
			e, err := store.Get[*trellis.VPCEndpoint](tx, key)
			if err != nil || e.State != seen {
				return false, err
			}
			again, full, err := p.leadToAll(tx, e)
			if again || err != nil {
				return again, err
			}
			e.State, e.Changing = trellis.EndpointAvailable, false
			if full {
				e.State = trellis.EndpointPartial
			}
			tx.Put(e)
			return false, nil
		}}
		if seen == trellis.EndpointPending {
			s.shown = trellis.EndpointPending
		}
		return s
	case seen == trellis.EndpointRejected:
		return &settling{step: func(tx *store.Tx) (bool, error) {
			e, err := store.Get[*trellis.VPCEndpoint](tx, key)
			if err != nil || e.State != seen {
				return false, err
			}
			return dropAddresses(tx, e)
		}}
	case seen == trellis.EndpointDeleting:
		return &settling{step: func(tx *store.Tx) (bool, error) {
			e, err := store.Get[*trellis.VPCEndpoint](tx, key)
			if err != nil || e.State != seen {
				return false, err
			}
			if again, err := dropAddresses(tx, e); again || err != nil {
				return again, err
			}
			dropVPCEndpoint(tx, e)
			return false, nil
		}}
	}
	return nil
}

// dropVPCEndpoint removes an endpoint with what it holds.
func dropVPCEndpoint(tx *store.Tx, e *trellis.VPCEndpoint) {
	for _, id := range e.SecurityGroupIDs {
		tx.Unmark(securityGroupUse(e.Account+"/"+id), e.Key())
	}
	if e.Type == trellis.ServiceNetworkEndpoint {
		tx.Unmark(networkEndpoints(e.ServiceNetwork.Key()), e.Key())
	} else {
		dropEndpointAssociation(tx, e)
	}
	releaseEC2ID(tx, e.ID)
	tx.Delete(e)
}

// dropEndpointAssociation parts an endpoint from its resource configuration, if that wasn't done before.
func dropEndpointAssociation(tx *store.Tx, e *trellis.VPCEndpoint) {
	a := &trellis.ResourceEndpointAssociation{Meta: trellis.Meta{Account: e.Account, ID: e.AssociationID}, Configuration: e.Configuration, EndpointID: e.ID}
	tx.Unmark(configurationEndpoints(e.Configuration.Key()), a.Key())
	unmarkForeign(tx, &a.Meta, a.Configuration)
	tx.Delete(a)
}
