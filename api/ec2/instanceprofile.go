package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// profileNamed is how a request names an instance profile.
func profileNamed(in *IamInstanceProfileSpecification) controlplane.ProfileNamed {
	if in == nil {
		return controlplane.ProfileNamed{}
	}
	return controlplane.ProfileNamed{ARN: api.Value(in.Arn), Name: api.Value(in.Name)}
}

// wireProfile is an instance profile as the wire has it. The id of one that only stands for a role follows from the role.
func wireProfile(a *trellis.ProfileAssociation) *IamInstanceProfile {
	id := a.ProfileID
	if id == "" {
		id = "AIPA" + profileID(a.ProfileARN)
	}
	return &IamInstanceProfile{Arn: &a.ProfileARN, Id: &id}
}

// profileAssociation is an association as the wire has it.
func profileAssociation(a controlplane.InstanceOfProfile) IamInstanceProfileAssociation {
	return IamInstanceProfileAssociation{AssociationId: &a.ID, IamInstanceProfile: wireProfile(a.ProfileAssociation), InstanceId: &a.InstanceID, State: &a.State}
}

// associateIamInstanceProfile is AssociateIamInstanceProfile.
func (h *handler) associateIamInstanceProfile(ctx context.Context, c *api.Call, in *AssociateIamInstanceProfileInput) (*AssociateIamInstanceProfileOutput, error) {
	a, rev, err := h.plane.AssociateProfile(ctx, caller(c, nil), in.InstanceId, profileNamed(in.IamInstanceProfile))
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &AssociateIamInstanceProfileOutput{IamInstanceProfileAssociation: new(profileAssociation(a))}, nil
}

// disassociateIamInstanceProfile is DisassociateIamInstanceProfile.
func (h *handler) disassociateIamInstanceProfile(ctx context.Context, c *api.Call, in *DisassociateIamInstanceProfileInput) (*DisassociateIamInstanceProfileOutput, error) {
	a, rev, err := h.plane.DisassociateProfile(ctx, caller(c, nil), in.AssociationId)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DisassociateIamInstanceProfileOutput{IamInstanceProfileAssociation: new(profileAssociation(a))}, nil
}

// replaceIamInstanceProfileAssociation is ReplaceIamInstanceProfileAssociation.
func (h *handler) replaceIamInstanceProfileAssociation(ctx context.Context, c *api.Call, in *ReplaceIamInstanceProfileAssociationInput) (*ReplaceIamInstanceProfileAssociationOutput, error) {
	a, rev, err := h.plane.ReplaceProfile(ctx, caller(c, nil), in.AssociationId, profileNamed(in.IamInstanceProfile))
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &ReplaceIamInstanceProfileAssociationOutput{IamInstanceProfileAssociation: new(profileAssociation(a))}, nil
}

// describeIamInstanceProfileAssociations is DescribeIamInstanceProfileAssociations.
func (h *handler) describeIamInstanceProfileAssociations(ctx context.Context, c *api.Call, in *DescribeIamInstanceProfileAssociationsInput) (*DescribeIamInstanceProfileAssociationsOutput, error) {
	all, err := h.plane.ProfileAssociations(ctx, caller(c, nil), query(in.AssociationIds, in.Filters))
	if err != nil {
		return nil, err
	}
	list, next, err := page(c, all, func(a controlplane.InstanceOfProfile) string { return a.ID }, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &DescribeIamInstanceProfileAssociationsOutput{IamInstanceProfileAssociations: api.Each(list, profileAssociation), NextToken: next}, nil
}
