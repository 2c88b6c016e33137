package controlplane_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
)

// share gives one resource of a caller's to another account, which accepts the invitation.
func share(t testing.TB, p *controlplane.Plane, owner, consumer *authpolicy.Caller, arn string) *trellis.ResourceShare {
	t.Helper()
	s, _, err := p.CreateShare(t.Context(), owner, controlplane.NewShare{Name: "share", AllowExternalPrincipals: true,
		Resources: []string{arn}, Principals: []string{consumer.Principal.Account}})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range must[[]controlplane.ShareInvitation](t)(p.Invitations(t.Context(), consumer)) {
		if i.Status(p.Now()) == "PENDING" {
			if _, _, err := p.AnswerInvitation(t.Context(), consumer, i.ARN(region), true); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// TestSharedNetwork shares the scenario's network: the consumer sees it, associates its own VPC and service,
// and nothing more; after the share has ended the associations stay and new ones are refused.
func TestSharedNetwork(t *testing.T) {
	p := running(t, controlplane.Options{})
	ctx := t.Context()
	o := newOrders(t, p)
	consumer := admin(t)
	vpc, _, group := newVPC(t, consumer, "10.0.0.0/16")
	mine, _, err := p.CreateService(ctx, consumer, "", trellis.Service{Name: "payments"})
	wantCode(t, err, "")
	network := o.network.ARN(region)

	_, _, err = p.CreateVPCAssociation(ctx, consumer, "", network, vpc, trellis.VPCAssociation{})
	wantCode(t, err, "ResourceNotFoundException")
	s := share(t, p, o.c, consumer, network)

	list, _, err := p.ListServiceNetworks(ctx, consumer, controlplane.Page{})
	if err != nil || len(list) != 1 || list[0].ID != o.network.ID {
		t.Fatalf("%v %v", list, err)
	}
	_, err = p.GetServiceNetwork(ctx, consumer, network)
	wantCode(t, err, "")
	_, err = p.GetServiceNetwork(ctx, consumer, o.network.ID) // a bare id is of one's own account
	wantCode(t, err, "ResourceNotFoundException")
	_, _, err = p.UpdateServiceNetwork(ctx, consumer, network, trellis.AuthNone)
	wantCode(t, err, "AccessDeniedException")
	_, err = p.DeleteServiceNetwork(ctx, consumer, network)
	wantCode(t, err, "AccessDeniedException")
	_, _, err = p.PutAuthPolicy(ctx, consumer, network, allowAll)
	wantCode(t, err, "AccessDeniedException")
	_, err = p.GetService(ctx, consumer, o.service.ARN(region)) // the services in it are not shared
	wantCode(t, err, "ResourceNotFoundException")

	v, _, err := p.CreateVPCAssociation(ctx, consumer, "", network, vpc, trellis.VPCAssociation{SecurityGroupIDs: []string{group}})
	wantCode(t, err, "")
	a, _, err := p.CreateServiceAssociation(ctx, consumer, "", mine.ID, network, map[string]string{"team": "payments"})
	wantCode(t, err, "")
	_, _, err = p.CreateVPCAssociation(ctx, consumer, "", network, o.vpc, trellis.VPCAssociation{})
	wantCode(t, err, "ResourceNotFoundException")

	// Both accounts see the association, each under its own ARN; the owner's has no say over the tags.
	for _, c := range []*authpolicy.Caller{o.c, consumer} {
		got, err := p.GetServiceAssociation(ctx, c, a.ARN(region, c.Principal.Account))
		if err != nil || got.ID != a.ID || got.CreatedBy != consumer.Principal.Account {
			t.Errorf("%v %v", got, err)
		}
		all, _, err := p.ListServiceAssociations(ctx, c, network, "", controlplane.Page{})
		if err != nil || len(all) != 2 {
			t.Errorf("%v %v", all, err)
		}
	}
	_, err = p.GetServiceAssociation(ctx, o.c, a.ARN(region, consumer.Principal.Account))
	wantCode(t, err, "ResourceNotFoundException")
	_, err = p.ListTagsForResource(ctx, o.c, a.ARN(region, o.c.Principal.Account))
	wantCode(t, err, "ResourceNotFoundException")
	tags, err := p.ListTagsForResource(ctx, consumer, a.ARN(region, consumer.Principal.Account))
	if err != nil || tags["team"] != "payments" {
		t.Errorf("%v %v", tags, err)
	}
	await(t, "ACTIVE", func() bool {
		return must[*controlplane.VPCAssociation](t)(p.GetVPCAssociation(ctx, consumer, v.ID)).Status == trellis.StatusActive &&
			must[*controlplane.ServiceAssociation](t)(p.GetServiceAssociation(ctx, consumer, a.ID)).Status == trellis.StatusActive
	})
	_, _, err = p.UpdateVPCAssociation(ctx, o.c, v.ID, controlplane.VPCAssociationChange{})
	wantCode(t, err, "AccessDeniedException")
	// The consumer sees every association of the network, but may end only its own.
	owners, _, err := p.ListServiceAssociations(ctx, o.c, "", o.service.ID, controlplane.Page{})
	wantCode(t, err, "")
	for _, id := range []string{owners[0].ID, owners[0].ARN(region, consumer.Principal.Account)} {
		got, err := p.GetServiceAssociation(ctx, consumer, id)
		if err != nil || got.ID != owners[0].ID {
			t.Errorf("%v %v", got, err)
		}
	}
	_, _, err = p.DeleteServiceAssociation(ctx, consumer, owners[0].ID)
	wantCode(t, err, "AccessDeniedException")

	if _, err := p.DeleteShare(ctx, o.c, s.ARN(region)); err != nil {
		t.Fatal(err)
	}
	_, err = p.GetServiceNetwork(ctx, consumer, network)
	wantCode(t, err, "ResourceNotFoundException")
	_, err = p.GetServiceAssociation(ctx, consumer, owners[0].ID)
	wantCode(t, err, "ResourceNotFoundException")
	_, err = p.GetVPCAssociation(ctx, consumer, v.ID)
	wantCode(t, err, "")
	for _, filter := range []string{"", vpc} { // what the consumer takes part in is still listed, and nothing else
		list, _, err := p.ListVPCAssociations(ctx, consumer, network, filter, controlplane.Page{})
		if err != nil || len(list) != 1 || list[0].ID != v.ID {
			t.Errorf("%v %v", list, err)
		}
	}
	left, _, err := p.ListServiceAssociations(ctx, consumer, network, "", controlplane.Page{})
	if err != nil || len(left) != 1 || left[0].ID != a.ID {
		t.Errorf("%v %v", left, err)
	}
	_, _, err = p.ListVPCAssociations(ctx, admin(t), network, "", controlplane.Page{})
	wantCode(t, err, "ResourceNotFoundException")
	other, _, _ := newVPC(t, consumer, "10.1.0.0/16")
	_, _, err = p.CreateVPCAssociation(ctx, consumer, "", network, other, trellis.VPCAssociation{})
	wantCode(t, err, "ResourceNotFoundException")

	// The owner of the network may part a consumer's VPC from it, and the consumer its own service.
	_, _, err = p.DeleteVPCAssociation(ctx, o.c, v.ARN(region, o.c.Principal.Account))
	wantCode(t, err, "")
	_, _, err = p.DeleteServiceAssociation(ctx, consumer, a.ID)
	wantCode(t, err, "")
	await(t, "the end of the associations", func() bool {
		_, err1 := p.GetVPCAssociation(ctx, consumer, v.ID)
		_, err2 := p.GetServiceAssociation(ctx, o.c, a.ID)
		return code(t, err1) == "ResourceNotFoundException" && code(t, err2) == "ResourceNotFoundException"
	})
}

// TestSharedService shares a service: the consumer puts it into its own network, but not into another one
// that is shared with it, and never sees what is inside of it.
func TestSharedService(t *testing.T) {
	p := running(t, controlplane.Options{})
	ctx := t.Context()
	o := newOrders(t, p)
	consumer := admin(t)
	mine, _, err := p.CreateServiceNetwork(ctx, consumer, "", trellis.ServiceNetwork{Name: "mine", SharingEnabled: true})
	wantCode(t, err, "")
	share(t, p, o.c, consumer, o.service.ARN(region))
	share(t, p, o.c, consumer, o.network.ARN(region))

	services, _, err := p.ListServices(ctx, consumer, controlplane.Page{})
	if err != nil || !slices.ContainsFunc(services, func(s *trellis.Service) bool { return s.ID == o.service.ID }) {
		t.Errorf("%v %v", services, err)
	}
	_, _, err = p.ListListeners(ctx, consumer, o.service.ARN(region), controlplane.Page{})
	wantCode(t, err, "AccessDeniedException")
	_, _, err = p.CreateServiceAssociation(ctx, consumer, "", o.service.ARN(region), o.network.ARN(region), nil)
	wantCode(t, err, "ValidationException")
	a, _, err := p.CreateServiceAssociation(ctx, consumer, "", o.service.ARN(region), mine.ID, nil)
	wantCode(t, err, "")
	// The owner of the service sees that association too, and may end it.
	all, _, err := p.ListServiceAssociations(ctx, o.c, "", o.service.ID, controlplane.Page{})
	if err != nil || len(all) != 2 {
		t.Errorf("%v %v", all, err)
	}
	// The consumer sees of the service's associations only its own.
	all, _, err = p.ListServiceAssociations(ctx, consumer, "", o.service.ARN(region), controlplane.Page{})
	if err != nil || len(all) != 1 || all[0].ID != a.ID {
		t.Errorf("%v %v", all, err)
	}
	await(t, "ACTIVE", func() bool {
		return must[*controlplane.ServiceAssociation](t)(p.GetServiceAssociation(ctx, o.c, a.ID)).Status == trellis.StatusActive
	})
	_, _, err = p.DeleteServiceAssociation(ctx, o.c, a.ID)
	wantCode(t, err, "")
}

// TestSharedAndDeleted deletes shared things: they leave the share with them.
func TestSharedAndDeleted(t *testing.T) {
	p := running(t, controlplane.Options{})
	ctx := t.Context()
	owner, consumer := admin(t), admin(t)
	n, _, err := p.CreateServiceNetwork(ctx, owner, "", trellis.ServiceNetwork{Name: "mesh", SharingEnabled: true})
	wantCode(t, err, "")
	s, _, err := p.CreateService(ctx, owner, "", trellis.Service{Name: "orders"})
	wantCode(t, err, "")
	share(t, p, owner, consumer, n.ARN(region))
	share(t, p, owner, consumer, s.ARN(region))
	_, err = p.DeleteServiceNetwork(ctx, owner, n.ID)
	wantCode(t, err, "")
	_, _, err = p.DeleteService(ctx, owner, s.ID)
	wantCode(t, err, "")
	await(t, "the end of the service", func() bool {
		_, err := p.GetService(ctx, owner, s.ID)
		return code(t, err) == "ResourceNotFoundException"
	})
	for _, sh := range must[[]*trellis.ResourceShare](t)(p.Shares(ctx, owner, "ListResources", false)) {
		if len(sh.Resources) != 0 {
			t.Errorf("share %s still has %v", sh.ID, sh.Resources)
		}
	}
}

// TestPagesOfShared reads lists of one's own services between which others' are shared, by pages of every size: all are
// there, once, in the order of their ids.
func TestPagesOfShared(t *testing.T) {
	p := running(t, controlplane.Options{})
	owner, consumer := admin(t), admin(t)
	var want []string
	for i := range 9 {
		c := consumer
		if i%3 == 0 {
			c = owner
		}
		s, _, err := p.CreateService(t.Context(), c, "", trellis.Service{Name: fmt.Sprint("service-", i)})
		if err != nil {
			t.Fatal(err)
		}
		if c == owner {
			share(t, p, owner, consumer, s.ARN(region))
		}
		want = append(want, s.ID)
	}
	slices.Sort(want)
	for size := 1; size <= 10; size++ {
		var got []string
		for after := ""; ; {
			page, next, err := p.ListServices(t.Context(), consumer, controlplane.Page{Max: size, After: after})
			if err != nil || len(page) > size {
				t.Fatalf("a page of %d: %v", len(page), err)
			}
			for _, s := range page {
				got = append(got, s.ID)
			}
			if after = next; after == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by pages of %d: %v, want %v", size, got, want)
		}
	}
}
