package ec2_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/ec2"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/store"
)

// TestMain fails the package when a goroutine is left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secret is the secret access key of every caller of the tests.
const secret = "a secret of the tests"

// account is the account of every caller of the tests.
const account = "111122223333"

// lab is EC2 on a store of its own, with a client.
type lab struct {
	*client.Client
	plane  *controlplane.Plane
	store  *store.Store
	caller atomic.Pointer[authpolicy.Caller] // who the client is: an administrator at first
}

// serve runs EC2 and returns a client that is an administrator.
func serve(t *testing.T) *client.Client { return newLab(t).Client }

// newLab is serve with all that the client does not show.
func newLab(t *testing.T) *lab {
	t.Helper()
	st, err := store.New(store.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	plane := controlplane.New(controlplane.Options{Store: st, Region: "eu-west-1"})
	background(t, st.Run)
	select {
	case <-st.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("the store does not become ready")
	}
	background(t, plane.Run)
	if err := plane.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := &lab{plane: plane, store: st}
	l.become(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	server := httptest.NewServer(api.NewServer(api.Options{Region: "eu-west-1", Services: []api.Service{ec2.New(plane)},
		Callers: func(string, string) (*authpolicy.Caller, *sigv4.Key, error) {
			return l.caller.Load(), sigv4.NewKey(secret), nil
		}}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, client.Credentials{AccessKeyID: "AKIATESTTESTTESTTEST", SecretAccessKey: trellis.NewSecret(secret)}, "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	c.HTTP = server.Client()
	l.Client = c
	return l
}

// become gives the client a policy of these statements.
func (l *lab) become(t *testing.T, statements string) {
	t.Helper()
	policy, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":[`+statements+`]}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	arn := trellis.IAMARN(account, "user/administrator")
	l.caller.Store(&authpolicy.Caller{Identity: authpolicy.Policies{{Policy: policy}}, Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: arn, PolicyARN: arn}})
}

// background runs something until the test ends.
func background(t *testing.T, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// call calls an operation that succeeds.
func call[Out any](t *testing.T, c *client.Client, operation string, in any) *Out {
	t.Helper()
	out, _, err := client.Do[Out](t.Context(), c, "ec2", operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// refused calls an operation that answers an error code.
func refused(t *testing.T, c *client.Client, operation string, in any, code string) {
	t.Helper()
	_, err := c.Call(t.Context(), "ec2", operation, in)
	var e *trellis.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s: got %v, want %s", operation, err, code)
	}
}

// ptr is a pointer to v.
func ptr[T any](v T) *T { return &v }

// filter is one filter with one value.
func filter(name, value string) []ec2.Filter {
	return []ec2.Filter{{Name: &name, Values: []string{value}}}
}

// TestALabOnTheWire makes a network with an instance, looks at all of it, and takes it apart again.
func TestALabOnTheWire(t *testing.T) {
	c := serve(t)
	tags := []ec2.TagSpecification{{ResourceType: ptr("vpc"), Tags: []ec2.Tag{{Key: ptr("trellis:id"), Value: ptr("vpc-0aa11bb22cc33dd44")}, {Key: ptr("empty"), Value: ptr("")}}}}
	vpc := call[ec2.CreateVpcOutput](t, c, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: ptr("10.0.0.0/16"), AmazonProvidedIpv6CidrBlock: ptr(true), TagSpecifications: tags}).Vpc
	if *vpc.VpcId != "vpc-0aa11bb22cc33dd44" || len(vpc.Tags) != 2 || *vpc.Tags[0].Value != "" || len(vpc.Ipv6CidrBlockAssociationSet) != 1 {
		t.Errorf("VPC: %+v", vpc)
	}
	refused(t, c, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: ptr("10.0.0.0/16"), TagSpecifications: []ec2.TagSpecification{{ResourceType: ptr("subnet")}}}, "InvalidParameterValue")
	subnet := call[ec2.CreateSubnetOutput](t, c, "CreateSubnet", &ec2.CreateSubnetInput{VpcId: *vpc.VpcId, CidrBlock: ptr("10.0.12.0/24")}).Subnet
	if *subnet.AvailableIpAddressCount != 251 || *subnet.AvailabilityZoneId != "euw1-az1" {
		t.Errorf("subnet: %+v", subnet)
	}
	group := call[ec2.CreateSecurityGroupOutput](t, c, "CreateSecurityGroup", &ec2.CreateSecurityGroupInput{VpcId: vpc.VpcId, GroupName: "app", Description: "app"})
	short := call[ec2.AuthorizeSecurityGroupIngressOutput](t, c, "AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group.GroupId,
		IpProtocol: ptr("tcp"), FromPort: ptr[int32](80), ToPort: ptr[int32](80), CidrIp: ptr("10.0.0.0/8")})
	if len(short.SecurityGroupRules) != 1 || *short.SecurityGroupRules[0].CidrIpv4 != "10.0.0.0/8" {
		t.Errorf("rules: %+v", short.SecurityGroupRules)
	}
	list := call[ec2.DescribeManagedPrefixListsOutput](t, c, "DescribeManagedPrefixLists", &ec2.DescribeManagedPrefixListsInput{Filters: filter("prefix-list-name", "com.amazonaws.eu-west-1.vpc-lattice")}).PrefixLists[0]
	entries := call[ec2.GetManagedPrefixListEntriesOutput](t, c, "GetManagedPrefixListEntries", &ec2.GetManagedPrefixListEntriesInput{PrefixListId: *list.PrefixListId}).Entries
	if len(entries) != 2 || *list.OwnerId != "AWS" {
		t.Errorf("prefix list: %+v %+v", list, entries)
	}
	many := ec2.IpPermission{IpProtocol: ptr("tcp"), FromPort: ptr[int32](8080), ToPort: ptr[int32](8080), PrefixListIds: []ec2.PrefixListId{{PrefixListId: list.PrefixListId}},
		UserIdGroupPairs: []ec2.UserIdGroupPair{{GroupId: group.GroupId, Description: ptr("each other")}}, Ipv6Ranges: []ec2.Ipv6Range{{CidrIpv6: ptr("fd00::/8")}}}
	call[ec2.AuthorizeSecurityGroupIngressOutput](t, c, "AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group.GroupId, IpPermissions: []ec2.IpPermission{many}})
	refused(t, c, "AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group.GroupId, IpPermissions: []ec2.IpPermission{many}}, "InvalidPermission.Duplicate")
	described := call[ec2.DescribeSecurityGroupsOutput](t, c, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{GroupIds: []string{*group.GroupId}}).SecurityGroups[0]
	if p := described.IpPermissions; len(p) != 2 || len(p[1].PrefixListIds)+len(p[1].UserIdGroupPairs)+len(p[1].Ipv6Ranges) != 3 || *p[1].UserIdGroupPairs[0].Description != "each other" {
		t.Errorf("permissions: %+v", described.IpPermissions)
	}

	run := call[ec2.RunInstancesOutput](t, c, "RunInstances", &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 2,
		NetworkInterfaces: []ec2.InstanceNetworkInterfaceSpecification{{DeviceIndex: ptr[int32](0), SubnetId: subnet.SubnetId, Groups: []string{*group.GroupId}}},
		TagSpecifications: []ec2.TagSpecification{{ResourceType: ptr("instance"), Tags: []ec2.Tag{{Key: ptr("Name"), Value: ptr("orders")}}}, {ResourceType: ptr("volume")}}})
	ids := []string{*run.Instances[0].InstanceId, *run.Instances[1].InstanceId}
	if *run.Instances[0].State.Name != "pending" || *run.Instances[0].PrivateIpAddress != "10.0.12.4" || *run.Instances[1].AmiLaunchIndex != 1 {
		t.Errorf("instances: %+v", run.Instances)
	}
	await(t, c, ids, "running")
	nics := call[ec2.DescribeNetworkInterfacesOutput](t, c, "DescribeNetworkInterfaces", &ec2.DescribeNetworkInterfacesInput{Filters: filter("group-id", *group.GroupId)}).NetworkInterfaces
	if len(nics) != 2 {
		t.Errorf("network interfaces: %+v", nics)
	}
	pages := 0
	for in := (&ec2.DescribeInstancesInput{MaxResults: ptr[int32](1)}); ; pages++ {
		out := call[ec2.DescribeInstancesOutput](t, c, "DescribeInstances", in)
		if in.NextToken = out.NextToken; out.NextToken == nil {
			break
		}
	}
	if pages != 1 {
		t.Errorf("two instances on %d pages", pages+1)
	}
	refused(t, c, "DescribeInstances", &ec2.DescribeInstancesInput{NextToken: ptr("made up")}, "InvalidNextToken")
	refused(t, c, "DescribeInstances", &ec2.DescribeInstancesInput{InstanceIds: []string{"i-xyz"}}, "InvalidInstanceID.Malformed")
	refused(t, c, "DescribeInstances", &ec2.DescribeInstancesInput{DryRun: ptr(true)}, "DryRunOperation")
	refused(t, c, "ModifyInstanceAttribute", &ec2.ModifyInstanceAttributeInput{InstanceId: ids[0], InstanceType: &ec2.AttributeValue{Value: ptr("m5.large")}}, "IncorrectInstanceState")
	call[ec2.ModifyInstanceAttributeOutput](t, c, "ModifyInstanceAttribute", &ec2.ModifyInstanceAttributeInput{InstanceId: ids[0], DisableApiTermination: &ec2.AttributeBooleanValue{Value: ptr(true)}})
	refused(t, c, "TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: ids}, "OperationNotPermitted")
	call[ec2.ModifyInstanceAttributeOutput](t, c, "ModifyInstanceAttribute", &ec2.ModifyInstanceAttributeInput{InstanceId: ids[0], DisableApiTermination: &ec2.AttributeBooleanValue{Value: ptr(false)}})
	refused(t, c, "DeleteVpc", &ec2.DeleteVpcInput{VpcId: *vpc.VpcId}, "DependencyViolation")
	ended := call[ec2.TerminateInstancesOutput](t, c, "TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: ids}).TerminatingInstances
	if len(ended) != 2 || *ended[0].CurrentState.Name != "shutting-down" {
		t.Errorf("terminating: %+v", ended)
	}
	await(t, c, ids, "terminated")
	call[ec2.DeleteSecurityGroupOutput](t, c, "DeleteSecurityGroup", &ec2.DeleteSecurityGroupInput{GroupId: group.GroupId})
	call[ec2.DeleteSubnetOutput](t, c, "DeleteSubnet", &ec2.DeleteSubnetInput{SubnetId: *subnet.SubnetId})
	call[ec2.DeleteVpcOutput](t, c, "DeleteVpc", &ec2.DeleteVpcInput{VpcId: *vpc.VpcId})
	refused(t, c, "DescribeVpcs", &ec2.DescribeVpcsInput{VpcIds: []string{*vpc.VpcId}}, "InvalidVpcID.NotFound")
}

// await waits until instances are in a state.
func await(t *testing.T, c *client.Client, ids []string, state string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		out := call[ec2.DescribeInstancesOutput](t, c, "DescribeInstances", &ec2.DescribeInstancesInput{InstanceIds: ids, Filters: filter("instance-state-name", state)})
		if len(out.Reservations) == 1 && len(out.Reservations[0].Instances) == len(ids) {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the instances do not become %s", state)
		}
	}
}

// TestWhatIsThere reads what exists without anybody making it.
func TestWhatIsThere(t *testing.T) {
	c := serve(t)
	zones := call[ec2.DescribeAvailabilityZonesOutput](t, c, "DescribeAvailabilityZones", &ec2.DescribeAvailabilityZonesInput{Filters: filter("opt-in-status", "opt-in-not-required")}).AvailabilityZones
	if len(zones) != 3 || *zones[2].ZoneName != "eu-west-1c" {
		t.Errorf("zones: %+v", zones)
	}
	refused(t, c, "DescribeAvailabilityZones", &ec2.DescribeAvailabilityZonesInput{Filters: filter("colour", "blue")}, "InvalidParameterValue")
	images := call[ec2.DescribeImagesOutput](t, c, "DescribeImages", &ec2.DescribeImagesInput{ImageIds: []string{"ami-12345678"}}).Images
	if len(images) != 1 || *images[0].ImageId != "ami-12345678" {
		t.Errorf("images: %+v", images)
	}
	refused(t, c, "DescribeInstanceTypes", &ec2.DescribeInstanceTypesInput{InstanceTypes: []string{"z9.huge"}}, "InvalidInstanceType")
	if r := call[ec2.DescribeRegionsOutput](t, c, "DescribeRegions", &ec2.DescribeRegionsInput{}).Regions; len(r) != 1 || *r[0].RegionName != "eu-west-1" {
		t.Errorf("regions: %+v", r)
	}
	if v := call[ec2.DescribeVpcsOutput](t, c, "DescribeVpcs", &ec2.DescribeVpcsInput{}).Vpcs; len(v) != 0 {
		t.Errorf("VPCs: %+v", v)
	}
}
