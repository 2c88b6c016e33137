package ec2_test

import (
	"maps"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/ec2"
	"github.com/trellis-project/trellis/store"
)

// labSubnet makes a subnet for instances, and an account for what an account says.
func (l *lab) labSubnet(t *testing.T) *string {
	t.Helper()
	_, err := l.store.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Put(&trellis.Account{ID: account, Name: "lab", Status: "ACTIVE"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	vpc := call[ec2.CreateVpcOutput](t, l.Client, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: ptr("10.0.0.0/16")}).Vpc
	return call[ec2.CreateSubnetOutput](t, l.Client, "CreateSubnet", &ec2.CreateSubnetInput{VpcId: *vpc.VpcId, CidrBlock: ptr("10.0.12.0/24")}).Subnet.SubnetId
}

// launch makes an instance that runs.
func (l *lab) launch(t *testing.T, in ec2.RunInstancesInput) ec2.Instance {
	t.Helper()
	in.ImageId, in.MinCount, in.MaxCount = ptr("ami-12345678"), 1, 1
	i := call[ec2.RunInstancesOutput](t, l.Client, "RunInstances", &in).Instances[0]
	await(t, l.Client, []string{*i.InstanceId}, "running")
	return i
}

// describe is an instance as it is now.
func (l *lab) describe(t *testing.T, id string) ec2.Instance {
	t.Helper()
	return call[ec2.DescribeInstancesOutput](t, l.Client, "DescribeInstances", &ec2.DescribeInstancesInput{InstanceIds: []string{id}}).Reservations[0].Instances[0]
}

// options are metadata options in short: endpoint, tokens, IPv6, tags and state, and the hop limit.
func options(o *ec2.InstanceMetadataOptionsResponse) (string, int32) {
	return *o.HttpEndpoint + " " + *o.HttpTokens + " " + *o.HttpProtocolIpv6 + " " + *o.InstanceMetadataTags + " " + *o.State, *o.HttpPutResponseHopLimit
}

// TestMetadataOptions says metadata options at launch, changes them, finds instances by them, and asks for what can't be.
func TestMetadataOptions(t *testing.T) {
	l := newLab(t)
	subnet := l.labSubnet(t)
	want := func(o *ec2.InstanceMetadataOptionsResponse, words string, hops int32) {
		t.Helper()
		if w, h := options(o); w != words || h != hops {
			t.Errorf("got %s %d, want %s %d", w, h, words, hops)
		}
	}
	plain := l.launch(t, ec2.RunInstancesInput{SubnetId: subnet})
	want(plain.MetadataOptions, "enabled required disabled disabled pending", 2)
	said := l.launch(t, ec2.RunInstancesInput{SubnetId: subnet, MetadataOptions: &ec2.InstanceMetadataOptionsRequest{HttpTokens: ptr("optional"), HttpPutResponseHopLimit: ptr[int32](64), HttpProtocolIpv6: ptr("enabled")}})
	want(l.describe(t, *said.InstanceId).MetadataOptions, "enabled optional enabled disabled applied", 64)
	modify := func(in ec2.ModifyInstanceMetadataOptionsInput) *ec2.ModifyInstanceMetadataOptionsInput {
		in.InstanceId = *said.InstanceId
		return &in
	}
	const operation = "ModifyInstanceMetadataOptions"
	want(call[ec2.ModifyInstanceMetadataOptionsOutput](t, l.Client, operation, modify(ec2.ModifyInstanceMetadataOptionsInput{HttpTokens: ptr("required"), InstanceMetadataTags: ptr("enabled")})).InstanceMetadataOptions,
		"enabled required enabled enabled pending", 64)
	want(l.describe(t, *said.InstanceId).MetadataOptions, "enabled required enabled enabled applied", 64)
	call[ec2.ModifyInstanceMetadataOptionsOutput](t, l.Client, operation, modify(ec2.ModifyInstanceMetadataOptionsInput{HttpEndpoint: ptr("disabled"), HttpTokens: ptr("required")}))
	want(l.describe(t, *said.InstanceId).MetadataOptions, "disabled required enabled enabled applied", 64)
	for name, value := range map[string]string{"http-endpoint": "disabled", "http-protocol-ipv4": "disabled", "http-protocol-ipv6": "enabled", "http-put-response-hop-limit": "64", "instance-metadata-tags": "enabled"} {
		found := call[ec2.DescribeInstancesOutput](t, l.Client, "DescribeInstances", &ec2.DescribeInstancesInput{Filters: filter("metadata-options."+name, value)}).Reservations
		if len(found) != 1 || *found[0].Instances[0].InstanceId != *said.InstanceId {
			t.Errorf("%s %s: %d found", name, value, len(found))
		}
	}
	if found := call[ec2.DescribeInstancesOutput](t, l.Client, "DescribeInstances", &ec2.DescribeInstancesInput{Filters: filter("metadata-options.http-tokens", "required")}).Reservations; len(found) != 2 {
		t.Errorf("by tokens: %d found", len(found))
	}

	refused(t, l.Client, operation, modify(ec2.ModifyInstanceMetadataOptionsInput{HttpPutResponseHopLimit: ptr[int32](65)}), "InvalidParameterValue")
	refused(t, l.Client, operation, modify(ec2.ModifyInstanceMetadataOptionsInput{HttpTokens: ptr("never")}), "InvalidParameterValue")
	refused(t, l.Client, operation, &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound")
	refused(t, l.Client, operation, modify(ec2.ModifyInstanceMetadataOptionsInput{DryRun: ptr(true)}), "DryRunOperation")
	spaced := []ec2.Tag{{Key: ptr("Patch Group"), Value: ptr("1")}}
	refused(t, l.Client, "CreateTags", &ec2.CreateTagsInput{Resources: []string{*said.InstanceId}, Tags: spaced}, "InvalidParameterValue")
	call[ec2.CreateTagsOutput](t, l.Client, "CreateTags", &ec2.CreateTagsInput{Resources: []string{*plain.InstanceId}, Tags: spaced})
	refused(t, l.Client, operation, &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: *plain.InstanceId, InstanceMetadataTags: ptr("enabled")}, "InvalidParameterValue")
	refused(t, l.Client, "RunInstances", &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, SubnetId: subnet, MetadataOptions: &ec2.InstanceMetadataOptionsRequest{InstanceMetadataTags: ptr("enabled")},
		TagSpecifications: []ec2.TagSpecification{{ResourceType: ptr("instance"), Tags: spaced}}}, "InvalidParameterValue")
	refused(t, l.Client, "RunInstances", &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, SubnetId: subnet, MetadataOptions: &ec2.InstanceMetadataOptionsRequest{HttpPutResponseHopLimit: ptr[int32](-1)}}, "InvalidParameterValue")

	call[ec2.TerminateInstancesOutput](t, l.Client, "TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: []string{*said.InstanceId}})
	await(t, l.Client, []string{*said.InstanceId}, "terminated")
	refused(t, l.Client, operation, modify(ec2.ModifyInstanceMetadataOptionsInput{HttpTokens: ptr("required")}), "IncorrectInstanceState")
}

