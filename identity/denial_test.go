package identity_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestDenials opens what was sealed of a refusal, for whom it is.
func TestDenials(t *testing.T) {
	w := newWorld(t)
	_, _, _, err := w.identity.CreateOrganization(t.Context(), w.admin(), "")
	w.must(err)
	other := w.account("444455556666", "payments")
	bob := w.user(w.admin(), "bob", `{"Version":"2012-10-17","Statement":[{"Sid":"No","Effect":"Deny","Action":"ec2:DeleteVpc","Resource":"*"}]}`)
	for action, want := range map[string]struct {
		explicit bool
		sid      string
	}{"ec2:DeleteVpc": {true, "No"}, "ec2:CreateVpc": {false, ""}} {
		refused, ok := errors.AsType[*trellis.Error](bob.Authorize(action, "arn:aws:ec2:eu-west-1:111122223333:vpc/*", nil))
		if !ok || refused.Denial == nil {
			t.Fatalf("%s: %v", action, refused)
		}
		sealed := w.identity.SealDenial(refused.Denial)
		text, err := w.identity.OpenDenial(w.admin(), sealed)
		w.must(err)
		var m struct {
			Allowed, ExplicitDeny bool
			MatchedStatements     struct {
				Items []struct{ StatementID, Effect string }
			}
			Context struct {
				Action, Resource string
				Principal        struct{ ARN, Name string }
			}
		}
		w.must(json.Unmarshal([]byte(text), &m))
		if m.Allowed || m.ExplicitDeny != want.explicit || m.Context.Action != action || m.Context.Principal.Name != "bob" || m.Context.Resource == "" ||
			want.explicit != (len(m.MatchedStatements.Items) == 1) || want.explicit && m.MatchedStatements.Items[0].StatementID != want.sid {
			t.Errorf("%s: %s", action, text)
		}
		for what, bad := range map[string]string{"torn": sealed[:len(sealed)-3], "changed": "B" + sealed[1:], "empty": "", "no base64": "?"} {
			_, err := w.identity.OpenDenial(w.admin(), bad)
			wantCode(t, what, err, "InvalidAuthorizationMessageException")
		}
		_, err = w.identity.OpenDenial(other, sealed)
		wantCode(t, "another account", err, "InvalidAuthorizationMessageException")
		_, err = w.identity.OpenDenial(bob, sealed)
		wantCode(t, "without the right", err, "AccessDeniedException")
	}
}
