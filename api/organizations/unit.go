package organizations

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wireUnit is an organizational unit as answers have it.
func wireUnit(u *trellis.OrganizationalUnit, o *trellis.Organization) OrganizationalUnit {
	return OrganizationalUnit{Arn: new(identity.OrgARN(o, "ou", u.ID)), Id: &u.ID, Name: &u.Name}
}

// createOrganizationalUnit serves CreateOrganizationalUnit.
func (h *handlers) createOrganizationalUnit(ctx context.Context, call *api.Call, in *CreateOrganizationalUnitInput) (*CreateOrganizationalUnitOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	u, o, rev, err := h.identity.CreateUnit(ctx, call.Caller, in.ParentId, in.Name, tags)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreateOrganizationalUnitOutput{OrganizationalUnit: new(wireUnit(u, o))}, nil
}

// describeOrganizationalUnit serves DescribeOrganizationalUnit.
func (h *handlers) describeOrganizationalUnit(ctx context.Context, call *api.Call, in *DescribeOrganizationalUnitInput) (*DescribeOrganizationalUnitOutput, error) {
	u, o, place, err := h.identity.DescribeUnit(ctx, call.Caller, in.OrganizationalUnitId)
	if err != nil {
		return nil, err
	}
	out := wireUnit(u, o)
	out.Path = &place
	return &DescribeOrganizationalUnitOutput{OrganizationalUnit: &out}, nil
}

// updateOrganizationalUnit serves UpdateOrganizationalUnit.
func (h *handlers) updateOrganizationalUnit(ctx context.Context, call *api.Call, in *UpdateOrganizationalUnitInput) (*UpdateOrganizationalUnitOutput, error) {
	name := ""
	if in.Name != nil {
		name = *in.Name
	}
	u, o, rev, err := h.identity.RenameUnit(ctx, call.Caller, in.OrganizationalUnitId, name)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &UpdateOrganizationalUnitOutput{OrganizationalUnit: new(wireUnit(u, o))}, nil
}

// deleteOrganizationalUnit serves DeleteOrganizationalUnit.
func (h *handlers) deleteOrganizationalUnit(ctx context.Context, call *api.Call, in *DeleteOrganizationalUnitInput) (*DeleteOrganizationalUnitOutput, error) {
	rev, err := h.identity.DeleteUnit(ctx, call.Caller, in.OrganizationalUnitId)
	return api.Done(call, new(DeleteOrganizationalUnitOutput), rev, err)
}

// listOrganizationalUnitsForParent serves ListOrganizationalUnitsForParent.
func (h *handlers) listOrganizationalUnitsForParent(ctx context.Context, call *api.Call, in *ListOrganizationalUnitsForParentInput) (*ListOrganizationalUnitsForParentOutput, error) {
	units, o, err := h.identity.ListUnits(ctx, call.Caller, in.ParentId)
	if err != nil {
		return nil, err
	}
	units, next, err := page(call, units, (*trellis.OrganizationalUnit).Key, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &ListOrganizationalUnitsForParentOutput{NextToken: next, OrganizationalUnits: []OrganizationalUnit{}}
	for _, u := range units {
		out.OrganizationalUnits = append(out.OrganizationalUnits, wireUnit(u, o))
	}
	return out, nil
}