// TestOldInstances describes an instance from before there were metadata options, other settings and user data.
func TestOldInstances(t *testing.T) {
	l := newLab(t)
	_, err := l.store.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Put(&trellis.Instance{Meta: trellis.Meta{Account: account, ID: "i-0123456789abcdef0"}, State: trellis.InstanceStopped, InstanceType: "t3.micro"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	i := l.describe(t, "i-0123456789abcdef0")
	if o, hops := options(i.MetadataOptions); o != "enabled required enabled disabled applied" || hops != 2 {
		t.Errorf("it is %s %d now", o, hops)
	}
	if *i.Monitoring.State != "disabled" || *i.EbsOptimized || i.KeyName != nil || *i.MaintenanceOptions.AutoRecovery != "default" || *i.PrivateDnsNameOptions.HostnameType != "ip-name" {
		t.Errorf("it is %+v now", i)
	}
	if v := l.attribute(t, "i-0123456789abcdef0", "userData").UserData.Value; v != nil {
		t.Errorf("it has user data %q", *v)
	}
}

// TestMetadataDefaults has an account say what its new instances are like, and insist on tokens.
func TestMetadataDefaults(t *testing.T) {
	l := newLab(t)
	subnet := l.labSubnet(t)
	level := func() map[string]any {
		d := call[ec2.GetInstanceMetadataDefaultsOutput](t, l.Client, "GetInstanceMetadataDefaults", &ec2.GetInstanceMetadataDefaultsInput{}).AccountLevel
		out := map[string]any{"managed": *d.ManagedBy}
		for name, v := range map[string]*string{"endpoint": d.HttpEndpoint, "tokens": d.HttpTokens, "tags": d.InstanceMetadataTags, "enforced": d.HttpTokensEnforced} {
			if v != nil {
				out[name] = *v
			}
		}
		if d.HttpPutResponseHopLimit != nil {
			out["hops"] = *d.HttpPutResponseHopLimit
		}
		return out
	}
	says := func(in ec2.ModifyInstanceMetadataDefaultsInput, want map[string]any) {
		t.Helper()
		call[ec2.ModifyInstanceMetadataDefaultsOutput](t, l.Client, "ModifyInstanceMetadataDefaults", &in)
		if want["managed"] = "account"; !maps.Equal(level(), want) {
			t.Errorf("got %v, want %v", level(), want)
		}
	}
	says(ec2.ModifyInstanceMetadataDefaultsInput{}, map[string]any{})
	says(ec2.ModifyInstanceMetadataDefaultsInput{HttpTokens: ptr("optional"), HttpPutResponseHopLimit: ptr[int32](3), InstanceMetadataTags: ptr("enabled")},
		map[string]any{"tokens": "optional", "hops": int32(3), "tags": "enabled"})
	by := l.launch(t, ec2.RunInstancesInput{SubnetId: subnet, MetadataOptions: &ec2.InstanceMetadataOptionsRequest{InstanceMetadataTags: ptr("disabled")}})
	if o, hops := options(by.MetadataOptions); o != "enabled optional disabled disabled pending" || hops != 3 {
		t.Errorf("launched with %s %d", o, hops)
	}
	says(ec2.ModifyInstanceMetadataDefaultsInput{HttpTokensEnforced: ptr("enabled")}, map[string]any{"tokens": "optional", "hops": int32(3), "tags": "enabled", "enforced": "enabled"})
	run := &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, SubnetId: subnet}
	refused(t, l.Client, "RunInstances", run, "UnsupportedOperation")
	call[ec2.ModifyInstanceMetadataOptionsOutput](t, l.Client, "ModifyInstanceMetadataOptions", &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: *by.InstanceId, HttpTokens: ptr("required")})
	refused(t, l.Client, "ModifyInstanceMetadataOptions", &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: *by.InstanceId, HttpTokens: ptr("optional")}, "UnsupportedOperation")
	says(ec2.ModifyInstanceMetadataDefaultsInput{HttpTokens: ptr("no-preference"), HttpPutResponseHopLimit: ptr[int32](-1), InstanceMetadataTags: ptr("no-preference"), HttpEndpoint: ptr("disabled")},
		map[string]any{"endpoint": "disabled", "enforced": "enabled"})
	if o, hops := options(l.launch(t, *run).MetadataOptions); o != "disabled required disabled disabled pending" || hops != 2 {
		t.Errorf("launched with %s %d", o, hops)
	}
	refused(t, l.Client, "ModifyInstanceMetadataDefaults", &ec2.ModifyInstanceMetadataDefaultsInput{HttpPutResponseHopLimit: ptr[int32](65)}, "InvalidParameterValue")
}

