package trellis

import (
	"strings"
	"time"
)

// AuthType says whether a service network or service authorizes callers.
type AuthType string

// The auth types (VPC Lattice API, CreateService).
const (
	AuthNone AuthType = "NONE"
	AuthIAM  AuthType = "AWS_IAM"
)

// ServiceNetwork is the logical boundary that joins services to the VPCs that may call them.
type ServiceNetwork struct {
	Meta
	Name           string   `json:"name"` // 3 to 63 characters, unique in its account
	AuthType       AuthType `json:"authType"`
	SharingEnabled bool     `json:"sharingEnabled"` // fixed at creation
}

// Kind is KindServiceNetwork.
func (*ServiceNetwork) Kind() Kind { return KindServiceNetwork }

// ARN is arn:aws:vpc-lattice:region:account:servicenetwork/sn-….
func (n *ServiceNetwork) ARN(region string) string {
	return LatticeARN(region, n.Account, "servicenetwork/"+n.ID)
}

// Service is a callable application: a domain name, listeners and their rules.
type Service struct {
	Meta
	Name               string   `json:"name"` // 3 to 40 characters, unique in its account
	AuthType           AuthType `json:"authType"`
	Status             Status   `json:"status"`
	CustomDomainName   string   `json:"customDomainName,omitempty"`
	CertificateARN     string   `json:"certificateArn,omitempty"`
	IdleTimeoutSeconds int      `json:"idleTimeoutSeconds,omitempty"` // 60 to 600, 0 means 60
	FailureCode        string   `json:"failureCode,omitempty"`
	FailureMessage     string   `json:"failureMessage,omitempty"`
}

// Kind is KindService.
func (*Service) Kind() Kind { return KindService }

// ARN is arn:aws:vpc-lattice:region:account:service/svc-….
func (s *Service) ARN(region string) string { return LatticeARN(region, s.Account, "service/"+s.ID) }

// DomainName is the generated name, {name}-{id without svc-}.7d67968.vpc-lattice-svcs.{region}.on.aws
// (VPC Lattice user guide, service-custom-domain-name).
func (s *Service) DomainName(region string) string {
	return s.Name + "-" + strings.TrimPrefix(s.ID, "svc-") + "." + GeneratedDomain(region)
}

// ServiceAssociation puts a service into a service network (AWS: service network service association).
// It belongs to the account that made it; the service and the network may belong to others.
type ServiceAssociation struct {
	Meta
	CreatedBy      string `json:"createdBy"` // account
	Service        Ref    `json:"service"`
	ServiceNetwork Ref    `json:"serviceNetwork"`
	Status         Status `json:"status"`
	FailureCode    string `json:"failureCode,omitempty"`
	FailureMessage string `json:"failureMessage,omitempty"`
}

// Kind is KindServiceAssociation.
func (*ServiceAssociation) Kind() Kind { return KindServiceAssociation }

// ARN is the association's ARN as the viewing account sees it: each of the two accounts sees its own id
// in it (VPC Lattice user guide, sharing).
func (a *ServiceAssociation) ARN(region, viewer string) string {
	return LatticeARN(region, viewer, "servicenetworkserviceassociation/"+a.ID)
}

// VPCAssociation lets the clients of a VPC call what is in a service network (AWS: service network VPC
// association).
type VPCAssociation struct {
	Meta
	CreatedBy         string   `json:"createdBy"` // account
	VPC               Ref      `json:"vpc"`
	ServiceNetwork    Ref      `json:"serviceNetwork"`
	SecurityGroupIDs  []string `json:"securityGroupIds,omitempty"` // at most 5, of the VPC
	PrivateDNSEnabled *bool    `json:"privateDnsEnabled,omitempty"`
	DNSPreference     string   `json:"dnsPreference,omitempty"`
	DNSDomains        []string `json:"dnsDomains,omitempty"`
	Status            Status   `json:"status"`
	FailureCode       string   `json:"failureCode,omitempty"`
	FailureMessage    string   `json:"failureMessage,omitempty"`
	// Slot is the last byte of the link-local address that stands for this association's network inside
	// the VPC: 169.254.171.Slot. It is unique among the VPC's associations, so that each association's
	// security groups guard exactly the services of its network. FirstSlot to LastSlot.
	Slot int `json:"slot"`
}

// Kind is KindVPCAssociation.
func (*VPCAssociation) Kind() Kind { return KindVPCAssociation }

// ARN is the association's ARN as the viewing account sees it.
func (a *VPCAssociation) ARN(region, viewer string) string {
	return LatticeARN(region, viewer, "servicenetworkvpcassociation/"+a.ID)
}

// AuthPolicy is the resource policy of one service or service network.
type AuthPolicy struct {
	Resource  Ref       `json:"resource"` // svc-… or sn-…
	Text      string    `json:"text"`     // the IAM JSON as it was put
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Kind is KindAuthPolicy.
func (*AuthPolicy) Kind() Kind { return KindAuthPolicy }

// Key is the Key of the resource that the policy guards.
func (p *AuthPolicy) Key() string { return p.Resource.Key() }

// AccessLogSubscription sends the access log of a service or service network to a destination.
type AccessLogSubscription struct {
	Meta
	Resource       Ref    `json:"resource"` // svc-… or sn-…
	DestinationARN string `json:"destinationArn"`
	LogType        string `json:"logType,omitempty"` // of a service network: SERVICE or RESOURCE
}

// Kind is KindAccessLogSubscription.
func (*AccessLogSubscription) Kind() Kind { return KindAccessLogSubscription }

// ARN is arn:aws:vpc-lattice:region:account:accesslogsubscription/als-….
func (a *AccessLogSubscription) ARN(region string) string {
	return LatticeARN(region, a.Account, "accesslogsubscription/"+a.ID)
}
