package controlplane_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
)

// update rewrites the files of expected answers.
var update = flag.Bool("update", false, "rewrite testdata")

// shop is what an owner shares one by one, and a consumer with things of its own to join them with.
type shop struct {
	*depot
	service       *trellis.Service
	configuration *controlplane.ResourceConfiguration
	consumer      *authpolicy.Caller
	hers          *lab // of the consumer
	services      []*trellis.Service
	networks      []*trellis.ServiceNetwork
}

// newShop makes the owner's things, and n services and networks of the consumer's.
func newShop(t testing.TB, n int) *shop {
	t.Helper()
	s := &shop{depot: newDepot(t), hers: newLab(t)}
	s.consumer = s.hers.c.Caller
	s.configuration = s.configure(t, s.single("orders-db"))
	var err error
	s.service, _, err = s.p.CreateService(t.Context(), s.c.Caller, "", trellis.Service{Name: "orders"})
	wantCode(t, err, "")
	for i := range n {
		service, _, err := s.p.CreateService(t.Context(), s.consumer, "", trellis.Service{Name: fmt.Sprint("payments-", i)})
		wantCode(t, err, "")
		network, _, err := s.p.CreateServiceNetwork(t.Context(), s.consumer, "", trellis.ServiceNetwork{Name: fmt.Sprint("hers-", i)})
		wantCode(t, err, "")
		s.services, s.networks = append(s.services, service), append(s.networks, network)
	}
	await(t, "ACTIVE", func() bool {
		theirs := must[*trellis.Service](t)(s.p.GetService(t.Context(), s.c.Caller, s.service.ID))
		last := must[*trellis.Service](t)(s.p.GetService(t.Context(), s.consumer, s.services[n-1].ID))
		return theirs.Status == trellis.StatusActive && last.Status == trellis.StatusActive
	})
	return s
}

// operations are what the consumer tries with what is shared, by the type of resource. i is the number of the try.
func (s *shop) operations(t testing.TB, resourceType string, i int) (names []string, calls map[string]func() error) {
	ctx, p, c := t.Context(), s.p, s.consumer
	calls = map[string]func() error{}
	add := func(name string, call func() error) { names, calls[name] = append(names, name), call }
	switch resourceType {
	case controlplane.ShareServiceNetwork:
		network := s.network.ARN(region)
		add("GetServiceNetwork", func() error { _, err := p.GetServiceNetwork(ctx, c, network); return err })
		add("ListServiceNetworkServiceAssociations", func() error {
			_, _, err := p.ListServiceAssociations(ctx, c, network, "", controlplane.Page{})
			return err
		})
		add("ListServiceNetworkVpcAssociations", func() error { _, _, err := p.ListVPCAssociations(ctx, c, network, "", controlplane.Page{}); return err })
		add("CreateServiceNetworkVpcAssociation", func() error {
			vpc, _, _ := newVPC(t, c, "10.0.0.0/16")
			_, _, err := p.CreateVPCAssociation(ctx, c, "", network, vpc, trellis.VPCAssociation{})
			return err
		})
		add("CreateServiceNetworkServiceAssociation", func() error {
			_, _, err := p.CreateServiceAssociation(ctx, c, "", s.services[i].ID, network, nil)
			return err
		})
		add("CreateVpcEndpoint", func() error {
			_, _, err := p.CreateVPCEndpoint(ctx, s.hers.c, controlplane.NewVPCEndpoint{Type: "ServiceNetwork", VPCID: s.hers.vpc.ID, ServiceNetworkARN: network, SubnetIDs: []string{s.hers.subnet.ID}})
			return err
		})
		add("UpdateServiceNetwork", func() error { _, _, err := p.UpdateServiceNetwork(ctx, c, network, trellis.AuthNone); return err })
		add("DeleteServiceNetwork", func() error { _, err := p.DeleteServiceNetwork(ctx, c, network); return err })
		add("PutAuthPolicy", func() error { _, _, err := p.PutAuthPolicy(ctx, c, network, allowAll); return err })
	case controlplane.ShareService:
		service := s.service.ARN(region)
		add("GetService", func() error { _, err := p.GetService(ctx, c, service); return err })
		add("CreateServiceNetworkServiceAssociation", func() error {
			_, _, err := p.CreateServiceAssociation(ctx, c, "", service, s.networks[i].ID, nil)
			return err
		})
		add("ListListeners", func() error { _, _, err := p.ListListeners(ctx, c, service, controlplane.Page{}); return err })
		add("DeleteService", func() error { _, _, err := p.DeleteService(ctx, c, service); return err })
	case controlplane.ShareResourceConfiguration:
		configuration := s.configuration.ARN(region)
		add("GetResourceConfiguration", func() error { _, err := p.GetResourceConfiguration(ctx, c, configuration); return err })
		add("CreateServiceNetworkResourceAssociation", func() error {
			_, _, err := p.CreateResourceAssociation(ctx, c, "", configuration, s.networks[i].ID, false, nil)
			return err
		})
		add("DeleteResourceConfiguration", func() error { _, err := p.DeleteResourceConfiguration(ctx, c, configuration); return err })
	}
	return names, calls
}

