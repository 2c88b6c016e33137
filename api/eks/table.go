// Package eks serves the part of Amazon EKS' API (2017-11-01) that Pod Identity needs: records of Kubernetes clusters that
// others run, and associations of their service accounts with roles. What its operations mean is package identity's
// matter.
package eks

import (
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// handler translates between the wire and identity.
type handler struct{ identity *identity.Identity }

// New returns the service with its table. Not served is what would need a cluster that Trellis runs: add-ons, updates, and
// clusters that are registered by a connector inside of them.
func New(i *identity.Identity) api.Service {
	h := &handler{i}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Unserved("CreateAddon"),
		api.Op("CreateCluster", h.createCluster).Partly("a record of a cluster that others run"),
		api.Op("CreatePodIdentityAssociation", h.createPodIdentityAssociation),
		api.Unserved("DeleteAddon"),
		api.Op("DeleteCluster", h.deleteCluster),
		api.Op("DeletePodIdentityAssociation", h.deletePodIdentityAssociation),
		api.Unserved("DeregisterCluster"),
		api.Op("DescribeAddon", h.describeAddon).Partly("none is there"),
		api.Unserved("DescribeAddonConfiguration"),
		api.Unserved("DescribeAddonVersions"),
		api.Op("DescribeCluster", h.describeCluster),
		api.Op("DescribePodIdentityAssociation", h.describePodIdentityAssociation),
		api.Unserved("DescribeUpdate"),
		api.Op("ListAddons", h.listAddons).Partly("always empty"),
		api.Op("ListClusters", h.listClusters),
		api.Op("ListPodIdentityAssociations", h.listPodIdentityAssociations),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Unserved("ListUpdates"),
		api.Unserved("RegisterCluster"),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Unserved("UpdateAddon"),
		api.Unserved("UpdateClusterConfig"),
		api.Unserved("UpdateClusterVersion"),
		api.Op("UpdatePodIdentityAssociation", h.updatePodIdentityAssociation),
	}}
}

// defaultPage is the size of a page when the caller names none.
const defaultPage = 100

// page cuts a page out of items by their keys.
func page[T any](c *api.Call, items []T, key func(T) string, max *int32, token *string) ([]T, *string, error) {
	items, next, err := api.Cut(c, items, key, token, int(api.Or(max, defaultPage)))
	if err != nil {
		return nil, nil, trellis.NewError(400, "InvalidParameterException", "The nextToken is not valid.")
	}
	return items, next, nil
}
