package ec2_test

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"testing"

	"github.com/trellis-project/trellis/api/ec2"
)

// stop stops an instance.
func (l *lab) stop(t *testing.T, id string) {
	t.Helper()
	call[ec2.StopInstancesOutput](t, l.Client, "StopInstances", &ec2.StopInstancesInput{InstanceIds: []string{id}})
	await(t, l.Client, []string{id}, "stopped")
}

// attribute is an attribute of an instance.
func (l *lab) attribute(t *testing.T, id, name string) *ec2.DescribeInstanceAttributeOutput {
	t.Helper()
	return call[ec2.DescribeInstanceAttributeOutput](t, l.Client, "DescribeInstanceAttribute", &ec2.DescribeInstanceAttributeInput{InstanceId: id, Attribute: name})
}

// TestUserData gives instances user data, changes it while they are stopped, and gives what is none.
func TestUserData(t *testing.T) {
	l := newLab(t)
	subnet := l.labSubnet(t)
	script := []byte("#!/bin/sh\x00\xff")
	id := *l.launch(t, ec2.RunInstancesInput{SubnetId: subnet, UserData: ptr(base64.StdEncoding.EncodeToString(script))}).InstanceId
	want := func(data []byte) {
		t.Helper()
		switch v := l.attribute(t, id, "userData").UserData.Value; {
		case v == nil && data == nil:
		case v == nil || *v != base64.StdEncoding.EncodeToString(data):
			t.Errorf("got %v, want %q", v, data)
		}
	}
	want(script)
	change := func(data []byte) *ec2.ModifyInstanceAttributeInput {
		return &ec2.ModifyInstanceAttributeInput{InstanceId: id, UserData: &ec2.SecureBlobAttributeValue{Value: data}}
	}
	refused(t, l.Client, "ModifyInstanceAttribute", change([]byte("other")), "IncorrectInstanceState")
	l.stop(t, id)
	call[ec2.ModifyInstanceAttributeOutput](t, l.Client, "ModifyInstanceAttribute", change([]byte("other")))
	want([]byte("other"))
	most := bytes.Repeat([]byte("x"), 16<<10)
	call[ec2.ModifyInstanceAttributeOutput](t, l.Client, "ModifyInstanceAttribute", change(most))
	refused(t, l.Client, "ModifyInstanceAttribute", change(append(most, 'x')), "InvalidParameterValue")
	want(most)
	call[ec2.ModifyInstanceAttributeOutput](t, l.Client, "ModifyInstanceAttribute", &ec2.ModifyInstanceAttributeInput{InstanceId: id, Attribute: ptr("userData"), Value: ptr("b3RoZXI=")})
	want([]byte("other"))
	call[ec2.ModifyInstanceAttributeOutput](t, l.Client, "ModifyInstanceAttribute", change([]byte{}))
	want(nil)

	run := &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, SubnetId: subnet}
	run.UserData = ptr("#!/bin/sh")
	refused(t, l.Client, "RunInstances", run, "InvalidUserData.Malformed")
	run.UserData = ptr(base64.StdEncoding.EncodeToString(append(most, 'x')))
	refused(t, l.Client, "RunInstances", run, "InvalidParameterValue")
	run.UserData, run.ClientToken = ptr("b3RoZXI="), ptr("once")
	first := *call[ec2.RunInstancesOutput](t, l.Client, "RunInstances", run).Instances[0].InstanceId
	if again := *call[ec2.RunInstancesOutput](t, l.Client, "RunInstances", run).Instances[0].InstanceId; again != first {
		t.Errorf("the same token made %s and %s", first, again)
	}
	run.UserData = ptr("b3RoZXJz")
	refused(t, l.Client, "RunInstances", run, "IdempotentParameterMismatch")
}