// TestWhatPermissionsOpen gives a share one permission after another, AWS's and a customer's, and writes down what each opens. The answers
// change with the share at once.
func TestWhatPermissionsOpen(t *testing.T) {
	s := newShop(t, 14)
	strict := running(t, controlplane.Options{Strict: true})
	ctx, owner, try := t.Context(), s.c.Caller, 0
	var out strings.Builder
	write := func(what, resourceType string) {
		fmt.Fprintf(&out, "%s\n", what)
		names, calls := s.operations(t, resourceType, try)
		for _, name := range names {
			answer := code(t, calls[name]())
			if answer == "" {
				answer = "ok"
			}
			fmt.Fprintf(&out, "    %-45s %s\n", name, answer)
		}
		try++
	}
	resources := map[string]string{controlplane.ShareServiceNetwork: s.network.ARN(region), controlplane.ShareService: s.service.ARN(region),
		controlplane.ShareResourceConfiguration: s.configuration.ARN(region)}
	shares := map[string]*trellis.ResourceShare{}
	for _, typ := range controlplane.ShareResourceTypes() {
		write("nothing for "+typ, typ)
		shares[typ] = share(t, s.p, owner, s.consumer, resources[typ])
	}
	give := func(typ, arn string) {
		t.Helper()
		_, err := s.p.AssociateSharePermission(ctx, owner, shares[typ].ARN(region), arn, 0, true)
		wantCode(t, err, "")
	}
	for _, permission := range must[[]controlplane.SharePermission](t)(s.p.SharePermissions(ctx, owner)) {
		give(permission.ResourceType, permission.ARN)
		write(permission.Name, permission.ResourceType)
	}
	_, err := s.p.AssociateSharePermission(ctx, owner, shares[controlplane.ShareServiceNetwork].ARN(region), guidePermission, 0, true)
	wantCode(t, err, "")
	s.p = strict
	write("AWSRAMPermissionVpcLatticeServiceNetworkVpcAssociation, strict", controlplane.ShareServiceNetwork)
	for _, template := range []string{
		`{"Effect":"Allow","Action":["vpc-lattice:GetServiceNetwork"]}`,
		`{"Effect":"Allow","Action":["vpc-lattice:CreateServiceNetworkVpcAssociation"]}`,
		`{"Effect":"ALLOW","Action":["vpc-lattice:GetServiceNetwork","vpc-lattice:CreateServiceNetworkVpcAssociation"],"Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/tester"}}}`,
		`{"Effect":"Allow","Action":["vpc-lattice:CreateServiceNetworkVpcAssociation"],"Condition":{"StringNotLike":{"vpc-lattice:VpcId":"vpc-*"}}}`,
		`{"Effect":"Allow","Action":["vpc-lattice:CreateServiceNetworkVpcAssociation"],"Condition":{"StringLike":{"vpc-lattice:VpcId":"vpc-*"}}}`,
	} {
		made, _, err := s.p.CreateSharePermission(ctx, owner, controlplane.NewSharePermission{Name: fmt.Sprint("mine-", try), ResourceType: "vpc-lattice:servicenetwork", Template: template})
		wantCode(t, err, "")
		give(controlplane.ShareServiceNetwork, made.ARN)
		write(template, controlplane.ShareServiceNetwork)
	}
	const file = "testdata/permissions.txt"
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("got\n%s\nwant what %s has", out.String(), file)
	}
}

