package trellis

import "time"

// ResourcePolicy is the policy by which the owner of a service network, service or resource configuration lets other
// accounts use it in operations of the API, as a resource share does (VPC Lattice API, PutResourcePolicy). Requests on the data
// plane ask the AuthPolicy.
type ResourcePolicy struct {
	Resource  Ref       `json:"resource"` // sn-…, svc-… or rcfg-…
	Text      string    `json:"text"`     // the IAM JSON as it was put
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Kind is KindResourcePolicy.
func (*ResourcePolicy) Kind() Kind { return KindResourcePolicy }

// Key is the Key of the resource.
func (p *ResourcePolicy) Key() string { return p.Resource.Key() }
