package trellis

import "time"

// SharePermission is a customer managed permission of AWS RAM: what those whom a share reaches may do with resources
// of one type. Its ID is its name.
type SharePermission struct {
	Meta
	ResourceType string                   `json:"resourceType"`
	Versions     []SharePermissionVersion `json:"versions"` // those that are left, by number
	Default      int                      `json:"default"`  // the version that shares get
	Latest       int                      `json:"latest"`   // the number that was given last: none is given twice
}

// SharePermissionVersion is one version of a SharePermission. It never changes.
type SharePermissionVersion struct {
	Number    int       `json:"number"`
	Template  string    `json:"template"` // a statement of a policy without principals and resources, JSON
	CreatedAt time.Time `json:"createdAt"`
}

// Kind is KindSharePermission.
func (*SharePermission) Kind() Kind { return KindSharePermission }

// ARN is arn:aws:ram:region:account:permission/name.
func (s *SharePermission) ARN(region string) string {
	return ARN{"aws", "ram", region, s.Account, "permission/" + s.ID}.String()
}

// PermissionReplacement says that all shares of an account that had one permission were given another.
type PermissionReplacement struct {
	Meta
	From        string `json:"from"`                  // ARN
	FromVersion int    `json:"fromVersion,omitempty"` // 0: whatever version they had
	To          string `json:"to"`                    // ARN
	ToVersion   int    `json:"toVersion"`
}

// Kind is KindPermissionReplacement.
func (*PermissionReplacement) Kind() Kind { return KindPermissionReplacement }