// TestCustomerPermissions follows a permission through its versions.
func TestCustomerPermissions(t *testing.T) {
	p, ctx := running(t, controlplane.Options{}), t.Context()
	co := newCompany(t, p)
	partner := admin(t)
	in := controlplane.NewSharePermission{Name: "see", ResourceType: "vpc-lattice:ServiceNetwork", Template: `{"Effect":"Allow","Action":"vpc-lattice:GetServiceNetwork"}`, ClientToken: "t"}
	see, _, err := p.CreateSharePermission(ctx, co.owner, in)
	wantCode(t, err, "")
	again, _, err := p.CreateSharePermission(ctx, co.owner, in)
	if err != nil || again.ARN != see.ARN || see.DefaultVersion != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	for _, x := range []struct {
		change func(*controlplane.NewSharePermission)
		want   string
	}{
		{func(n *controlplane.NewSharePermission) {}, "IdempotentParameterMismatchException"},
		{func(n *controlplane.NewSharePermission) { n.ClientToken = "" }, "PermissionAlreadyExistsException"},
		{func(n *controlplane.NewSharePermission) { n.ResourceType = "ec2:Subnet" }, "InvalidParameterException"},
		{func(n *controlplane.NewSharePermission) { n.Template = "{" }, "MalformedPolicyTemplateException"},
		{func(n *controlplane.NewSharePermission) { n.Template = `{"Effect":"Deny","Action":"x"}` }, "MalformedPolicyTemplateException"},
		{func(n *controlplane.NewSharePermission) { n.Template = `{"Effect":"Allow","Action":[]}` }, "MalformedPolicyTemplateException"},
		{func(n *controlplane.NewSharePermission) {
			n.Template = `{"Effect":"Allow","Principal":"*","Action":"vpc-lattice:GetServiceNetwork"}`
		}, "MalformedPolicyTemplateException"},
		{func(n *controlplane.NewSharePermission) {
			n.Template = `{"Effect":"Allow","Action":"vpc-lattice:GetServiceNetwork","Condition":{"Nonsense":{"a":"b"}}}`
		}, "MalformedPolicyTemplateException"},
		{func(n *controlplane.NewSharePermission) { n.Template = `{"Effect":"Allow","Action":"vpc-lattice:*"}` }, "InvalidPolicyException"},
		{func(n *controlplane.NewSharePermission) { n.Tags = map[string]string{"aws:x": "y"} }, "InvalidParameterException"},
	} {
		n := in
		n.Name = "other"
		if x.want == "PermissionAlreadyExistsException" {
			n.Name = "see"
		}
		x.change(&n)
		_, _, err := p.CreateSharePermission(ctx, co.owner, n)
		wantCode(t, err, x.want)
	}
	_, err = p.SharePermission(ctx, partner, "GetPermission", see.ARN)
	wantCode(t, err, "UnknownResourceException")

	s := share(t, p, co.owner, partner, co.network.ARN(region))
	arn := s.ARN(region)
	_, err = p.AssociateSharePermission(ctx, co.owner, arn, see.ARN, 0, false)
	wantCode(t, err, "InvalidParameterException") // the type has one
	_, err = p.DisassociateSharePermission(ctx, co.owner, arn, s.Permissions[0])
	wantCode(t, err, "OperationNotPermittedException") // the share has a network
	_, err = p.AssociateSharePermission(ctx, co.owner, arn, see.ARN, 1, true)
	wantCode(t, err, "")
	if !co.sharedWith(t, p, partner, "GetServiceNetwork") || co.sharedWith(t, p, partner, "CreateServiceNetworkVpcAssociation") {
		t.Error("version 1 opens something else")
	}

	// A new version is the default at once; the share keeps its own until somebody replaces it.
	see, _, err = p.CreatePermissionVersion(ctx, co.owner, see.ARN, `{"Effect":"Allow","Action":["vpc-lattice:GetServiceNetwork","vpc-lattice:CreateServiceNetworkVpcAssociation"]}`)
	if err != nil || see.DefaultVersion != 2 || co.sharedWith(t, p, partner, "CreateServiceNetworkVpcAssociation") {
		t.Errorf("%+v, %v", see, err)
	}
	_, err = p.DeletePermissionVersion(ctx, co.owner, see.ARN, 1)
	wantCode(t, err, "OperationNotPermittedException") // in use
	_, err = p.DeletePermissionVersion(ctx, co.owner, see.ARN, 2)
	wantCode(t, err, "OperationNotPermittedException") // the default
	_, err = p.AssociateSharePermission(ctx, co.owner, arn, see.ARN, 1, true)
	wantCode(t, err, "InvalidParameterException") // not the default
	r, _, err := p.ReplacePermissions(ctx, co.owner, see.ARN, 1, see.ARN)
	if err != nil || r.ToVersion != 2 || !co.sharedWith(t, p, partner, "CreateServiceNetworkVpcAssociation") {
		t.Errorf("%+v, %v", r, err)
	}
	if all := must[[]*trellis.PermissionReplacement](t)(p.PermissionReplacements(ctx, co.owner)); len(all) != 1 {
		t.Errorf("replacements: %+v", all)
	}
	_, err = p.DeletePermissionVersion(ctx, co.owner, see.ARN, 1)
	wantCode(t, err, "")
	_, err = p.SetDefaultPermissionVersion(ctx, co.owner, see.ARN, 1)
	wantCode(t, err, "InvalidParameterException")
	_, err = p.DeleteSharePermission(ctx, co.owner, see.ARN)
	wantCode(t, err, "OperationNotPermittedException")
	_, _, err = p.ReplacePermissions(ctx, co.owner, see.ARN, 0, "arn:aws:ram::aws:permission/AWSRAMPermissionVpcLatticeServiceReadWrite")
	wantCode(t, err, "InvalidParameterException")
	_, _, err = p.ReplacePermissions(ctx, co.owner, see.ARN, 0, guidePermission)
	wantCode(t, err, "")
	_, err = p.DeleteSharePermission(ctx, co.owner, see.ARN)
	wantCode(t, err, "")
	_, err = p.DeleteSharePermission(ctx, co.owner, guidePermission)
	wantCode(t, err, "OperationNotPermittedException")
}