// TestInstanceAttributes changes each attribute that can be changed, and asks for those that can't.
func TestInstanceAttributes(t *testing.T) {
	l := newLab(t)
	subnet := l.labSubnet(t)
	call[ec2.CreateKeyPairOutput](t, l.Client, "CreateKeyPair", &ec2.CreateKeyPairInput{KeyName: "till", KeyType: ptr("ed25519")})
	id := *l.launch(t, ec2.RunInstancesInput{SubnetId: subnet, InstanceType: ptr("t3.small"), DisableApiStop: ptr(true), InstanceInitiatedShutdownBehavior: ptr("terminate"), KeyName: ptr("till")}).InstanceId
	yes, no := &ec2.AttributeBooleanValue{Value: ptr(true)}, &ec2.AttributeBooleanValue{Value: ptr(false)}
	modify := func(in ec2.ModifyInstanceAttributeInput, code string) {
		t.Helper()
		if in.InstanceId = id; code != "" {
			refused(t, l.Client, "ModifyInstanceAttribute", &in, code)
			return
		}
		call[ec2.ModifyInstanceAttributeOutput](t, l.Client, "ModifyInstanceAttribute", &in)
	}
	shown := func(name string, want any, of func(*ec2.DescribeInstanceAttributeOutput) any) {
		t.Helper()
		if got := of(l.attribute(t, id, name)); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	stop := func(o *ec2.DescribeInstanceAttributeOutput) any { return *o.DisableApiStop.Value }
	behaviour := func(o *ec2.DescribeInstanceAttributeOutput) any { return *o.InstanceInitiatedShutdownBehavior.Value }
	shown("disableApiStop", true, stop)
	shown("instanceInitiatedShutdownBehavior", "terminate", behaviour)
	refused(t, l.Client, "StopInstances", &ec2.StopInstancesInput{InstanceIds: []string{id}}, "OperationNotPermitted")
	modify(ec2.ModifyInstanceAttributeInput{DisableApiStop: no}, "")
	modify(ec2.ModifyInstanceAttributeInput{InstanceInitiatedShutdownBehavior: &ec2.AttributeValue{Value: ptr("stop")}}, "")
	shown("disableApiStop", false, stop)
	shown("instanceInitiatedShutdownBehavior", "stop", behaviour)
	modify(ec2.ModifyInstanceAttributeInput{SourceDestCheck: no}, "")
	shown("sourceDestCheck", false, func(o *ec2.DescribeInstanceAttributeOutput) any { return *o.SourceDestCheck.Value })
	modify(ec2.ModifyInstanceAttributeInput{EbsOptimized: yes}, "IncorrectInstanceState")
	modify(ec2.ModifyInstanceAttributeInput{InstanceType: &ec2.AttributeValue{Value: ptr("m5.large")}}, "IncorrectInstanceState")
	l.stop(t, id)
	modify(ec2.ModifyInstanceAttributeInput{EbsOptimized: yes}, "")
	modify(ec2.ModifyInstanceAttributeInput{InstanceType: &ec2.AttributeValue{Value: ptr("m5.xlarge")}}, "")
	shown("ebsOptimized", true, func(o *ec2.DescribeInstanceAttributeOutput) any { return *o.EbsOptimized.Value })
	if i := l.describe(t, id); *i.InstanceType != "m5.xlarge" || *i.CpuOptions.CoreCount**i.CpuOptions.ThreadsPerCore != 4 || !*i.EbsOptimized || *i.KeyName != "till" {
		t.Errorf("got %+v", i)
	}
	modify(ec2.ModifyInstanceAttributeInput{Attribute: ptr("disableApiStop"), Value: ptr("true")}, "")
	shown("disableApiStop", true, stop)

	modify(ec2.ModifyInstanceAttributeInput{}, "InvalidParameterCombination")
	modify(ec2.ModifyInstanceAttributeInput{DisableApiStop: no, DisableApiTermination: no}, "InvalidParameterCombination")
	modify(ec2.ModifyInstanceAttributeInput{Attribute: ptr("disableApiStop"), Value: ptr("maybe")}, "InvalidParameterValue")
	modify(ec2.ModifyInstanceAttributeInput{Attribute: ptr("userData"), Value: ptr("#!")}, "InvalidUserData.Malformed")
	modify(ec2.ModifyInstanceAttributeInput{InstanceType: &ec2.AttributeValue{Value: ptr("z9.huge")}}, "InvalidInstanceAttributeValue")
	modify(ec2.ModifyInstanceAttributeInput{InstanceInitiatedShutdownBehavior: &ec2.AttributeValue{Value: ptr("sleep")}}, "InvalidInstanceAttributeValue")
	modify(ec2.ModifyInstanceAttributeInput{Kernel: &ec2.AttributeValue{Value: ptr("aki-12345678")}}, "Unsupported")
	const all = `{"Effect":"Allow","Action":"*","Resource":"*"},`
	l.become(t, all+`{"Effect":"Deny","Action":"ec2:ModifyInstanceAttribute","Resource":"*","Condition":{"StringEquals":{"ec2:Attribute/DisableApiStop":"false"}}}`)
	modify(ec2.ModifyInstanceAttributeInput{DisableApiStop: no}, "UnauthorizedOperation")
	modify(ec2.ModifyInstanceAttributeInput{DisableApiStop: yes}, "")
	l.become(t, all+`{"Effect":"Deny","Action":"ec2:ModifyInstanceAttribute","Resource":"*","Condition":{"StringEquals":{"ec2:Attribute":"UserData"}}}`)
	modify(ec2.ModifyInstanceAttributeInput{UserData: &ec2.SecureBlobAttributeValue{Value: []byte("x")}}, "UnauthorizedOperation")
}

// TestInstanceSettings says settings at launch and changes them.
func TestInstanceSettings(t *testing.T) {
	l := newLab(t)
	subnet := l.labSubnet(t)
	said := l.launch(t, ec2.RunInstancesInput{SubnetId: subnet, Monitoring: &ec2.RunInstancesMonitoringEnabled{Enabled: true}, MaintenanceOptions: &ec2.InstanceMaintenanceOptionsRequest{AutoRecovery: ptr("disabled")},
		PrivateDnsNameOptions:            &ec2.PrivateDnsNameOptionsRequest{HostnameType: ptr("resource-name"), EnableResourceNameDnsARecord: ptr(true)},
		CapacityReservationSpecification: &ec2.CapacityReservationSpecification{CapacityReservationPreference: ptr("none")}, CreditSpecification: &ec2.CreditSpecificationRequest{CpuCredits: "standard"},
		Placement: &ec2.Placement{AvailabilityZone: ptr("eu-west-1a"), Tenancy: ptr("default")}, EbsOptimized: ptr(true)})
	id := *said.InstanceId
	short := func(i ec2.Instance) []any {
		o := i.PrivateDnsNameOptions
		return []any{*i.Monitoring.State, *i.MaintenanceOptions.AutoRecovery, *i.MaintenanceOptions.RebootMigration, *o.HostnameType, *o.EnableResourceNameDnsARecord, *o.EnableResourceNameDnsAAAARecord,
			*i.CapacityReservationSpecification.CapacityReservationPreference, *i.EbsOptimized, *i.PrivateDnsName}
	}
	if want, got := []any{"enabled", "disabled", "default", "resource-name", true, false, "none", true, id + ".eu-west-1.compute.internal"}, short(said); !reflect.DeepEqual(got, want) {
		t.Errorf("launched: %v", got)
	}
	if m := call[ec2.UnmonitorInstancesOutput](t, l.Client, "UnmonitorInstances", &ec2.UnmonitorInstancesInput{InstanceIds: []string{id}}).InstanceMonitorings; len(m) != 1 || *m[0].Monitoring.State != "disabling" {
		t.Errorf("unmonitored: %+v", m)
	}
	call[ec2.ModifyInstanceMaintenanceOptionsOutput](t, l.Client, "ModifyInstanceMaintenanceOptions", &ec2.ModifyInstanceMaintenanceOptionsInput{InstanceId: id, AutoRecovery: ptr("default")})
	call[ec2.ModifyInstanceMaintenanceOptionsOutput](t, l.Client, "ModifyInstanceMaintenanceOptions", &ec2.ModifyInstanceMaintenanceOptionsInput{InstanceId: id, RebootMigration: ptr("disabled")})
	refused(t, l.Client, "ModifyPrivateDnsNameOptions", &ec2.ModifyPrivateDnsNameOptionsInput{InstanceId: id, PrivateDnsHostnameType: ptr("ip-name")}, "IncorrectInstanceState")
	open := &ec2.ModifyInstanceCapacityReservationAttributesInput{InstanceId: id, CapacityReservationSpecification: &ec2.CapacityReservationSpecification{CapacityReservationPreference: ptr("open")}}
	refused(t, l.Client, "ModifyInstanceCapacityReservationAttributes", open, "IncorrectInstanceState")
	l.stop(t, id)
	call[ec2.ModifyPrivateDnsNameOptionsOutput](t, l.Client, "ModifyPrivateDnsNameOptions", &ec2.ModifyPrivateDnsNameOptionsInput{InstanceId: id, PrivateDnsHostnameType: ptr("ip-name"), EnableResourceNameDnsAAAARecord: ptr(true)})
	call[ec2.ModifyInstanceCapacityReservationAttributesOutput](t, l.Client, "ModifyInstanceCapacityReservationAttributes", open)
	if want, got := []any{"disabled", "default", "disabled", "ip-name", true, true, "open", true, "ip-10-0-12-4.eu-west-1.compute.internal"}, short(l.describe(t, id)); !reflect.DeepEqual(got, want) {
		t.Errorf("changed: %v", got)
	}
	if m := call[ec2.MonitorInstancesOutput](t, l.Client, "MonitorInstances", &ec2.MonitorInstancesInput{InstanceIds: []string{id}}).InstanceMonitorings; len(m) != 1 || *m[0].Monitoring.State != "pending" {
		t.Errorf("monitored: %+v", m)
	}
	for name, value := range map[string]string{"monitoring-state": "enabled", "maintenance-options.auto-recovery": "default", "private-dns-name-options.hostname-type": "ip-name"} {
		if found := call[ec2.DescribeInstancesOutput](t, l.Client, "DescribeInstances", &ec2.DescribeInstancesInput{Filters: filter(name, value)}).Reservations; len(found) != 1 {
			t.Errorf("%s %s: %d found", name, value, len(found))
		}
	}
	refused(t, l.Client, "MonitorInstances", &ec2.MonitorInstancesInput{InstanceIds: []string{id, "i-0123456789abcdef0"}}, "InvalidInstanceID.NotFound")

	for code, in := range map[string]ec2.RunInstancesInput{
		"Unsupported":                              {HibernationOptions: &ec2.HibernationOptionsRequest{Configured: ptr(true)}},
		"InvalidParameterValue":                    {Placement: &ec2.Placement{AvailabilityZone: ptr("eu-west-1b")}},
		"InvalidPlacementGroup.Unknown":            {Placement: &ec2.Placement{GroupName: ptr("near")}},
		"InvalidLaunchTemplateId.NotFound":         {LaunchTemplate: &ec2.LaunchTemplateSpecification{LaunchTemplateId: ptr("lt-0123456789abcdef0")}},
		"InstanceCreditSpecification.NotSupported": {InstanceType: ptr("m5.large"), CreditSpecification: &ec2.CreditSpecificationRequest{CpuCredits: "unlimited"}},
		"InvalidCapacityReservationId.NotFound":    {CapacityReservationSpecification: &ec2.CapacityReservationSpecification{CapacityReservationTarget: &ec2.CapacityReservationTarget{CapacityReservationId: ptr("cr-0123456789abcdef0")}}},
	} {
		in.ImageId, in.MinCount, in.MaxCount, in.SubnetId = ptr("ami-12345678"), 1, 1, subnet
		refused(t, l.Client, "RunInstances", &in, code)
	}
	refused(t, l.Client, "RunInstances", &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, SubnetId: subnet, InstanceType: ptr("t3.mini")}, "InvalidParameterValue")
	for _, x := range []struct {
		code string
		in   ec2.InstanceNetworkInterfaceSpecification
	}{
		{"Unsupported", ec2.InstanceNetworkInterfaceSpecification{AssociatePublicIpAddress: ptr(true)}},
		{"Unsupported", ec2.InstanceNetworkInterfaceSpecification{PrimaryIpv6: ptr(true)}},
		{"Unsupported", ec2.InstanceNetworkInterfaceSpecification{EnaQueueCount: ptr[int32](2)}},
		{"InvalidParameterValue", ec2.InstanceNetworkInterfaceSpecification{NetworkCardIndex: ptr[int32](1)}},
	} {
		x.in.SubnetId = subnet
		refused(t, l.Client, "RunInstances", &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, NetworkInterfaces: []ec2.InstanceNetworkInterfaceSpecification{x.in}}, x.code)
	}
	refused(t, l.Client, "CreateNetworkInterface", &ec2.CreateNetworkInterfaceInput{SubnetId: *subnet, EnablePrimaryIpv6: ptr(true)}, "Unsupported")
	l.launch(t, ec2.RunInstancesInput{NetworkInterfaces: []ec2.InstanceNetworkInterfaceSpecification{{SubnetId: subnet, AssociatePublicIpAddress: ptr(false), NetworkCardIndex: ptr[int32](0)}}})
}

