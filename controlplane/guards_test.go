package controlplane_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
)

// policyText allows everybody everything, over several lines.
const policyText = `{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["vpc-lattice-svcs:Invoke"], "Resource": "*"}]
}`

// TestAuthPolicy puts, reads and deletes auth policies.
func TestAuthPolicy(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprint("strict ", strict), func(t *testing.T) {
			p := running(t, controlplane.Options{Strict: strict})
			c := admin(t)
			ctx := t.Context()
			n, _, err := p.CreateServiceNetwork(ctx, c, "", trellis.ServiceNetwork{Name: "mesh", AuthType: trellis.AuthIAM})
			wantCode(t, err, "")
			a, err := p.GetAuthPolicy(ctx, c, n.ID)
			if err != nil || a.Text != "" || a.State != "" {
				t.Errorf("without a policy: %+v %v", a, err)
			}
			for bad, text := range map[string]string{
				"no JSON":        "allow all",
				"no principal":   `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
				"bad effect":     `{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Principal":"*","Action":"*","Resource":"*"}]}`,
				"over the quota": `{"Version":"2012-10-17","Id":"` + strings.Repeat("x", 10240) + `","Statement":[]}`,
			} {
				_, _, err := p.PutAuthPolicy(ctx, c, n.ID, text)
				if code(t, err) != "ValidationException" {
					t.Errorf("%s: %v", bad, err)
				}
			}
			a, _, err = p.PutAuthPolicy(ctx, c, n.ARN(region), policyText)
			if err != nil || a.State != "Active" || a.Text != policyText {
				t.Errorf("%+v %v", a, err)
			}
			want := ""
			if strict {
				want = "ValidationException"
			}
			_, err = p.DeleteAuthPolicy(ctx, c, n.ID)
			wantCode(t, err, want)
			_, _, err = p.UpdateServiceNetwork(ctx, c, n.ID, trellis.AuthNone)
			wantCode(t, err, "")
			if strict {
				if a, err = p.GetAuthPolicy(ctx, c, n.ID); err != nil || a.State != "Inactive" {
					t.Errorf("%+v %v", a, err)
				}
				_, err = p.DeleteAuthPolicy(ctx, c, n.ID)
				wantCode(t, err, "")
			}
			_, err = p.DeleteAuthPolicy(ctx, c, n.ID)
			wantCode(t, err, "ResourceNotFoundException")
			_, err = p.DeleteServiceNetwork(ctx, c, n.ID)
			wantCode(t, err, "")
			_, err = p.GetAuthPolicy(ctx, c, n.ID)
			wantCode(t, err, "ResourceNotFoundException")
		})
	}
}