// TestInvitationExpires lets a week go by: the invitation can't be answered, and the account can be invited once more.
func TestInvitationExpires(t *testing.T) {
	p, ctx := running(t, controlplane.Options{}), t.Context()
	later := running(t, controlplane.Options{Now: func() time.Time { return time.Now().Add(trellis.InvitationLife) }})
	co, partner := newCompany(t, p), admin(t)
	to := []string{partner.Principal.Account}
	s, _, err := p.CreateShare(ctx, co.owner, controlplane.NewShare{Name: "x", AllowExternalPrincipals: true, Resources: []string{co.network.ARN(region)}, Principals: to})
	wantCode(t, err, "")
	all := must[[]controlplane.ShareInvitation](t)(later.Invitations(ctx, partner))
	if len(all) != 1 || all[0].Status(later.Now()) != "EXPIRED" || all[0].Status(p.Now()) != "PENDING" {
		t.Fatalf("%+v", all)
	}
	_, _, err = later.AnswerInvitation(ctx, partner, all[0].ARN(region), true)
	wantCode(t, err, "ResourceShareInvitationExpiredException")
	_, err = later.PendingResources(ctx, partner, all[0].ARN(region))
	wantCode(t, err, "ResourceShareInvitationExpiredException")
	if of := must[[]controlplane.ShareAssociation](t)(later.ShareAssociations(ctx, co.owner, "PRINCIPAL")); len(of) != 1 || of[0].Status != "FAILED" {
		t.Errorf("associations: %+v", of)
	}
	_, _, err = later.AssociateShare(ctx, co.owner, s.ARN(region), nil, to)
	wantCode(t, err, "")
	again := must[[]controlplane.ShareInvitation](t)(later.Invitations(ctx, partner))
	if len(again) != 1 || again[0].ARN(region) == all[0].ARN(region) || again[0].Status(later.Now()) != "PENDING" {
		t.Errorf("invited once more: %+v", again)
	}
}

