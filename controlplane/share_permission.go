package controlplane

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// The resource types that can be shared (AWS RAM user guide, shareable AWS resources).
const (
	ShareServiceNetwork        = "vpc-lattice:ServiceNetwork"
	ShareService               = "vpc-lattice:Service"
	ShareResourceConfiguration = "vpc-lattice:ResourceConfiguration"
)

// ShareResourceTypes are the resource types that can be shared, sorted.
func ShareResourceTypes() []string {
	return []string{ShareResourceConfiguration, ShareService, ShareServiceNetwork}
}

// SharePermission is a managed permission, AWS's or a customer's: what those whom a share reaches may do with resources
// of a type.
type SharePermission struct {
	ARN, Name      string
	ResourceType   string
	Default        bool // what a share gets that names no permission for the type
	DefaultVersion int
	Versions       []PermissionVersion      // by number
	Customer       *trellis.SharePermission // nil for one of AWS's
}

// PermissionVersion is one version of a SharePermission.
type PermissionVersion struct {
	Number    int
	Actions   []string
	Template  string // as a customer wrote it; empty for AWS's
	CreatedAt time.Time
	Condition json.RawMessage // of the statement, empty for none
}

// Text is the statement of the version, without principals and resources, as JSON.
func (v *PermissionVersion) Text() string {
	if v.Template != "" {
		return v.Template
	}
	text, _ := json.Marshal(permissionTemplate{Effect: "Allow", Action: v.Actions}) // texts always marshal
	return string(text)
}

// Version finds a version by number, the default one for 0; nil when there is none.
func (s *SharePermission) Version(number int) *PermissionVersion {
	if number == 0 {
		number = s.DefaultVersion
	}
	i := slices.IndexFunc(s.Versions, func(v PermissionVersion) bool { return v.Number == number })
	if i < 0 {
		return nil
	}
	return &s.Versions[i]
}

// managed makes one of AWS's permissions, with the actions of each version from 1 on. The latest is the default.
func managed(name, resourceType string, isDefault bool, versions ...[]string) SharePermission {
	s := SharePermission{ARN: "arn:aws:ram::aws:permission/" + name, Name: name, ResourceType: resourceType, Default: isDefault, DefaultVersion: len(versions)}
	for i, actions := range versions {
		s.Versions = append(s.Versions, PermissionVersion{Number: i + 1, Actions: actions})
	}
	return s
}

// The actions that only show a resource of each type.
var (
	readNetwork = []string{"vpc-lattice:GetServiceNetwork", "vpc-lattice:ListServiceNetworkResourceAssociations", "vpc-lattice:ListServiceNetworkServiceAssociations",
		"vpc-lattice:ListServiceNetworkVpcAssociations", "vpc-lattice:ListServiceNetworkVpcEndpointAssociations", "vpc-lattice:ListServiceNetworks"}
	readService       = []string{"vpc-lattice:GetService", "vpc-lattice:ListServiceNetworkServiceAssociations", "vpc-lattice:ListServices"}
	readConfiguration = []string{"vpc-lattice:GetResourceConfiguration", "vpc-lattice:ListResourceConfigurations"}
)

// managedPermissions are all of AWS's permissions. AWS publishes no list of their actions. The names of the read-write one of
// networks and of the one of resource configurations are seen in use, and that the latter has a version 2 with what
// AWS's own services need (VPC Lattice user guide, associations of resource configurations); the rest follows their
// pattern, and the actions are what the names say.
//
// The guide's share names ServiceNetworkVpcAssociation alone, and its producers associate services by it too: it opens that as
// well, unless strict.
func managedPermissions(strict bool) []SharePermission {
	byVPC := append(slices.Clone(readNetwork), "vpc-lattice:CreateServiceNetworkVpcAssociation")
	if !strict {
		byVPC = append(byVPC, "vpc-lattice:CreateServiceNetworkServiceAssociation")
	}
	configuration := append(slices.Clone(readConfiguration), "vpc-lattice:CreateServiceNetworkResourceAssociation")
	return []SharePermission{
		managed("AWSRAMPermissionVpcLatticeServiceNetworkReadWrite", ShareServiceNetwork, true, append(slices.Clone(readNetwork),
			"vpc-lattice:CreateServiceNetworkVpcAssociation", "vpc-lattice:CreateServiceNetworkServiceAssociation",
			"vpc-lattice:CreateServiceNetworkResourceAssociation", "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation")),
		managed("AWSRAMPermissionVpcLatticeServiceNetworkVpcAssociation", ShareServiceNetwork, false, byVPC),
		managed("AWSRAMPermissionVpcLatticeServiceNetworkServiceAssociation", ShareServiceNetwork, false,
			append(slices.Clone(readNetwork), "vpc-lattice:CreateServiceNetworkServiceAssociation")),
		managed("AWSRAMPermissionVpcLatticeServiceReadWrite", ShareService, true,
			append(slices.Clone(readService), "vpc-lattice:CreateServiceNetworkServiceAssociation")),
		managed("AWSRAMPermissionVpcLatticeResourceConfiguration", ShareResourceConfiguration, true, configuration,
			append(slices.Clone(configuration), "vpc-lattice:AssociateViaAWSService-EventsAndStates")),
	}
}

