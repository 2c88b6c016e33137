package eks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/eks"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/store"
)

// TestMain fails the package when a goroutine is left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The accounts of the tests, and what their callers sign with.
const (
	owner    = "111122223333"
	stranger = "444455556666"
	secret   = "a secret of the tests"
	issuer   = "https://oidc.example.com/id/ABC"
	region   = "eu-west-1"
)

// The access keys of the tests: of each account's administrator, and of one who may all but hand roles on.
const (
	admin    = "AKIA" + owner
	other    = "AKIA" + stranger
	roleless = "ROLE" + owner
)

// serve runs EKS on a store with roles and two VPCs, and returns a client for each access key.
func serve(t *testing.T) map[string]*client.Client {
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
	_, err = st.Commit(t.Context(), func(tx *store.Tx) error {
		role := func(name, trust string) {
			tx.Put(&trellis.Role{Meta: trellis.Meta{Account: owner, ID: "AROA" + name}, Name: name, Path: "/", TrustPolicy: trust, MaxSessionSeconds: 3600})
		}
		role("cluster", `{}`)
		role("checkout", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`)
		role("payments", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","pods.eks.amazonaws.com"]},"Action":"sts:*"}}`)
		role("distrustful", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
		for i, vpc := range []string{"vpc-1", "vpc-1", "vpc-2"} {
			tx.Put(&trellis.Subnet{Meta: trellis.Meta{Account: owner, ID: fmt.Sprintf("subnet-%d", i)}, VPCID: vpc, CIDR: netip.MustParsePrefix("10.0.0.0/24")})
		}
		tx.Put(&trellis.SecurityGroup{Meta: trellis.Meta{Account: owner, ID: "sg-1"}, VPCID: "vpc-1"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string]authpolicy.Policies{}
	for key, text := range map[string]string{
		"AKIA": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		"ROLE": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"eks:*","Resource":"*"}}`,
	} {
		p, err := authpolicy.Parse(text, authpolicy.Identity)
		if err != nil {
			t.Fatal(err)
		}
		policies[key] = authpolicy.Policies{{Policy: p}}
	}
	i := identity.New(identity.Options{Store: st, Region: region})
	server := httptest.NewServer(api.NewServer(api.Options{Region: region, Services: []api.Service{eks.New(i)},
		Callers: func(id, _ string) (*authpolicy.Caller, *sigv4.Key, error) {
			arn := trellis.IAMARN(id[4:], "user/"+id[:4])
			return &authpolicy.Caller{Identity: policies[id[:4]], Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: id[4:], ARN: arn, PolicyARN: arn}}, sigv4.NewKey(secret), nil
		}}))
	t.Cleanup(server.Close)
	clients := map[string]*client.Client{}
	for _, id := range []string{admin, other, roleless} {
		c, err := client.New(server.URL, client.Credentials{AccessKeyID: id, SecretAccessKey: trellis.NewSecret(secret)}, region)
		if err != nil {
			t.Fatal(err)
		}
		c.HTTP = server.Client()
		clients[id] = c
	}
	return clients
}

// call calls an operation that succeeds.
func call[Out any](t *testing.T, c *client.Client, operation string, in any) *Out {
	t.Helper()
	out, _, err := client.Do[Out](t.Context(), c, "eks", operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// refused calls an operation that answers an error whose text begins with a code and goes on with what is known of it.
func refused(t *testing.T, c *client.Client, operation string, in any, want string) {
	t.Helper()
	_, err := c.Call(t.Context(), "eks", operation, in)
	if e := new(trellis.Error); !errors.As(err, &e) || !strings.HasPrefix(e.Error(), want) {
		t.Errorf("%s %+v: got %v, want %s", operation, in, err, want)
	}
}

// role is the ARN of a role of the owner.
func role(name string) string { return trellis.IAMARN(owner, "role/"+name) }

// cluster is a request for a cluster; change changes it.
func cluster(name string, change ...func(*eks.CreateClusterInput)) *eks.CreateClusterInput {
	in := &eks.CreateClusterInput{Name: name, RoleArn: role("cluster"), ResourcesVpcConfig: &eks.VpcConfigRequest{SubnetIds: []string{"subnet-0", "subnet-1"}, SecurityGroupIds: []string{"sg-1"}},
		Tags: map[string]string{identity.IssuerTag: issuer + "/" + name, "team": "orders"}, Version: new("1.37")}
	for _, f := range change {
		f(in)
	}
	return in
}

// TestClusters makes, finds and deletes records of clusters, and asks for what is refused.
func TestClusters(t *testing.T) {
	clients := serve(t)
	c := clients[admin]
	made := call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("orders", func(in *eks.CreateClusterInput) { in.ClientRequestToken = new("once") })).Cluster
	if *made.Status != "ACTIVE" || *made.Arn != "arn:aws:eks:eu-west-1:111122223333:cluster/orders" || *made.Identity.Oidc.Issuer != issuer+"/orders" ||
		*made.ResourcesVpcConfig.VpcId != "vpc-1" || !*made.ResourcesVpcConfig.EndpointPublicAccess || *made.Version != "1.37" || made.Tags["team"] != "orders" {
		t.Errorf("cluster: %+v", made)
	}
	again := call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("orders", func(in *eks.CreateClusterInput) { in.ClientRequestToken = new("once") })).Cluster
	if !again.CreatedAt.Equal(*made.CreatedAt) {
		t.Errorf("the same token made another cluster: %+v", again)
	}
	for want, in := range map[string]*eks.CreateClusterInput{
		"ResourceInUseException: Cluster already exists with name: orders":                       cluster("orders"),
		"InvalidParameterException: The client request token":                                    cluster("late", func(in *eks.CreateClusterInput) { in.ClientRequestToken = new("once") }),
		"ResourceInUseException: The issuer " + issuer + "/orders is that of the cluster orders": cluster("late", func(in *eks.CreateClusterInput) { in.Tags[identity.IssuerTag] = issuer + "/orders" }),
		"InvalidParameterException: Trellis runs no Kubernetes":                                  cluster("late", func(in *eks.CreateClusterInput) { in.Tags = nil }),
		"InvalidParameterException: The tag trellis:oidc-issuer must be the URL":                 cluster("late", func(in *eks.CreateClusterInput) { in.Tags[identity.IssuerTag] = "https://u:p@h/?x" }),
		"InvalidParameterException: The tag trellis:oidc-issuer must be the URL of":              cluster("late", func(in *eks.CreateClusterInput) { in.Tags[identity.IssuerTag] = "https://host/a b" }),
		"InvalidParameterException: 1 validation error detected: Value 'a b' at 'name'":          cluster("a b"),
		"InvalidParameterException: Role provided in the request does not exist":                 cluster("late", func(in *eks.CreateClusterInput) { in.RoleArn = role("nobody") }),
		"InvalidParameterException: orders is not the ARN of a role":                             cluster("late", func(in *eks.CreateClusterInput) { in.RoleArn = "orders" }),
		"AccessDeniedException: Cross-account pass role":                                         cluster("late", func(in *eks.CreateClusterInput) { in.RoleArn = trellis.IAMARN(stranger, "role/x") }),
		"InvalidParameterException: The subnet ID 'subnet-9'":                                    cluster("late", func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds = []string{"subnet-9"} }),
		"InvalidParameterException: Subnets specified must be in the same VPC":                   cluster("late", func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds = []string{"subnet-0", "subnet-2"} }),
		"InvalidParameterException: Security group(s) sg-1":                                      cluster("late", func(in *eks.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds = []string{"subnet-2"} }),
		"InvalidParameterException: A tag key must not begin":                                    cluster("late", func(in *eks.CreateClusterInput) { in.Tags["aws:x"] = "" }),
		"InvalidParameterException: Trellis does not protect":                                    cluster("late", func(in *eks.CreateClusterInput) { in.DeletionProtection = new(true) }),
	} {
		refused(t, c, "CreateCluster", in, want)
	}
	refused(t, clients[roleless], "CreateCluster", cluster("late"), "AccessDeniedException: User: arn:aws:iam::111122223333:user/ROLE is not authorized to perform: iam:PassRole on resource: "+role("cluster"))
	refused(t, c, "UpdateClusterConfig", &eks.UpdateClusterConfigInput{Name: "orders"}, "InvalidParameterException: UpdateClusterConfig is not served")
	refused(t, clients[other], "DescribeCluster", &eks.DescribeClusterInput{Name: "orders"}, "ResourceNotFoundException: No cluster found for name: orders.")
	refused(t, c, "DescribeAddon", &eks.DescribeAddonInput{ClusterName: "orders", AddonName: "eks-pod-identity-agent"}, "ResourceNotFoundException: No addon: eks-pod-identity-agent found")

	call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("payments"))
	first := call[eks.ListClustersOutput](t, c, "ListClusters", &eks.ListClustersInput{MaxResults: new(int32(1))})
	if len(first.Clusters) != 1 || first.NextToken == nil {
		t.Fatalf("first page: %+v", first)
	}
	if rest := call[eks.ListClustersOutput](t, c, "ListClusters", &eks.ListClustersInput{NextToken: first.NextToken}); len(rest.Clusters) != 1 || rest.Clusters[0] != "payments" {
		t.Errorf("second page: %+v", rest)
	}
	refused(t, c, "ListClusters", &eks.ListClustersInput{NextToken: new("made up")}, "InvalidParameterException: The nextToken")

	if gone := call[eks.DeleteClusterOutput](t, c, "DeleteCluster", &eks.DeleteClusterInput{Name: "orders"}).Cluster; *gone.Status != "DELETING" {
		t.Errorf("deleted: %+v", gone)
	}
	refused(t, c, "DeleteCluster", &eks.DeleteClusterInput{Name: "orders"}, "ResourceNotFoundException")
	call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("orders")) // name and issuer are free again
}

// association is a request for an association in the cluster orders; change changes it.
func association(change ...func(*eks.CreatePodIdentityAssociationInput)) *eks.CreatePodIdentityAssociationInput {
	in := &eks.CreatePodIdentityAssociationInput{ClusterName: "orders", Namespace: "shop", ServiceAccount: "checkout", RoleArn: role("checkout")}
	for _, f := range change {
		f(in)
	}
	return in
}

// TestAssociations makes, changes and deletes associations, and asks for what is refused.
func TestAssociations(t *testing.T) {
	clients := serve(t)
	c := clients[admin]
	refused(t, c, "CreatePodIdentityAssociation", association(), "ResourceNotFoundException: No cluster found for name: orders.")
	call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("orders"))
	once := func(in *eks.CreatePodIdentityAssociationInput) { in.ClientRequestToken = new("once") }
	a := call[eks.CreatePodIdentityAssociationOutput](t, c, "CreatePodIdentityAssociation", association(once, func(in *eks.CreatePodIdentityAssociationInput) { in.Tags = map[string]string{"team": "a"} })).Association
	if !strings.HasPrefix(*a.AssociationId, "a-") || len(*a.AssociationId) != 19 || *a.AssociationArn != "arn:aws:eks:eu-west-1:111122223333:podidentityassociation/orders/"+*a.AssociationId ||
		*a.DisableSessionTags || a.ExternalId != nil || a.OwnerArn != nil || *a.Namespace != "shop" || a.Tags["team"] != "a" {
		t.Errorf("association: %+v", a)
	}
	again := call[eks.CreatePodIdentityAssociationOutput](t, c, "CreatePodIdentityAssociation", association(once, func(in *eks.CreatePodIdentityAssociationInput) { in.Tags = map[string]string{"team": "a"} })).Association
	if *again.AssociationId != *a.AssociationId {
		t.Errorf("the same token made another association: %+v", again)
	}
	bare := func(f func(*eks.CreatePodIdentityAssociationInput)) *eks.CreatePodIdentityAssociationInput {
		return association(func(in *eks.CreatePodIdentityAssociationInput) { in.ServiceAccount = "late" }, f)
	}
	policy := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}}`
	for want, in := range map[string]*eks.CreatePodIdentityAssociationInput{
		"ResourceInUseException: Association already exists: " + *a.AssociationId: association(),
		"InvalidParameterException: The client request token":                     bare(once),
		"InvalidParameterException: The namespace \"Shop\"":                       bare(func(in *eks.CreatePodIdentityAssociationInput) { in.Namespace = "Shop" }),
		"InvalidParameterException: The service account \"a/b\"":                  bare(func(in *eks.CreatePodIdentityAssociationInput) { in.ServiceAccount = "a/b" }),
		"InvalidParameterException: Trust policy of the role provided is invalid": bare(func(in *eks.CreatePodIdentityAssociationInput) { in.RoleArn = role("distrustful") }),
		"InvalidParameterException: Role provided in the request does not exist":  bare(func(in *eks.CreatePodIdentityAssociationInput) { in.RoleArn = role("nobody") }),
		"AccessDeniedException: Cross-account pass role":                          bare(func(in *eks.CreatePodIdentityAssociationInput) { in.RoleArn = trellis.IAMARN(stranger, "role/x") }),
		"InvalidParameterException: x is not the ARN of a role":                   bare(func(in *eks.CreatePodIdentityAssociationInput) { in.TargetRoleArn = new("x") }),
		"InvalidParameterException: A policy needs disableSessionTags":            bare(func(in *eks.CreatePodIdentityAssociationInput) { in.Policy = &policy }),
		"InvalidParameterException: The policy is invalid": bare(func(in *eks.CreatePodIdentityAssociationInput) {
			in.Policy, in.DisableSessionTags = new("{"), new(true)
		}),
		"InvalidParameterException: The policy has more than": bare(func(in *eks.CreatePodIdentityAssociationInput) {
			in.Policy, in.DisableSessionTags = new(strings.Repeat(" ", 2049)), new(true)
		}),
		"InvalidParameterException: 3 validation errors":               {ClusterName: "orders"},
		"ResourceNotFoundException: No cluster found for name: other.": bare(func(in *eks.CreatePodIdentityAssociationInput) { in.ClusterName = "other" }),
	} {
		refused(t, c, "CreatePodIdentityAssociation", in, want)
	}
	refused(t, clients[roleless], "CreatePodIdentityAssociation", bare(func(*eks.CreatePodIdentityAssociationInput) {}), "AccessDeniedException: User: arn:aws:iam::111122223333:user/ROLE is not authorized to perform: iam:PassRole")

	call[eks.CreatePodIdentityAssociationOutput](t, c, "CreatePodIdentityAssociation", bare(func(in *eks.CreatePodIdentityAssociationInput) { in.RoleArn = role("payments") }))
	call[eks.CreatePodIdentityAssociationOutput](t, c, "CreatePodIdentityAssociation", bare(func(in *eks.CreatePodIdentityAssociationInput) { in.Namespace = "bank" }))
	for want, in := range map[int]*eks.ListPodIdentityAssociationsInput{
		3: {}, 2: {Namespace: new("shop")}, 1: {Namespace: new("shop"), ServiceAccount: new("late")}, 0: {ServiceAccount: new("nobody")},
	} {
		in.ClusterName = "orders"
		got := 0
		for more := true; more; more = in.NextToken != nil {
			in.MaxResults = new(int32(1))
			out := call[eks.ListPodIdentityAssociationsOutput](t, c, "ListPodIdentityAssociations", in)
			got += len(out.Associations)
			in.NextToken = out.NextToken
		}
		if got != want {
			t.Errorf("%+v: %d associations, want %d", in, got, want)
		}
	}

	update := func(change *eks.UpdatePodIdentityAssociationInput) *eks.PodIdentityAssociation {
		t.Helper()
		change.ClusterName, change.AssociationId = "orders", *a.AssociationId
		return call[eks.UpdatePodIdentityAssociationOutput](t, c, "UpdatePodIdentityAssociation", change).Association
	}
	target := "arn:aws:iam::444455556666:role/ledger"
	chained := update(&eks.UpdatePodIdentityAssociationInput{TargetRoleArn: &target})
	if *chained.TargetRoleArn != target || chained.ExternalId == nil {
		t.Fatalf("with a target role: %+v", chained)
	}
	if b := update(&eks.UpdatePodIdentityAssociationInput{RoleArn: new(role("payments")), DisableSessionTags: new(true), Policy: &policy}); *b.RoleArn != role("payments") || *b.Policy != policy || *b.ExternalId != *chained.ExternalId {
		t.Errorf("with a policy: %+v", b)
	}
	if b := update(&eks.UpdatePodIdentityAssociationInput{TargetRoleArn: new(""), Policy: new("")}); b.TargetRoleArn != nil || b.ExternalId != nil || b.Policy != nil {
		t.Errorf("without: %+v", b)
	}
	refused(t, c, "UpdatePodIdentityAssociation", &eks.UpdatePodIdentityAssociationInput{ClusterName: "orders", AssociationId: *a.AssociationId}, "InvalidParameterException: An update must change")
	refused(t, c, "UpdatePodIdentityAssociation", &eks.UpdatePodIdentityAssociationInput{ClusterName: "orders", AssociationId: "a-x", Policy: new("")}, "ResourceNotFoundException: No association a-x")
	refused(t, clients[other], "DescribePodIdentityAssociation", &eks.DescribePodIdentityAssociationInput{ClusterName: "orders", AssociationId: *a.AssociationId}, "ResourceNotFoundException: No cluster")
	call[eks.DeletePodIdentityAssociationOutput](t, c, "DeletePodIdentityAssociation", &eks.DeletePodIdentityAssociationInput{ClusterName: "orders", AssociationId: *a.AssociationId})
	refused(t, c, "DescribePodIdentityAssociation", &eks.DescribePodIdentityAssociationInput{ClusterName: "orders", AssociationId: *a.AssociationId}, "ResourceNotFoundException: No association")
	call[eks.CreatePodIdentityAssociationOutput](t, c, "CreatePodIdentityAssociation", association()) // the service account is free again
	call[eks.DeleteClusterOutput](t, c, "DeleteCluster", &eks.DeleteClusterInput{Name: "orders"})
	call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("orders"))
	if left := call[eks.ListPodIdentityAssociationsOutput](t, c, "ListPodIdentityAssociations", &eks.ListPodIdentityAssociationsInput{ClusterName: "orders"}).Associations; len(left) != 0 {
		t.Errorf("a new cluster has the associations of the one before: %+v", left)
	}
}

// TestOneAssociationWins makes associations for the same service account at the same time.
func TestOneAssociationWins(t *testing.T) {
	c := serve(t)[admin]
	call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("orders"))
	var made, refused sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			out, _, err := client.Do[eks.CreatePodIdentityAssociationOutput](context.Background(), c, "eks", "CreatePodIdentityAssociation", association())
			if e := new(trellis.Error); errors.As(err, &e) && e.Code == "ResourceInUseException" && e.Status == 409 {
				refused.Store(i, true)
			} else if err == nil {
				made.Store(i, *out.Association.AssociationId)
			}
		})
	}
	all.Wait()
	count := func(m *sync.Map) (n int) {
		m.Range(func(any, any) bool { n++; return true })
		return n
	}
	if count(&made) != 1 || count(&refused) != 7 {
		t.Errorf("%d made, %d refused", count(&made), count(&refused))
	}
}

