package ram_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/ram"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/store"
)

// TestMain fails the package when a goroutine is left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The accounts of the tests: the access key id of each one's administrator is AKIA and the account.
const (
	owner    = "111122223333" // of the network, and of the organization
	consumer = "444455556666" // in the organization
	partner  = "777788889999" // outside of it
	secret   = "a secret of the tests"
)

// serve runs RAM on a store of its own with an organization and a service network, and returns a client for
// each account and the network's ARN.
func serve(t *testing.T) (clients map[string]*client.Client, network string) {
	t.Helper()
	st, err := store.New(store.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-st.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("the store does not become ready")
	}
	plane := controlplane.New(controlplane.Options{Store: st, Region: "eu-west-1"})
	mesh := &trellis.ServiceNetwork{Meta: trellis.Meta{Account: owner, ID: "sn-0123456789abcdef0"}, Name: "platform-mesh", SharingEnabled: true}
	_, err = st.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Put(&trellis.Organization{ID: "o-abc1234567", ManagementAccountID: owner, RootID: "r-root"})
		tx.Put(&trellis.OrganizationalUnit{OrgID: "o-abc1234567", ID: "ou-root-xxxxxxxx", ParentID: "r-root", Name: "prod"})
		tx.Put(&trellis.Account{ID: owner, OrgID: "o-abc1234567", ParentID: "r-root"})
		tx.Put(&trellis.Account{ID: consumer, OrgID: "o-abc1234567", ParentID: "ou-root-xxxxxxxx"})
		tx.Put(&trellis.Account{ID: partner})
		tx.Put(mesh)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api.NewServer(api.Options{Region: "eu-west-1", Services: []api.Service{ram.New(plane)},
		Callers: func(accessKeyID, _ string) (*authpolicy.Caller, *sigv4.Key, error) {
			arn := trellis.IAMARN(accessKeyID[4:], "user/administrator")
			return &authpolicy.Caller{Identity: authpolicy.Policies{{Policy: policy}}, Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: accessKeyID[4:], ARN: arn, PolicyARN: arn}}, sigv4.NewKey(secret), nil
		}}))
	t.Cleanup(server.Close)
	clients = map[string]*client.Client{}
	for _, account := range []string{owner, consumer, partner} {
		c, err := client.New(server.URL, client.Credentials{AccessKeyID: "AKIA" + account, SecretAccessKey: trellis.NewSecret(secret)}, "eu-west-1")
		if err != nil {
			t.Fatal(err)
		}
		c.HTTP = server.Client()
		clients[account] = c
	}
	return clients, mesh.ARN("eu-west-1")
}