// sharedActions are all actions that a permission for a resource type may open.
func sharedActions(resourceType string) []string {
	var out []string
	for _, s := range managedPermissions(false) {
		if strings.EqualFold(s.ResourceType, resourceType) {
			out = append(out, s.Version(0).Actions...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// permissionTemplate is the statement of a permission: RAM adds the principals and the resource (RAM API, CreatePermission).
type permissionTemplate struct {
	Effect    string
	Action    any
	Condition json.RawMessage `json:",omitempty"`
}

// readTemplate reads the statement of a customer managed permission.
func readTemplate(text, resourceType string) (v PermissionVersion, err error) {
	malformed := func(why string) error {
		return ramError("MalformedPolicyTemplateException", "The policy template is not valid: %s", why)
	}
	if len(text) > maxTemplate {
		return v, malformed("it is too long.")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var t permissionTemplate
	if err := d.Decode(&t); err != nil || d.More() {
		return v, malformed("it must be one JSON object with Effect, Action and, where wanted, Condition.")
	}
	if !strings.EqualFold(t.Effect, "Allow") {
		return v, malformed("Effect must be Allow.")
	}
	actions, isList := t.Action.([]any)
	if !isList {
		actions = []any{t.Action}
	}
	known := sharedActions(resourceType)
	for _, a := range actions {
		name, _ := a.(string)
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
		if i < 0 {
			return v, ramError("InvalidPolicyException", "The action %q is not supported by the resource type %s.", a, resourceType)
		}
		v.Actions = append(v.Actions, known[i])
	}
	if len(v.Actions) == 0 {
		return v, malformed("it names no action.")
	}
	v.Template, v.Condition = text, t.Condition
	if _, err := v.policy("*"); err != nil {
		return v, malformed(err.Error())
	}
	return v, nil
}

// maxTemplate bounds the text of a permission, as VPC Lattice bounds a resource policy.
const maxTemplate = 10000

// policy is the resource policy that a version with a condition amounts to.
func (v *PermissionVersion) policy(resource string) (*authpolicy.Policy, error) {
	statement := map[string]any{"Effect": "Allow", "Principal": "*", "Action": v.Actions, "Resource": resource}
	if len(v.Condition) > 0 {
		statement["Condition"] = v.Condition
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}})
	if err != nil {
		return nil, err
	}
	return authpolicy.Parse(string(text), authpolicy.Resource)
}

// permits tells whether the version lets a caller do an action with a resource. What can't be read permits nothing.
func (v *PermissionVersion) permits(p *Plane, c *authpolicy.Caller, arn, action string, k keys) bool {
	if !slices.Contains(v.Actions, action) || len(v.Condition) == 0 {
		return slices.Contains(v.Actions, action)
	}
	policy, err := v.policy(arn)
	if err != nil {
		return false
	}
	effect, _ := policy.Decide(&authpolicy.Request{Action: action, Resource: arn, Caller: c, Extra: k, Now: p.now()})
	return effect == authpolicy.Allow
}

// customerPermission is a permission of a customer's as all permissions are.
func (p *Plane) customerPermission(n *trellis.SharePermission) SharePermission {
	s := SharePermission{ARN: n.ARN(p.Region), Name: n.ID, ResourceType: n.ResourceType, DefaultVersion: n.Default, Customer: n}
	for _, stored := range n.Versions {
		v, err := readTemplate(stored.Template, n.ResourceType)
		if err != nil {
			v.Template = stored.Template // it is shown, and opens nothing
		}
		v.Number, v.CreatedAt = stored.Number, stored.CreatedAt
		s.Versions = append(s.Versions, v)
	}
	return s
}

// permissionsOf lists the permissions that an account may give its shares: AWS's, then its own.
func (p *Plane) permissionsOf(tx *store.Tx, account string) ([]SharePermission, error) {
	out := managedPermissions(p.Strict)
	own, err := store.List[*trellis.SharePermission](tx, account+"/")
	for _, n := range own {
		out = append(out, p.customerPermission(n))
	}
	return out, err
}

// permission finds a permission that an account may use by its ARN.
func (p *Plane) permission(tx *store.Tx, account, arn string) (SharePermission, error) {
	a, err := trellis.ParseARN(arn)
	name, ok := strings.CutPrefix(a.Resource, "permission/")
	if err != nil || a.Service != "ram" || !ok || name == "" {
		return SharePermission{}, malformedARN(arn)
	}
	unknown := ramError("UnknownResourceException", "Permission %s could not be found.", arn)
	if a.Account == "aws" {
		for _, s := range managedPermissions(p.Strict) {
			if s.ARN == arn {
				return s, nil
			}
		}
		return SharePermission{}, unknown
	}
	n, err := store.Get[*trellis.SharePermission](tx, account+"/"+name)
	if errors.Is(err, trellis.ErrNotExist) || err == nil && n.ARN(p.Region) != arn {
		return SharePermission{}, unknown
	}
	if err != nil {
		return SharePermission{}, err
	}
	return p.customerPermission(n), nil
}

// setPermission gives a share the default version of a permission.
func setPermission(s *trellis.ResourceShare, permission SharePermission) {
	if !slices.Contains(s.Permissions, permission.ARN) {
		s.Permissions = append(s.Permissions, permission.ARN)
	}
	versions := maps.Clone(s.PermissionVersions)
	if versions == nil {
		versions = map[string]int{}
	}
	versions[permission.ARN] = permission.DefaultVersion
	s.PermissionVersions = versions
}

// dropPermission takes a permission from a share.
func dropPermission(s *trellis.ResourceShare, arn string) {
	s.Permissions = slices.DeleteFunc(slices.Clone(s.Permissions), func(have string) bool { return have == arn })
	s.PermissionVersions = maps.Clone(s.PermissionVersions)
	delete(s.PermissionVersions, arn)
}

// choosePermissions adds named permissions to a share, and the default one for each type of resource that it holds without
// a permission. A type has one permission.
func (p *Plane) choosePermissions(tx *store.Tx, s *trellis.ResourceShare, named []string) error {
	types := map[string]bool{}
	for _, arn := range s.Permissions {
		have, err := p.permission(tx, s.Account, arn)
		if err != nil {
			return err
		}
		types[have.ResourceType] = true
	}
	for _, arn := range named {
		permission, err := p.permission(tx, s.Account, arn)
		if err != nil {
			return err
		}
		if types[permission.ResourceType] {
			return ramError("InvalidParameterException", "A resource share can have only one permission for the resource type %s.", permission.ResourceType)
		}
		types[permission.ResourceType] = true
		setPermission(s, permission)
	}
	for _, arn := range s.Resources {
		typ := ShareResourceType(arn)
		for _, permission := range managedPermissions(p.Strict) {
			if permission.Default && permission.ResourceType == typ && !types[typ] {
				types[typ] = true
				setPermission(s, permission)
			}
		}
	}
	return nil
}

// openedBy is the version of the permission of a share for a type of resources, nil when it has none.
func (p *Plane) openedBy(tx *store.Tx, s *trellis.ResourceShare, resourceType string) (*PermissionVersion, error) {
	for _, arn := range s.Permissions {
		permission, err := p.permission(tx, s.Account, arn)
		if err != nil {
			var gone *trellis.Error
			if errors.As(err, &gone) {
				continue // of another release: it opens nothing
			}
			return nil, err
		}
		if permission.ResourceType == resourceType {
			return permission.Version(s.PermissionVersions[arn]), nil
		}
	}
	return nil, nil
}

// ShareResourceType is the type of a resource by its ARN, "" when it cannot be shared.
func ShareResourceType(arn string) string {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "vpc-lattice" {
		return ""
	}
	kind, id, ok := strings.Cut(a.Resource, "/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return ""
	}
	return map[string]string{"servicenetwork": ShareServiceNetwork, "service": ShareService, "resourceconfiguration": ShareResourceConfiguration}[kind]
}
