// Package rolesanywhere serves the API of IAM Roles Anywhere (2018-05-10): trust anchors, profiles, lists of revoked
// certificates, and sessions for who holds a certificate. What its operations mean is in package identity.
package rolesanywhere

import (
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// handler translates between the wire and identity.
type handler struct {
	identity *identity.Identity
	region   string
}

// New returns the service with its complete table.
func New(who *identity.Identity) api.Service {
	h := &handler{who, who.Region()}
	return api.Service{Model: withCreateSession(Model()), Operations: []api.Operation{
		api.Op("CreateProfile", h.createProfile),
		api.Op("CreateSession", h.createSession).ByCertificate(),
		api.Op("CreateTrustAnchor", h.createTrustAnchor),
		api.Op("DeleteAttributeMapping", h.deleteAttributeMapping),
		api.Op("DeleteCrl", h.deleteCrl),
		api.Op("DeleteProfile", h.deleteProfile),
		api.Op("DeleteTrustAnchor", h.deleteTrustAnchor),
		api.Op("DisableCrl", h.disableCrl),
		api.Op("DisableProfile", h.disableProfile),
		api.Op("DisableTrustAnchor", h.disableTrustAnchor),
		api.Op("EnableCrl", h.enableCrl),
		api.Op("EnableProfile", h.enableProfile),
		api.Op("EnableTrustAnchor", h.enableTrustAnchor),
		api.Op("GetCrl", h.getCrl),
		api.Op("GetProfile", h.getProfile),
		api.Op("GetSubject", h.getSubject),
		api.Op("GetTrustAnchor", h.getTrustAnchor),
		api.Op("ImportCrl", h.importCrl),
		api.Op("ListCrls", h.listCrls),
		api.Op("ListProfiles", h.listProfiles),
		api.Op("ListSubjects", h.listSubjects),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Op("ListTrustAnchors", h.listTrustAnchors),
		api.Op("PutAttributeMapping", h.putAttributeMapping),
		api.Op("PutNotificationSettings", h.putNotificationSettings),
		api.Op("ResetNotificationSettings", h.resetNotificationSettings),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Op("UpdateCrl", h.updateCrl),
		api.Op("UpdateProfile", h.updateProfile),
		api.Op("UpdateTrustAnchor", h.updateTrustAnchor),
	}}
}

// pageOf cuts a page out of nouns, which pageSize of the request bounds.
func pageOf[T any](c *api.Call, all []T, id func(T) string, token *string, size *int32) ([]T, *string, error) {
	const most = 100
	n := int(api.Or(size, most))
	if n <= 0 || n > most {
		n = most
	}
	return api.Cut(c, all, id, token, n)
}
