// Package ram serves the part of AWS RAM's API by which accounts share service networks and services of VPC
// Lattice. Package controlplane holds what the operations mean.
package ram

import (
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// handler holds what the operations need.
type handler struct {
	plane  *controlplane.Plane
	region string
}

// New returns the service with its table.
func New(plane *controlplane.Plane) api.Service {
	h := &handler{plane: plane, region: plane.Region}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AcceptResourceShareInvitation", h.acceptInvitation),
		api.Op("AssociateResourceShare", h.associateResourceShare),
		api.Op("CreateResourceShare", h.createResourceShare),
		api.Op("DeleteResourceShare", h.deleteResourceShare),
		api.Op("DisassociateResourceShare", h.disassociateResourceShare),
		api.Op("EnableSharingWithAwsOrganization", h.enableSharing),
		api.Op("GetResourceShareAssociations", h.getAssociations),
		api.Op("GetResourceShareInvitations", h.getInvitations),
		api.Op("GetResourceShares", h.getResourceShares),
		api.Op("ListPermissions", h.listPermissions),
		api.Op("ListPrincipals", h.listPrincipals),
		api.Op("ListResourceSharePermissions", h.listSharePermissions),
		api.Op("ListResources", h.listResources),
		api.Op("RejectResourceShareInvitation", h.rejectInvitation),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Op("UpdateResourceShare", h.updateResourceShare),
	}}
}

// value is what a pointer points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// ptr is a pointer to v.
func ptr[T any](v T) *T { return &v }

// defaultPage is the size of a page when the caller names none.
const defaultPage = 100

// page cuts a page out of items by their keys.
func page[T any](c *api.Call, items []T, key func(T) string, max *int32, token *string) ([]T, *string, error) {
	after, err := c.After(token)
	if err != nil {
		return nil, nil, trellis.NewError(400, "InvalidNextTokenException", "The specified value for NextToken is not valid.")
	}
	slices.SortStableFunc(items, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	if after != "" {
		items = slices.DeleteFunc(items, func(item T) bool { return key(item) <= after })
	}
	n := defaultPage
	if max != nil {
		n = int(*max)
	}
	if len(items) <= n {
		return items, nil, nil
	}
	return items[:n], c.NextToken(key(items[n-1])), nil
}

// each turns nouns into their wire form. The list is never nil: RAM answers empty lists as lists.
func each[T, W any](items []T, wire func(T) W) []W {
	out := make([]W, len(items))
	for i, item := range items {
		out[i] = wire(item)
	}
	return out
}

// done notes the revision of a change, and passes its error on.
func done[Out any](c *api.Call, out *Out, rev trellis.Revision, err error) (*Out, error) {
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return out, nil
}

// matches tells whether a list of wanted values is empty or has v.
func matches(want []string, v string) bool { return len(want) == 0 || slices.Contains(want, v) }
