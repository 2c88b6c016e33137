package controlplane

import (
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// FuzzIdentifiers takes identifiers and ARNs of clients apart: whatever they hold, a bare id stays in the
// caller's account, and no part of a store key comes out that is empty or has parts of its own.
func FuzzIdentifiers(f *testing.F) {
	for _, s := range []string{"svc-0123456789abcdef0", "arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-0123456789abcdef0",
		"arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-0/listener/listener-0/rule/rule-0", "arn:aws:vpc-lattice:us-east-1:1:service/x",
		"arn:aws:vpc-lattice:eu-west-1:111122223333:service//", "../444455556666/svc-0", "svc-0//x", "", "arn:", "default"} {
		f.Add(s)
	}
	p := New(Options{Region: "eu-west-1"})
	c := &authpolicy.Caller{Principal: trellis.Principal{Account: "111122223333"}}
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []resourceKind{serviceKind, networkKind, targetGroupKind, subscriptionKind, gatewayKind, configurationKind, verificationKind} {
			ref, err := p.ref(c, s, kind)
			if err != nil {
				continue
			}
			if !trellis.IsAccountID(ref.Account) || ref.ID == "" || strings.Contains(ref.ID, "/") {
				t.Errorf("%q is %+v", s, ref)
			}
			if arn := trellis.LatticeARN(p.Region, ref.Account, kind.path+"/"+ref.ID); s != ref.ID && s != arn {
				t.Errorf("%q is taken for %s", s, arn)
			}
			if s == ref.ID && ref.Account != account(c) {
				t.Errorf("the bare id %q is of account %s", s, ref.Account)
			}
		}
		if id, err := p.below(c, s, "service/svc-0", "listener", "LISTENER"); err == nil && (id == "" || strings.Contains(id, "/")) {
			t.Errorf("%q is the listener %q", s, id)
		}
		if a, err := trellis.ParseARN(s); err == nil {
			if kind, _, key := taggedKey(a); kind != "" && (!strings.HasPrefix(key, a.Account+"/") || strings.Contains(key, "//") || strings.Count(key, "/") > 3) {
				t.Errorf("%q is %s %q", s, kind, key)
			}
		}
	})
}
