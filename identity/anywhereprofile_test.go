package identity_test

import (
	"testing"

	"github.com/trellis-project/trellis"
)

// TestProfileRoles: who may hand on roles with a tag alone makes profiles of those alone.
func TestProfileRoles(t *testing.T) {
	w := newWorld(t)
	admin := w.admin()
	for name, team := range map[string]string{"mine": "shop", "theirs": "bank"} {
		r := trellis.Role{Name: name, TrustPolicy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":"sts:AssumeRole"}}`}
		r.Tags = map[string]string{"team": team}
		_, _, err := w.identity.CreateRole(t.Context(), admin, r)
		w.must(err)
	}
	by := w.user(admin, "ann", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rolesanywhere:*","Resource":"*"},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"shop"}}}]}`)
	for role, code := range map[string]string{"mine": "", "theirs": "AccessDeniedException", "nobody": "AccessDeniedException"} {
		_, _, err := w.identity.CreateAnywhereProfile(t.Context(), by, trellis.AnywhereProfile{Name: role, RoleARNs: []string{"arn:aws:iam::111122223333:role/" + role}})
		if code == "" {
			w.must(err)
			continue
		}
		wantCode(t, role, err, code)
	}
	_, _, err := w.identity.CreateAnywhereProfile(t.Context(), admin, trellis.AnywhereProfile{Name: "later", RoleARNs: []string{"arn:aws:iam::111122223333:role/nobody"}})
	w.must(err)
}