// TestSubscriptions subscribes log groups, buckets and streams.
func TestSubscriptions(t *testing.T) {
	opened := map[string]string{}
	p := running(t, controlplane.Options{LogGroup: func(_ context.Context, account, arn string) error {
		if strings.Contains(arn, "missing") {
			return trellis.NotFound("LOG_GROUP", "missing")
		}
		opened[arn] = account
		return nil
	}})
	c := admin(t)
	ctx := t.Context()
	service, _, _ := listenerWith(t, p, c)
	n, _, err := p.CreateServiceNetwork(ctx, c, "", trellis.ServiceNetwork{Name: "mesh"})
	wantCode(t, err, "")
	group := "arn:aws:logs:eu-west-1:" + c.Principal.Account + ":log-group:/aws/lattice"
	create := func(resource, destination, logType, want string) *controlplane.Subscription {
		t.Helper()
		s, _, err := p.CreateAccessLogSubscription(ctx, c, "", resource, destination, logType, nil)
		wantCode(t, err, want)
		return s
	}
	s := create(service, group, "", "")
	if s.DestinationARN != group+":*" || opened[group] != c.Principal.Account || s.LogType != "" || !strings.HasSuffix(s.ResourceARN, service) {
		t.Errorf("%+v %v", s, opened)
	}
	create(service, group+"2:*", "", "ConflictException")
	create(service, group, "SERVICE", "ValidationException")
	create(service, group+"/missing", "", "ResourceNotFoundException")
	create(service, "arn:aws:sqs:eu-west-1:"+c.Principal.Account+":queue", "", "ValidationException")
	create(service, "arn:aws:logs:us-east-1:"+c.Principal.Account+":log-group:a", "", "ValidationException")
	create(service, "arn:aws:logs:eu-west-1:"+c.Principal.Account+":log-group:a b", "", "ValidationException")
	create(service, "arn:aws:s3:::bucket/prefix", "", "")
	create(service, "arn:aws:firehose:eu-west-1:"+c.Principal.Account+":deliverystream/d", "", "")
	if got := create(n.ID, group+":*", "", ""); got.LogType != "SERVICE" {
		t.Errorf("log type %q", got.LogType)
	}
	create(n.ARN(region), group+":*", "RESOURCE", "")
	create("svc-00000000000000000", group, "", "ResourceNotFoundException")

	u, _, err := p.UpdateAccessLogSubscription(ctx, c, s.ARN(region), group+"-new")
	if err != nil || u.DestinationARN != group+"-new:*" {
		t.Errorf("%+v %v", u, err)
	}
	_, _, err = p.UpdateAccessLogSubscription(ctx, c, s.ID, "arn:aws:s3:::bucket")
	wantCode(t, err, "ConflictException")
	list, next, err := p.ListAccessLogSubscriptions(ctx, c, service, controlplane.Page{Max: 2})
	if err != nil || len(list) != 2 || next == "" {
		t.Errorf("%v %q %v", list, next, err)
	}
	_, err = p.DeleteAccessLogSubscription(ctx, c, s.ID)
	wantCode(t, err, "")
	_, err = p.GetAccessLogSubscription(ctx, c, s.ID)
	wantCode(t, err, "ResourceNotFoundException")
	again := create(service, group, "", "")
	_, err = p.DeleteServiceNetwork(ctx, c, n.ID)
	wantCode(t, err, "")
	_, _, err = p.DeleteService(ctx, c, service)
	wantCode(t, err, "")
	await(t, "the end of the subscription", func() bool {
		_, err := p.GetAccessLogSubscription(ctx, c, again.ID)
		return code(t, err) == "ResourceNotFoundException"
	})
}

// TestNoResourceConfigurations asks for what belongs to a resource configuration: there are none.
func TestNoResourceConfigurations(t *testing.T) {
	p := running(t, controlplane.Options{})
	c := admin(t)
	ctx := t.Context()
	const id = "rcfg-00000000000000000"
	for _, identifier := range []string{id, trellis.LatticeARN(region, c.Principal.Account, "resourceconfiguration/"+id)} {
		_, get := p.GetAuthPolicy(ctx, c, identifier)
		_, _, put := p.PutAuthPolicy(ctx, c, identifier, allowAll)
		_, _, list := p.ListAccessLogSubscriptions(ctx, c, identifier, controlplane.Page{})
		for _, err := range []error{get, put, list} {
			var e *trellis.Error
			if !errors.As(err, &e) || e.Code != "ResourceNotFoundException" || e.ResourceType != "RESOURCE_CONFIGURATION" || e.ResourceID != id {
				t.Errorf("%s: %v", identifier, err)
			}
		}
	}
}

