package controlplane

import (
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// The resource types that can be shared (AWS RAM user guide, shareable AWS resources).
const (
	ShareServiceNetwork        = "vpc-lattice:ServiceNetwork"
	ShareService               = "vpc-lattice:Service"
	ShareResourceConfiguration = "vpc-lattice:ResourceConfiguration"
)

// SharePermission is a managed permission: what those whom a share reaches may do with a resource of a type.
type SharePermission struct {
	Name         string
	ResourceType string
	Default      bool // what a share gets that names no permission for the type
	Actions      []string
}

// ARN is arn:aws:ram::aws:permission/NAME.
func (s SharePermission) ARN() string { return "arn:aws:ram::aws:permission/" + s.Name }

// sharePermissions are all managed permissions. AWS publishes no list of their actions: the names of the
// first two are seen in use, the rest follows their pattern, and the action sets are what the names say.
func sharePermissions() []SharePermission {
	readNetwork := []string{"vpc-lattice:GetServiceNetwork", "vpc-lattice:ListServiceNetworkServiceAssociations", "vpc-lattice:ListServiceNetworkVpcAssociations",
		"vpc-lattice:ListServiceNetworkResourceAssociations", "vpc-lattice:ListServiceNetworkVpcEndpointAssociations", "vpc-lattice:ListServiceNetworks"}
	return []SharePermission{
		{"AWSRAMPermissionVpcLatticeServiceNetworkReadWrite", ShareServiceNetwork, true, append(slices.Clone(readNetwork),
			"vpc-lattice:CreateServiceNetworkVpcAssociation", "vpc-lattice:CreateServiceNetworkServiceAssociation",
			"vpc-lattice:CreateServiceNetworkResourceAssociation", "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation")},
		// The guide's share names this one alone, and its producers associate services by it too.
		{"AWSRAMPermissionVpcLatticeServiceNetworkVpcAssociation", ShareServiceNetwork, false, append(slices.Clone(readNetwork),
			"vpc-lattice:CreateServiceNetworkVpcAssociation", "vpc-lattice:CreateServiceNetworkServiceAssociation")},
		{"AWSRAMPermissionVpcLatticeServiceNetworkServiceAssociation", ShareServiceNetwork, false, append(slices.Clone(readNetwork),
			"vpc-lattice:CreateServiceNetworkServiceAssociation")},
		{"AWSRAMPermissionVpcLatticeServiceReadWrite", ShareService, true, []string{"vpc-lattice:GetService", "vpc-lattice:ListServices",
			"vpc-lattice:CreateServiceNetworkServiceAssociation", "vpc-lattice:ListServiceNetworkServiceAssociations"}},
		{"AWSRAMPermissionVpcLatticeResourceConfiguration", ShareResourceConfiguration, true, []string{"vpc-lattice:GetResourceConfiguration",
			"vpc-lattice:ListResourceConfigurations", "vpc-lattice:CreateServiceNetworkResourceAssociation", "vpc-lattice:AssociateViaAWSService-EventsAndStates"}},
	}
}

// SharePermissions lists the managed permissions of a resource type, all when it is empty.
func SharePermissions(resourceType string) []SharePermission {
	return slices.DeleteFunc(sharePermissions(), func(s SharePermission) bool {
		return resourceType != "" && !strings.EqualFold(s.ResourceType, resourceType)
	})
}

// sharePermission finds a permission by its ARN.
func sharePermission(arn string) (SharePermission, error) {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "ram" || !strings.HasPrefix(a.Resource, "permission/") {
		return SharePermission{}, malformedARN(arn)
	}
	for _, s := range sharePermissions() {
		if s.ARN() == arn {
			return s, nil
		}
	}
	return SharePermission{}, ramError("UnknownResourceException", "Permission %s could not be found.", arn)
}

// choosePermissions completes the permissions of a share: one for each type of resource that it holds, the
// default where none is named, and none twice.
func choosePermissions(named, resources []string) ([]string, error) {
	types := map[string]bool{}
	out := slices.Clone(named)
	for _, arn := range named {
		s, err := sharePermission(arn)
		if err != nil {
			return nil, err
		}
		if types[s.ResourceType] {
			return nil, ramError("InvalidParameterException", "A resource share can have only one permission for the resource type %s.", s.ResourceType)
		}
		types[s.ResourceType] = true
	}
	for _, arn := range resources {
		typ := ShareResourceType(arn)
		for _, s := range sharePermissions() {
			if s.Default && s.ResourceType == typ && !types[typ] {
				types[typ] = true
				out = append(out, s.ARN())
			}
		}
	}
	return out, nil
}

// permits tells whether the permissions of a share allow an action on resources of a type.
func permits(permissions []string, resourceType, action string) bool {
	for _, s := range sharePermissions() {
		if s.ResourceType == resourceType && slices.Contains(permissions, s.ARN()) && slices.Contains(s.Actions, action) {
			return true
		}
	}
	return false
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
