package controlplane_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
)

// TestResourcePolicies shares a network by a resource policy: it opens what its statements say for the accounts that they
// name, in lists too, and closes when it is changed or taken away. Associations outlive it.
func TestResourcePolicies(t *testing.T) {
	p, ctx := running(t, controlplane.Options{}), t.Context()
	co := newCompany(t, p)
	network := co.network.ARN(region)
	policy := func(principal, actions, more string) string {
		return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":%s,"Action":%s,"Resource":"%s"%s}]}`, principal, actions, network, more)
	}
	const read, both = `"vpc-lattice:GetServiceNetwork"`, `["vpc-lattice:GetServiceNetwork","vpc-lattice:CreateServiceNetworkVpcAssociation"]`
	account := `{"AWS":"` + co.inEU.Principal.Account + `"}`
	for want, text := range map[string]string{
		"not valid":                      "{}",
		"AWS RAM permissions":            policy(account, `"*"`, ""),
		"not vpc-lattice:PutAuthPolicy.": policy(account, `["vpc-lattice:PutAuthPolicy"]`, ""),
	} {
		if _, err := p.PutResourcePolicy(ctx, co.owner, network, text); code(t, err) != "ValidationException" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	_, err := p.PutResourcePolicy(ctx, co.inEU, network, policy(account, read, ""))
	wantCode(t, err, "ResourceNotFoundException")
	_, err = p.GetResourcePolicy(ctx, co.owner, co.network.ID)
	wantCode(t, err, "ResourceNotFoundException")
	_, err = p.DeleteResourcePolicy(ctx, co.owner, co.network.ID)
	wantCode(t, err, "ResourceNotFoundException")
	const get, join = "GetServiceNetwork", "CreateServiceNetworkVpcAssociation"
	for _, test := range []struct {
		text             string
		get, join, other bool // the account in the unit may read, may join, the other account may read
	}{
		{policy(account, read, ""), true, false, false},
		{policy(account, both, ""), true, true, false},
		{policy(`{"AWS":"arn:aws:iam::`+co.inEU.Principal.Account+`:root"}`, both, ""), true, true, false},
		{policy(`{"AWS":"arn:aws:iam::`+co.inEU.Principal.Account+`:role/one"}`, both, ""), false, false, false},
		{policy(`"*"`, read, `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"`+co.org.ID+`"}}`), true, false, true},
		{policy(`"*"`, read, `,"Condition":{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"`+co.org.ID+`/*/`+co.prod.ID+`/*"}}`), true, false, false},
		{strings.ReplaceAll(policy(account, both, ""), network, network[:len(network)-1]+"x"), false, false, false},
	} {
		if _, err := p.PutResourcePolicy(ctx, co.owner, co.network.ID, test.text); err != nil {
			t.Fatal(err)
		}
		if text, err := p.GetResourcePolicy(ctx, co.owner, network); err != nil || text != test.text {
			t.Errorf("got %s, %v", text, err)
		}
		if got := co.sharedWith(t, p, co.inEU, get); got != test.get {
			t.Errorf("%s: reads: %t", test.text, got)
		}
		if got := co.sharedWith(t, p, co.inEU, join); got != test.join {
			t.Errorf("%s: joins: %t", test.text, got)
		}
		if got := co.sharedWith(t, p, co.root, get); got != test.other {
			t.Errorf("%s: the other reads: %t", test.text, got)
		}
	}
	if _, err := p.PutResourcePolicy(ctx, co.owner, network, policy(account, both, "")); err != nil {
		t.Fatal(err)
	}
	vpc, _, _ := newVPC(t, co.inEU, "10.0.0.0/16")
	a, _, err := p.CreateVPCAssociation(ctx, co.inEU, "", network, vpc, trellis.VPCAssociation{})
	if err != nil {
		t.Fatal(err)
	}
	if list, _, err := p.ListServiceNetworks(ctx, co.inEU, controlplane.Page{}); err != nil || len(list) != 1 {
		t.Errorf("lists %d networks, %v", len(list), err)
	}
	if _, err := p.DeleteResourcePolicy(ctx, co.owner, network); err != nil {
		t.Fatal(err)
	}
	_, err = p.GetServiceNetwork(ctx, co.inEU, network)
	wantCode(t, err, "ResourceNotFoundException")
	if _, err := p.GetVPCAssociation(ctx, co.inEU, a.ID); err != nil {
		t.Errorf("the association has gone with the policy: %v", err)
	}
}

// TestResourcePolicyOfShares reads what RAM's shares amount to, where no policy was put.
func TestResourcePolicyOfShares(t *testing.T) {
	p, ctx := running(t, controlplane.Options{}), t.Context()
	co := newCompany(t, p)
	if _, err := p.EnableSharing(ctx, co.owner); err != nil {
		t.Fatal(err)
	}
	network, unit := co.network.ARN(region), co.unitARN(co.prod)
	share, _, err := p.CreateShare(ctx, co.owner, controlplane.NewShare{Name: "mesh", Resources: []string{network}, Principals: []string{unit, co.root.Principal.Account}, Permissions: []string{guidePermission}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.GetResourcePolicy(ctx, co.owner, network)
	for _, part := range []string{`"AWS":"arn:aws:iam::` + co.root.Principal.Account + `:root"`, `"vpc-lattice:CreateServiceNetworkVpcAssociation"`, co.prod.ID, `"Resource":"` + network + `"`} {
		if err != nil || !strings.Contains(text, part) {
			t.Errorf("no %s in %s, %v", part, text, err)
		}
	}
	// Put as it came, it means the same as the share.
	if _, err := p.PutResourcePolicy(ctx, co.owner, network, text); err != nil {
		t.Fatal(err)
	}
	if _, err := p.DeleteShare(ctx, co.owner, share.ARN(region)); err != nil {
		t.Fatal(err)
	}
	if !co.sharedWith(t, p, co.inEU, "GetServiceNetwork") || !co.sharedWith(t, p, co.root, "CreateServiceNetworkVpcAssociation") {
		t.Error("the policy does not open what the share has")
	}
	private, _, err := p.CreateServiceNetwork(ctx, co.owner, "", trellis.ServiceNetwork{Name: "private"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.PutResourcePolicy(ctx, co.owner, private.ID, strings.ReplaceAll(text, network, private.ARN(region)))
	wantCode(t, err, "ValidationException")
}
