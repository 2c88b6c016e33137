package daemon

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/identity"
)

// TestVoucher opts in by tags of instances and associations, of this account and another, and asks who is vouched for.
func TestVoucher(t *testing.T) {
	const own, other = "111122223333", "444455556666"
	trust := func(service string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`
	}
	st := trellis.NewState()
	for _, account := range []string{own, other} {
		st.Put(&trellis.Account{ID: account, Status: identity.AccountActive})
		st.Put(&trellis.Role{Meta: trellis.Meta{Account: account, ID: "AROA" + account}, Name: "trusting", Path: "/", TrustPolicy: trust("ec2.amazonaws.com")})
	}
	st.Put(&trellis.Role{Meta: trellis.Meta{Account: own, ID: "AROASTRANGE"}, Name: "strange", Path: "/", TrustPolicy: trust("lambda.amazonaws.com")})
	at := map[netip.Addr]string{}
	put := func(address, account, role, tag string) {
		in := &trellis.Instance{Meta: trellis.Meta{Account: account, ID: "i-" + address}, VPCID: "vpc-1"}
		if role != "" {
			in.RoleARN = trellis.IAMARN(account, "role/"+role)
		}
		if tag != "" {
			in.Tags = map[string]string{AttestTag: tag}
		}
		st.Put(in)
		at[netip.MustParseAddr(address)] = in.Key()
	}
	put("10.0.0.1", own, "trusting", "true")
	put("10.0.0.2", own, "trusting", "")
	put("10.0.0.3", own, "trusting", "false")
	put("10.0.0.4", own, "strange", "true")
	put("10.0.0.5", own, "", "true")
	put("10.0.0.6", other, "trusting", "")
	put("10.0.0.7", other, "trusting", "true")
	put("10.0.0.8", own, "gone", "true")
	put("10.0.0.9", own, "trusting", "TRUE")
	st.Put(&trellis.VPCAssociation{Meta: trellis.Meta{Account: own, ID: "snva-in", Tags: map[string]string{AttestTag: "true"}}})
	st.Put(&trellis.VPCAssociation{Meta: trellis.Meta{Account: own, ID: "snva-out"}})

	v := newVoucher(st, identity.NewDirectory(st, nil, make([]byte, 32), time.Now))
	v.log = slog.New(slog.DiscardHandler)
	v.instanceAt = func(vpcID string, a netip.Addr) (string, bool) {
		key, ok := at[a]
		return key, ok && vpcID == "vpc-1"
	}
	for _, c := range []struct {
		vpc, association, from string
		want                   string // of the session's name, empty for nobody
	}{
		{"vpc-1", "snva-out", "10.0.0.1", "i-10.0.0.1"}, {"vpc-1", "", "10.0.0.1", "i-10.0.0.1"}, // behind a VPC endpoint
		{"vpc-1", "snva-in", "10.0.0.2", "i-10.0.0.2"}, {"vpc-1", "snva-out", "10.0.0.2", ""}, {"vpc-1", "", "10.0.0.2", ""},
		{"vpc-1", "snva-in", "10.0.0.3", ""},
		{"vpc-1", "snva-in", "10.0.0.4", ""}, {"vpc-1", "snva-in", "10.0.0.5", ""}, {"vpc-1", "snva-in", "10.0.0.8", ""},
		{"vpc-1", "snva-in", "10.0.0.6", ""}, {"vpc-1", "snva-in", "10.0.0.7", "i-10.0.0.7"},
		{"vpc-1", "snva-out", "10.0.0.9", ""},
		{"vpc-1", "snva-in", "10.0.0.99", ""}, {"vpc-2", "snva-in", "10.0.0.1", ""},
	} {
		for range 2 { // from what is remembered too
			holder, caller := v.caller(c.vpc, c.association, netip.MustParseAddr(c.from))
			got := ""
			if caller != nil {
				got = caller.Principal.SessionName
			}
			if wantHolder := at[netip.MustParseAddr(c.from)]; got != c.want || c.vpc == "vpc-1" && holder != wantHolder {
				t.Errorf("%+v: %q, held by %q", c, got, holder)
			}
		}
	}
	if v := newVoucher(trellis.NewState(), nil); v != nil {
		t.Error("nobody is vouched for, but asked about")
	}
	if (&Daemon{config: Config{Compatibility: Strict}}).vouch(st) != nil {
		t.Error("strict mode vouches")
	}
}