// call calls an operation that succeeds.
func call[Out any](t *testing.T, c *client.Client, operation string, in any) *Out {
	t.Helper()
	out, _, err := client.Do[Out](t.Context(), c, "ram", operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// refused calls an operation that answers an error code.
func refused(t *testing.T, c *client.Client, operation string, in any, code string) {
	t.Helper()
	_, err := c.Call(t.Context(), "ram", operation, in)
	var e *trellis.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s: got %v, want %s", operation, err, code)
	}
}

// ptr is a pointer to v.
func ptr[T any](v T) *T { return &v }

// TestTheGuidesShareOnTheWire shares a network with an organizational unit and with a partner, as both sides see it.
func TestTheGuidesShareOnTheWire(t *testing.T) {
	clients, network := serve(t)
	from, to, outside := clients[owner], clients[consumer], clients[partner]
	refused(t, to, "EnableSharingWithAwsOrganization", nil, "OperationNotPermittedException")
	if !*call[ram.EnableSharingWithAwsOrganizationOutput](t, from, "EnableSharingWithAwsOrganization", nil).ReturnValue {
		t.Error("sharing is not enabled")
	}
	permission := "arn:aws:ram::aws:permission/AWSRAMPermissionVpcLatticeServiceNetworkVpcAssociation"
	share := call[ram.CreateResourceShareOutput](t, from, "CreateResourceShare", &ram.CreateResourceShareInput{Name: "lattice-platform-mesh", ResourceArns: []string{network},
		Principals: []string{"arn:aws:organizations::111122223333:ou/o-abc1234567/ou-root-xxxxxxxx"}, PermissionArns: []string{permission},
		Tags: []ram.Tag{{Key: ptr("team"), Value: ptr("")}}}).ResourceShare
	if !*share.AllowExternalPrincipals || *share.Status != "ACTIVE" || *share.FeatureSet != "STANDARD" || *share.OwningAccountId != owner || len(share.Tags) != 1 {
		t.Errorf("share: %+v", share)
	}
	named := call[ram.ListResourceSharePermissionsOutput](t, from, "ListResourceSharePermissions", &ram.ListResourceSharePermissionsInput{ResourceShareArn: *share.ResourceShareArn}).Permissions
	if len(named) != 1 || *named[0].Arn != permission {
		t.Errorf("permissions: %+v", named)
	}
	theirs := call[ram.GetResourceSharesOutput](t, to, "GetResourceShares", &ram.GetResourceSharesInput{ResourceOwner: "OTHER-ACCOUNTS"}).ResourceShares
	if len(theirs) != 1 || *theirs[0].ResourceShareArn != *share.ResourceShareArn || len(theirs[0].Tags) != 0 {
		t.Errorf("the consumer sees %+v", theirs)
	}
	resources := call[ram.ListResourcesOutput](t, to, "ListResources", &ram.ListResourcesInput{ResourceOwner: "OTHER-ACCOUNTS", ResourceType: ptr("vpc-lattice:ServiceNetwork")}).Resources
	if len(resources) != 1 || *resources[0].Arn != network {
		t.Errorf("resources: %+v", resources)
	}
	owners := call[ram.ListPrincipalsOutput](t, to, "ListPrincipals", &ram.ListPrincipalsInput{ResourceOwner: "OTHER-ACCOUNTS"}).Principals
	if len(owners) != 1 || *owners[0].Id != owner {
		t.Errorf("owners: %+v", owners)
	}

	added := call[ram.AssociateResourceShareOutput](t, from, "AssociateResourceShare", &ram.AssociateResourceShareInput{ResourceShareArn: *share.ResourceShareArn, Principals: []string{partner}}).ResourceShareAssociations
	if len(added) != 1 || *added[0].Status != "ASSOCIATING" || !*added[0].External {
		t.Errorf("association: %+v", added)
	}
	asked := call[ram.GetResourceShareInvitationsOutput](t, outside, "GetResourceShareInvitations", &ram.GetResourceShareInvitationsInput{}).ResourceShareInvitations
	if len(asked) != 1 || *asked[0].Status != "PENDING" || *asked[0].SenderAccountId != owner {
		t.Fatalf("invitations: %+v", asked)
	}
	accept := &ram.AcceptResourceShareInvitationInput{ResourceShareInvitationArn: *asked[0].ResourceShareInvitationArn}
	refused(t, to, "AcceptResourceShareInvitation", accept, "ResourceShareInvitationArnNotFoundException")
	if i := call[ram.AcceptResourceShareInvitationOutput](t, outside, "AcceptResourceShareInvitation", accept).ResourceShareInvitation; *i.Status != "ACCEPTED" {
		t.Errorf("invitation: %+v", i)
	}
	refused(t, outside, "RejectResourceShareInvitation", &ram.RejectResourceShareInvitationInput{ResourceShareInvitationArn: *asked[0].ResourceShareInvitationArn}, "ResourceShareInvitationAlreadyAcceptedException")
	joined := call[ram.GetResourceShareAssociationsOutput](t, from, "GetResourceShareAssociations", &ram.GetResourceShareAssociationsInput{AssociationType: "PRINCIPAL", AssociationStatus: ptr("ASSOCIATED"), MaxResults: ptr[int32](1)})
	if len(joined.ResourceShareAssociations) != 1 || joined.NextToken == nil {
		t.Errorf("associations: %+v", joined)
	}
	rest := call[ram.GetResourceShareAssociationsOutput](t, from, "GetResourceShareAssociations", &ram.GetResourceShareAssociationsInput{AssociationType: "PRINCIPAL", AssociationStatus: ptr("ASSOCIATED"), NextToken: joined.NextToken})
	if len(rest.ResourceShareAssociations) != 1 || *rest.ResourceShareAssociations[0].AssociatedEntity == *joined.ResourceShareAssociations[0].AssociatedEntity {
		t.Errorf("second page: %+v", rest)
	}
	refused(t, from, "GetResourceShares", &ram.GetResourceSharesInput{ResourceOwner: "SELF", NextToken: ptr("made up")}, "InvalidNextTokenException")

	call[ram.UntagResourceOutput](t, from, "UntagResource", &ram.UntagResourceInput{ResourceShareArn: share.ResourceShareArn, TagKeys: []string{"team"}})
	updated := call[ram.UpdateResourceShareOutput](t, from, "UpdateResourceShare", &ram.UpdateResourceShareInput{ResourceShareArn: *share.ResourceShareArn, Name: ptr("mesh")}).ResourceShare
	if *updated.Name != "mesh" || len(updated.Tags) != 0 {
		t.Errorf("updated: %+v", updated)
	}
	call[ram.DisassociateResourceShareOutput](t, from, "DisassociateResourceShare", &ram.DisassociateResourceShareInput{ResourceShareArn: *share.ResourceShareArn, ResourceArns: []string{network}})
	if r := call[ram.ListResourcesOutput](t, to, "ListResources", &ram.ListResourcesInput{ResourceOwner: "OTHER-ACCOUNTS"}).Resources; len(r) != 0 {
		t.Errorf("resources after they left: %+v", r)
	}
	call[ram.DeleteResourceShareOutput](t, from, "DeleteResourceShare", &ram.DeleteResourceShareInput{ResourceShareArn: *share.ResourceShareArn})
	refused(t, from, "UpdateResourceShare", &ram.UpdateResourceShareInput{ResourceShareArn: *share.ResourceShareArn, Name: ptr("x")}, "UnknownResourceException")
	deleted := call[ram.GetResourceSharesOutput](t, from, "GetResourceShares", &ram.GetResourceSharesInput{ResourceOwner: "SELF", ResourceShareArns: []string{*share.ResourceShareArn}}).ResourceShares
	if len(deleted) != 1 || *deleted[0].Status != "DELETED" {
		t.Errorf("deleted: %+v", deleted)
	}
	refused(t, from, "ListResourceSharePermissions", &ram.ListResourceSharePermissionsInput{ResourceShareArn: "mesh"}, "MalformedArnException")
}