// TestMetadataPolicies has policies insist on tokens, as the examples of the EC2 user guide do.
func TestMetadataPolicies(t *testing.T) {
	l := newLab(t)
	subnet := l.labSubnet(t)
	free := l.launch(t, ec2.RunInstancesInput{SubnetId: subnet, MetadataOptions: &ec2.InstanceMetadataOptionsRequest{HttpTokens: ptr("optional")}})
	const all = `{"Effect":"Allow","Action":"*","Resource":"*"},`
	run := &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, SubnetId: subnet, MetadataOptions: &ec2.InstanceMetadataOptionsRequest{HttpTokens: ptr("optional")}}
	l.become(t, all+`{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringNotEquals":{"ec2:MetadataHttpTokens":"required"}}}`)
	refused(t, l.Client, "RunInstances", run, "UnauthorizedOperation")
	run.MetadataOptions = nil
	call[ec2.RunInstancesOutput](t, l.Client, "RunInstances", run)
	l.become(t, all+`{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"NumericGreaterThan":{"ec2:MetadataHttpPutResponseHopLimit":"1"}}}`)
	refused(t, l.Client, "RunInstances", run, "UnauthorizedOperation")
	l.become(t, all+`{"Effect":"Deny","Action":"ec2:ModifyInstanceMetadataOptions","Resource":"*","Condition":{"StringNotEquals":{"ec2:Attribute/HttpTokens":"required"}}}`)
	modify := &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: *free.InstanceId, HttpPutResponseHopLimit: ptr[int32](1)}
	refused(t, l.Client, "ModifyInstanceMetadataOptions", modify, "UnauthorizedOperation")
	modify.HttpTokens = ptr("required")
	l.become(t, all+`{"Effect":"Deny","Action":"*","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringEquals":{"ec2:MetadataHttpTokens":"optional"}}}`)
	refused(t, l.Client, "ModifyInstanceMetadataOptions", modify, "UnauthorizedOperation") // as the instance is, not as it would be
	l.become(t, all+`{"Effect":"Deny","Action":"ec2:ModifyInstanceMetadataOptions","Resource":"*","Condition":{"StringNotEquals":{"ec2:Attribute/HttpTokens":"required"}}}`)
	call[ec2.ModifyInstanceMetadataOptionsOutput](t, l.Client, "ModifyInstanceMetadataOptions", modify)
}