// TestShareLeavesWithTheAccount takes an account out of the organization: it loses what was shared within it, unless the share
// says otherwise. An organization that trusts RAM no longer shares nothing within.
func TestShareLeavesWithTheAccount(t *testing.T) {
	p, ctx := running(t, controlplane.Options{}), t.Context()
	for _, retain := range []bool{false, true} {
		co := newCompany(t, p)
		_, err := p.EnableSharing(ctx, co.owner)
		wantCode(t, err, "")
		_, _, err = p.CreateShare(ctx, co.owner, controlplane.NewShare{Name: "x", RetainOnLeave: retain, Resources: []string{co.network.ARN(region)},
			Principals: []string{co.inEU.Principal.Account, co.unitARN(co.prod)}})
		wantCode(t, err, "")
		if !co.sharedWith(t, p, co.inEU, "GetServiceNetwork") {
			t.Error("not shared")
		}
		put(t, shared, &trellis.Account{ID: co.inEU.Principal.Account})
		if got := co.sharedWith(t, p, co.inEU, "GetServiceNetwork"); got != retain {
			t.Errorf("after it left, retain %t: %t", retain, got)
		}
	}
	co := newCompany(t, p)
	_, err := p.EnableSharing(ctx, co.owner)
	wantCode(t, err, "")
	_, _, err = p.CreateShare(ctx, co.owner, controlplane.NewShare{Name: "x", Resources: []string{co.network.ARN(region)}, Principals: []string{co.orgARN()}})
	wantCode(t, err, "")
	if !co.sharedWith(t, p, co.root, "GetServiceNetwork") {
		t.Error("not shared")
	}
	co.org.SharingEnabled = false
	put(t, shared, co.org)
	if co.sharedWith(t, p, co.root, "GetServiceNetwork") {
		t.Error("shared within an organization that doesn't trust RAM")
	}
}

// TestShareConditions asks policies with RAM's condition keys.
func TestShareConditions(t *testing.T) {
	p, ctx := running(t, controlplane.Options{}), t.Context()
	co := newCompany(t, p)
	account, partner, other := co.owner.Principal.Account, newAccount(), newAccount()
	with := func(action, condition string) *authpolicy.Caller {
		return caller(t, account, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"`+action+`","Resource":"*","Condition":`+condition+`}]}`)
	}
	in := controlplane.NewShare{Name: "x", AllowExternalPrincipals: true, Resources: []string{co.network.ARN(region)}, Principals: []string{partner, other}, Tags: map[string]string{"team": "net"}}
	create := func(c *authpolicy.Caller) error { _, _, err := p.CreateShare(ctx, c, in); return err }
	s, _, err := p.CreateShare(ctx, co.owner, in)
	wantCode(t, err, "")
	arn := s.ARN(region)
	for _, x := range []struct {
		condition string
		call      func(c *authpolicy.Caller) error
		action    string
		want      string
	}{
		{`{"Bool":{"ram:RequestedAllowsExternalPrincipals":"true"}}`, create, "ram:CreateResourceShare", "AccessDeniedException"},
		{`{"Bool":{"ram:RequestedAllowsExternalPrincipals":"false"}}`, create, "ram:CreateResourceShare", ""},
		{`{"StringNotEquals":{"ram:Principal":"` + partner + `"}}`, create, "ram:CreateResourceShare", "AccessDeniedException"},
		{`{"StringNotEquals":{"ram:Principal":["` + partner + `","` + other + `"]}}`, create, "ram:CreateResourceShare", ""},
		{`{"StringEquals":{"ram:RequestedResourceType":"vpc-lattice:ServiceNetwork"}}`, create, "ram:CreateResourceShare", "AccessDeniedException"},
		{`{"ArnEquals":{"ram:ResourceArn":"` + co.network.ARN(region) + `"}}`, create, "ram:CreateResourceShare", "AccessDeniedException"},
		{`{"StringEquals":{"aws:RequestTag/team":"net"}}`, create, "ram:CreateResourceShare", "AccessDeniedException"},
		{`{"StringEquals":{"aws:ResourceTag/team":"net"}}`, func(c *authpolicy.Caller) error { _, _, err := p.UpdateShare(ctx, c, arn, nil, nil); return err }, "ram:UpdateResourceShare", "AccessDeniedException"},
		{`{"StringEquals":{"ram:ResourceShareName":"x"}}`, func(c *authpolicy.Caller) error { _, err := p.DeleteShare(ctx, c, arn); return err }, "ram:DeleteResourceShare", "AccessDeniedException"},
		{`{"ArnEquals":{"ram:PermissionArn":"` + guidePermission + `"}}`, func(c *authpolicy.Caller) error {
			_, err := p.AssociateSharePermission(ctx, c, arn, guidePermission, 0, true)
			return err
		}, "ram:AssociateResourceSharePermission", "AccessDeniedException"},
	} {
		if got := code(t, x.call(with(x.action, x.condition))); got != x.want {
			t.Errorf("%s with %s: got %q, want %q", x.action, x.condition, got, x.want)
		}
	}
}