// TestCredits has credits of burstable instances, which depend on the type where nothing is said, and of no others.
func TestCredits(t *testing.T) {
	l := newLab(t)
	subnet := l.labSubnet(t)
	ids := map[string]string{}
	for _, kind := range []string{"t2.micro", "t3.micro", "m5.large"} {
		ids[kind] = *l.launch(t, ec2.RunInstancesInput{SubnetId: subnet, InstanceType: &kind}).InstanceId
	}
	credits := func(names ...string) map[string]string {
		out := map[string]string{}
		for _, s := range call[ec2.DescribeInstanceCreditSpecificationsOutput](t, l.Client, "DescribeInstanceCreditSpecifications", &ec2.DescribeInstanceCreditSpecificationsInput{InstanceIds: names}).InstanceCreditSpecifications {
			out[*s.InstanceId] = *s.CpuCredits
		}
		return out
	}
	if got, want := credits(ids["t2.micro"], ids["t3.micro"]), (map[string]string{ids["t2.micro"]: "standard", ids["t3.micro"]: "unlimited"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	refused(t, l.Client, "DescribeInstanceCreditSpecifications", &ec2.DescribeInstanceCreditSpecificationsInput{InstanceIds: []string{ids["m5.large"]}}, "InstanceCreditSpecification.NotSupported")
	ask := func(id, word string) ec2.InstanceCreditSpecificationRequest {
		return ec2.InstanceCreditSpecificationRequest{InstanceId: id, CpuCredits: &word}
	}
	out := call[ec2.ModifyInstanceCreditSpecificationOutput](t, l.Client, "ModifyInstanceCreditSpecification", &ec2.ModifyInstanceCreditSpecificationInput{
		InstanceCreditSpecifications: []ec2.InstanceCreditSpecificationRequest{ask(ids["t3.micro"], "standard"), ask(ids["m5.large"], "standard"), ask("i-0123456789abcdef0", "unlimited"), ask(ids["t2.micro"], "unlimited")}})
	if len(out.SuccessfulInstanceCreditSpecifications) != 2 || len(out.UnsuccessfulInstanceCreditSpecifications) != 2 ||
		*out.UnsuccessfulInstanceCreditSpecifications[0].Error.Code != "InstanceCreditSpecification.NotSupported" || *out.UnsuccessfulInstanceCreditSpecifications[1].Error.Code != "InvalidInstanceID.NotFound" {
		t.Errorf("got %+v", out)
	}
	if got, want := credits(), (map[string]string{ids["t2.micro"]: "unlimited"}); !reflect.DeepEqual(got, want) {
		t.Errorf("unlimited are %v, want %v", got, want)
	}
	refused(t, l.Client, "ModifyInstanceCreditSpecification", &ec2.ModifyInstanceCreditSpecificationInput{InstanceCreditSpecifications: []ec2.InstanceCreditSpecificationRequest{ask(ids["t2.micro"], "endless")}}, "InvalidParameterValue")
	l.stop(t, ids["m5.large"])
	call[ec2.ModifyInstanceAttributeOutput](t, l.Client, "ModifyInstanceAttribute", &ec2.ModifyInstanceAttributeInput{InstanceId: ids["m5.large"], InstanceType: &ec2.AttributeValue{Value: ptr("t4g.nano")}})
	if got := credits(ids["m5.large"])[ids["m5.large"]]; got != "unlimited" {
		t.Errorf("as t4g.nano it has %s", got)
	}
}