// TestLatticeTags tags every kind of resource.
func TestLatticeTags(t *testing.T) {
	p := running(t, controlplane.Options{})
	o := newOrders(t, p)
	ctx := t.Context()
	account := o.c.Principal.Account
	for _, arn := range []string{o.service.ARN(region), o.network.ARN(region), o.listener.ARN(region), o.rule.ARN(region), o.v1.ARN(region),
		trellis.LatticeARN(region, account, "servicenetworkserviceassociation/"+o.serviceAssociation),
		trellis.LatticeARN(region, account, "servicenetworkvpcassociation/"+o.vpcLink)} {
		_, err := p.TagResource(ctx, o.c, arn, map[string]string{"team": "orders", "empty": ""})
		wantCode(t, err, "")
		_, err = p.TagResource(ctx, o.c, arn, map[string]string{"team": "payments"})
		wantCode(t, err, "")
		_, err = p.UntagResource(ctx, o.c, arn, []string{"team", "other"})
		wantCode(t, err, "")
		tags, err := p.ListTagsForResource(ctx, o.c, arn)
		if v, ok := tags["empty"]; err != nil || len(tags) != 1 || !ok || v != "" {
			t.Errorf("%s: %v %v", arn, tags, err)
		}
	}
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint("k", i)] = ""
	}
	_, err := p.TagResource(ctx, o.c, o.service.ARN(region), many)
	wantCode(t, err, "ValidationException")
	_, err = p.TagResource(ctx, o.c, o.service.ARN(region), map[string]string{"AWS:x": ""})
	wantCode(t, err, "ValidationException")
	_, err = p.ListTagsForResource(ctx, o.c, "arn:aws:vpc-lattice:us-east-1:"+account+":service/"+o.service.ID)
	wantCode(t, err, "ValidationException")
	_, err = p.ListTagsForResource(ctx, o.c, o.service.ARN(region)+"/listener")
	wantCode(t, err, "ResourceNotFoundException")
	// The types in errors are those that Get operations name.
	for path, typ := range map[string]string{"servicenetwork/sn-00000000000000000": "SERVICE_NETWORK", "service/svc-00000000000000000": "SERVICE",
		"service/" + o.service.ID + "/listener/listener-00000000000000000": "LISTENER", "targetgroup/tg-00000000000000000": "TARGET_GROUP"} {
		_, err = p.ListTagsForResource(ctx, o.c, trellis.LatticeARN(region, account, path))
		var e *trellis.Error
		if !errors.As(err, &e) || e.Code != "ResourceNotFoundException" || e.ResourceType != typ || e.ResourceID != trellis.LastPart(path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestPermissions has callers whose own policies allow some things only.
func TestPermissions(t *testing.T) {
	p := running(t, controlplane.Options{})
	o := newOrders(t, p)
	ctx := t.Context()
	account := o.c.Principal.Account
	_, err := p.TagResource(ctx, o.c, o.service.ARN(region), map[string]string{"team": "orders"})
	wantCode(t, err, "")
	other, _, err := p.CreateServiceNetwork(ctx, o.c, "", trellis.ServiceNetwork{Name: "other"})
	wantCode(t, err, "")
	allow := func(action, resource, condition string) string {
		if condition != "" {
			condition = `,"Condition":` + condition
		}
		return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":%s%s}}`, action, resource, condition)
	}
	quoted := func(resources ...string) string { return `["` + strings.Join(resources, `","`) + `"]` }
	link := trellis.LatticeARN(region, account, "servicenetworkserviceassociation/*")
	for name, tc := range map[string]struct {
		policy string
		do     func(c string) error
		want   string
	}{
		"nothing allowed":           {allow("ec2:*", `"*"`, ""), get(ctx, t, p, o, account), "AccessDeniedException"},
		"the service":               {allow("vpc-lattice:GetService", quoted(o.service.ARN(region)), ""), get(ctx, t, p, o, account), ""},
		"another service":           {allow("vpc-lattice:GetService", quoted(other.ARN(region)), ""), get(ctx, t, p, o, account), "AccessDeniedException"},
		"by the resource's tag":     {allow("vpc-lattice:*", `"*"`, `{"StringEquals":{"aws:ResourceTag/team":"orders"}}`), get(ctx, t, p, o, account), ""},
		"by another tag":            {allow("vpc-lattice:*", `"*"`, `{"StringEquals":{"aws:ResourceTag/team":"payments"}}`), get(ctx, t, p, o, account), "AccessDeniedException"},
		"all three of associations": {allow("vpc-lattice:Create*", quoted(link, o.service.ARN(region), other.ARN(region)), ""), associate(ctx, t, p, o, account, other.ID), ""},
		"two of associations":       {allow("vpc-lattice:Create*", quoted(link, o.service.ARN(region)), ""), associate(ctx, t, p, o, account, other.ID), "AccessDeniedException"},
		"the network lacks the tag": {`{"Version":"2012-10-17","Statement":[` + strings.Join([]string{
			fmt.Sprintf(`{"Effect":"Allow","Action":"*","Resource":%q}`, link),
			`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"orders"}}}`}, ",") + `]}`,
			associate(ctx, t, p, o, account, other.ID), "AccessDeniedException"},
		"auth type must be IAM": {allow("vpc-lattice:CreateService", `"*"`, `{"StringEquals":{"vpc-lattice:AuthType":"AWS_IAM"}}`), createService(ctx, t, p, account), "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, tc.do(tc.policy), tc.want) })
	}
}

// get reads the scenario's service as a caller with a policy.
func get(ctx context.Context, t *testing.T, p *controlplane.Plane, o *orders, account string) func(string) error {
	return func(policy string) error {
		_, err := p.GetService(ctx, caller(t, account, policy), o.service.ID)
		return err
	}
}

// associate puts the scenario's service into a network as a caller with a policy.
func associate(ctx context.Context, t *testing.T, p *controlplane.Plane, o *orders, account, network string) func(string) error {
	return func(policy string) error {
		_, _, err := p.CreateServiceAssociation(ctx, caller(t, account, policy), "", o.service.ID, network, nil)
		return err
	}
}

// createService makes a service without authorization as a caller with a policy.
func createService(ctx context.Context, t *testing.T, p *controlplane.Plane, account string) func(string) error {
	return func(policy string) error {
		_, _, err := p.CreateService(ctx, caller(t, account, policy), "", trellis.Service{Name: "open"})
		return err
	}
}

// TestVPCAssociations associates one VPC with several networks, as each mode allows.
func TestVPCAssociations(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprint("strict ", strict), func(t *testing.T) {
			p := running(t, controlplane.Options{Strict: strict})
			c := admin(t)
			ctx := t.Context()
			vpc, _, group := newVPC(t, c, "10.0.0.0/16")
			other, _, foreign := newVPC(t, c, "10.0.0.0/16")
			var networks []string
			for i := range 3 {
				n, _, err := p.CreateServiceNetwork(ctx, c, "", trellis.ServiceNetwork{Name: fmt.Sprint("network", i)})
				wantCode(t, err, "")
				networks = append(networks, n.ID)
			}
			for bad, groups := range map[string][]string{
				"ResourceNotFoundException": {"sg-00000000000000000"},
				"ValidationException":       {foreign},
			} {
				_, _, err := p.CreateVPCAssociation(ctx, c, "", networks[0], vpc, trellis.VPCAssociation{SecurityGroupIDs: groups})
				wantCode(t, err, bad)
			}
			first, _, err := p.CreateVPCAssociation(ctx, c, "", networks[0], vpc, trellis.VPCAssociation{SecurityGroupIDs: []string{group}})
			wantCode(t, err, "")
			_, _, err = p.CreateVPCAssociation(ctx, c, "", networks[0], vpc, trellis.VPCAssociation{})
			wantCode(t, err, "ConflictException")
			if err != nil && !strings.HasSuffix(err.Error(), "VPC has already been associated to a service network.") {
				t.Error(err)
			}
			_, _, err = p.CreateVPCAssociation(ctx, c, "", networks[0], other, trellis.VPCAssociation{})
			wantCode(t, err, "")
			second, _, err := p.CreateVPCAssociation(ctx, c, "", networks[1], vpc, trellis.VPCAssociation{})
			if strict {
				wantCode(t, err, "ConflictException")
				return
			}
			wantCode(t, err, "")
			if first.Slot != 32 || second.Slot != 33 {
				t.Errorf("slots %d and %d", first.Slot, second.Slot)
			}
			await(t, "ACTIVE", func() bool {
				return must[*controlplane.VPCAssociation](t)(p.GetVPCAssociation(ctx, c, first.ID)).Status == trellis.StatusActive
			})
			u, _, err := p.UpdateVPCAssociation(ctx, c, first.ID, controlplane.VPCAssociationChange{SecurityGroupIDs: []string{}})
			wantCode(t, err, "ValidationException")
			_, _, err = p.DeleteVPCAssociation(ctx, c, first.ID)
			wantCode(t, err, "")
			await(t, "the end of the association", func() bool {
				_, err := p.GetVPCAssociation(ctx, c, first.ID)
				return code(t, err) != ""
			})
			third, _, err := p.CreateVPCAssociation(ctx, c, "", networks[2], vpc, trellis.VPCAssociation{})
			if err != nil || third.Slot != 32 { // the lowest that is free again
				t.Errorf("%v %v %v", third, u, err)
			}
			all, _, err := p.ListVPCAssociations(ctx, c, "", vpc, controlplane.Page{})
			if err != nil || len(all) != 2 {
				t.Errorf("%v %v", all, err)
			}
			_, _, err = p.ListVPCAssociations(ctx, c, "", "", controlplane.Page{})
			wantCode(t, err, "ValidationException")
		})
	}
}

// TestStrictStatus has strict mode refuse what AWS refuses while something is being created.
func TestStrictStatus(t *testing.T) {
	p := controlplane.New(controlplane.Options{Store: shared, Region: region, Strict: true}) // never runs: nothing becomes ACTIVE
	c := admin(t)
	ctx := t.Context()
	vpc, _, _ := newVPC(t, c, "10.0.0.0/16")
	g, _, err := p.CreateTargetGroup(ctx, c, "", ipGroup("targets", vpc), nil)
	wantCode(t, err, "")
	_, _, _, err = p.RegisterTargets(ctx, c, g.ID, []controlplane.TargetID{{ID: "10.0.0.1"}})
	wantCode(t, err, "ConflictException")
	if want := "Invalid resource status for this operation, resource id " + g.ID + ", status: CREATE_IN_PROGRESS."; err != nil && !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	s, _, err := p.CreateService(ctx, c, "", trellis.Service{Name: "orders"})
	wantCode(t, err, "")
	n, _, err := p.CreateServiceNetwork(ctx, c, "", trellis.ServiceNetwork{Name: "mesh"})
	wantCode(t, err, "")
	_, _, err = p.CreateServiceAssociation(ctx, c, "", s.ID, n.ID, nil)
	wantCode(t, err, "ConflictException")
}

// TestCustomDomain has two services of one custom domain name: not in one network.
func TestCustomDomain(t *testing.T) {
	p := running(t, controlplane.Options{})
	c := admin(t)
	ctx := t.Context()
	var networks, services []string
	for i := range 2 {
		n, _, err := p.CreateServiceNetwork(ctx, c, "", trellis.ServiceNetwork{Name: fmt.Sprint("network", i)})
		wantCode(t, err, "")
		s, _, err := p.CreateService(ctx, c, "", trellis.Service{Name: fmt.Sprint("service", i), CustomDomainName: "Orders.Example.com."})
		wantCode(t, err, "")
		if s.CustomDomainName != "orders.example.com" {
			t.Errorf("custom domain name %q", s.CustomDomainName)
		}
		networks, services = append(networks, n.ID), append(services, s.ID)
	}
	associate := func(service, network int, want string) {
		t.Helper()
		_, _, err := p.CreateServiceAssociation(ctx, c, "", services[service], networks[network], nil)
		wantCode(t, err, want)
	}
	associate(0, 0, "")
	associate(0, 0, "ConflictException")
	associate(1, 0, "ConflictException")
	associate(1, 1, "")
	associate(0, 1, "ConflictException")
	for _, bad := range []string{"a", "-a.example.com", "a..example.com", "*.example.com", "a.b.on.aws", strings.Repeat("a", 64) + ".example.com"} {
		_, _, err := p.CreateService(ctx, c, "", trellis.Service{Name: "bad", CustomDomainName: bad})
		wantCode(t, err, "ValidationException")
	}
}