// TestTags tags clusters and associations, and gives a cluster another issuer.
func TestTags(t *testing.T) {
	clients := serve(t)
	c := clients[admin]
	arn := *call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("orders")).Cluster.Arn
	call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("payments"))
	a := *call[eks.CreatePodIdentityAssociationOutput](t, c, "CreatePodIdentityAssociation", association()).Association.AssociationArn
	for _, arn := range []string{arn, a} {
		call[eks.TagResourceOutput](t, c, "TagResource", &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"stage": "prod", "team": "b"}})
		call[eks.UntagResourceOutput](t, c, "UntagResource", &eks.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"team", "nothing"}})
		if tags := call[eks.ListTagsForResourceOutput](t, c, "ListTagsForResource", &eks.ListTagsForResourceInput{ResourceArn: arn}).Tags; tags["stage"] != "prod" || tags["team"] != "" {
			t.Errorf("%s: %v", arn, tags)
		}
		refused(t, clients[other], "ListTagsForResource", &eks.ListTagsForResourceInput{ResourceArn: arn}, "NotFoundException")
		refused(t, c, "ListTagsForResource", &eks.ListTagsForResourceInput{ResourceArn: arn + "x"}, "NotFoundException")
	}
	for _, bad := range []string{"orders", "arn:aws:eks:eu-west-1:111122223333:nodegroup/x", "arn:aws:eks:eu-west-1:111122223333:podidentityassociation/orders", "arn:aws:ec2:eu-west-1:111122223333:cluster/orders"} {
		refused(t, c, "ListTagsForResource", &eks.ListTagsForResourceInput{ResourceArn: bad}, "BadRequestException")
	}
	refused(t, c, "UntagResource", &eks.UntagResourceInput{ResourceArn: arn, TagKeys: []string{identity.IssuerTag}}, "BadRequestException: Trellis runs no Kubernetes")
	refused(t, c, "TagResource", &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{identity.IssuerTag: "x"}}, "BadRequestException: The tag trellis:oidc-issuer must")
	refused(t, c, "TagResource", &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{identity.IssuerTag: issuer + "/payments"}}, "BadRequestException: The issuer")
	call[eks.TagResourceOutput](t, c, "TagResource", &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{identity.IssuerTag: issuer + "/new"}})
	if n := call[eks.DescribeClusterOutput](t, c, "DescribeCluster", &eks.DescribeClusterInput{Name: "orders"}).Cluster; *n.Identity.Oidc.Issuer != issuer+"/new" {
		t.Errorf("cluster: %+v", n)
	}
	call[eks.CreateClusterOutput](t, c, "CreateCluster", cluster("late", func(in *eks.CreateClusterInput) { in.Tags[identity.IssuerTag] = issuer + "/orders" })) // which is free now
}
