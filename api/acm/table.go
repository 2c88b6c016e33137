// Package acm serves the API of AWS Certificate Manager (2015-12-08): certificates that are imported, and those that
// the authority of this installation issues. What its operations mean is in package controlplane.
package acm

import (
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// handler translates between the wire and the control plane.
type handler struct {
	plane  *controlplane.Plane
	region string
}

// New returns the service with its complete table. Not served are ACME, private keys that leave Trellis, and events.
func New(plane *controlplane.Plane) api.Service {
	h := &handler{plane, plane.Region}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AddTagsToCertificate", h.addTagsToCertificate),
		api.Unserved("CreateAcmeDomainValidation"),
		api.Unserved("CreateAcmeEndpoint"),
		api.Unserved("CreateAcmeExternalAccountBinding"),
		api.Unserved("DeleteAcmeDomainValidation"),
		api.Unserved("DeleteAcmeEndpoint"),
		api.Unserved("DeleteAcmeExternalAccountBinding"),
		api.Op("DeleteCertificate", h.deleteCertificate),
		api.Unserved("DescribeAcmeAccount"),
		api.Unserved("DescribeAcmeDomainValidation"),
		api.Unserved("DescribeAcmeEndpoint"),
		api.Unserved("DescribeAcmeExternalAccountBinding"),
		api.Op("DescribeCertificate", h.describeCertificate),
		api.Unserved("ExportCertificate"),
		api.Unserved("GetAccountConfiguration"),
		api.Unserved("GetAcmeExternalAccountBindingCredentials"),
		api.Op("GetCertificate", h.getCertificate),
		api.Op("ImportCertificate", h.importCertificate),
		api.Unserved("ListAcmeAccounts"),
		api.Unserved("ListAcmeDomainValidations"),
		api.Unserved("ListAcmeEndpoints"),
		api.Unserved("ListAcmeExternalAccountBindings"),
		api.Unserved("ListCertificateDomainValidations"),
		api.Op("ListCertificates", h.listCertificates),
		api.Op("ListTagsForCertificate", h.listTagsForCertificate),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Unserved("PutAccountConfiguration"),
		api.Op("RemoveTagsFromCertificate", h.removeTagsFromCertificate),
		api.Unserved("RenewCertificate"),
		api.Op("RequestCertificate", h.requestCertificate).Partly("issued at once by the authority of this installation; validation by mail is refused"),
		api.Unserved("ResendValidationEmail"),
		api.Unserved("RevokeAcmeAccount"),
		api.Unserved("RevokeAcmeExternalAccountBinding"),
		api.Unserved("RevokeCertificate"),
		api.Unserved("SearchCertificates"),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Unserved("UpdateAcmeDomainValidation"),
		api.Unserved("UpdateAcmeEndpoint"),
		api.Unserved("UpdateCertificateOptions"),
	}}
}
