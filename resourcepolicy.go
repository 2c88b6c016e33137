package trellis

import (
	"encoding/json"
	"slices"
	"time"
)

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

// AnyAccount is what the resource policies are found by that do not say by name which accounts they are for.
const AnyAccount = "*"

// Terms are the accounts that the policy allows something by name, and AnyAccount when it may allow others too.
func (p *ResourcePolicy) Terms() []string {
	var doc struct{ Statement json.RawMessage }
	type statement struct {
		Effect    string
		Principal json.RawMessage
	}
	var statements []statement
	if json.Unmarshal([]byte(p.Text), &doc) != nil {
		return []string{AnyAccount}
	}
	if json.Unmarshal(doc.Statement, &statements) != nil {
		statements = make([]statement, 1)
		if json.Unmarshal(doc.Statement, &statements[0]) != nil {
			return []string{AnyAccount}
		}
	}
	var terms []string
	for _, s := range statements {
		if s.Effect == "Allow" {
			terms = append(terms, accountsOf(s.Principal)...)
		}
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// accountsOf are the accounts of a statement's Principal, {"AWS": …} with one or several, or AnyAccount.
func accountsOf(principal json.RawMessage) []string {
	var named map[string]json.RawMessage
	if json.Unmarshal(principal, &named) != nil || len(named) == 0 {
		return []string{AnyAccount}
	}
	var accounts []string
	for typ, names := range named {
		var list []string
		if typ != "AWS" {
			continue // services and federated users have no account that a policy could reach
		}
		if json.Unmarshal(names, &list) != nil {
			list = make([]string, 1)
			if json.Unmarshal(names, &list[0]) != nil {
				return []string{AnyAccount}
			}
		}
		for _, name := range list {
			if a, err := ParseARN(name); err == nil {
				name = a.Account
			}
			if !IsAccountID(name) {
				name = AnyAccount
			}
			accounts = append(accounts, name)
		}
	}
	return accounts
}
