//go:build thorough

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/authpolicy"
)

// lattice is VPC Lattice's model of a whole.
func (w *whole) lattice(t *testing.T) *wire.Model {
	t.Helper()
	for _, s := range w.services {
		if s.Model.Folder == "vpclattice" {
			return s.Model
		}
	}
	t.Fatal("no VPC Lattice")
	return nil
}

// conditionKeys are VPC Lattice's own keys, by the actions that have them, and what their values look like (Service
// Authorization Reference, Amazon VPC Lattice).
var conditionKeys = map[string]map[string]string{
	"CreateListener":                          {"Protocol": "HTTP", "TargetGroupArns": "arn:*:targetgroup/tg-*"},
	"CreateResourceGateway":                   {"VpcId": "vpc-*"},
	"CreateRule":                              {"TargetGroupArns": "arn:*:targetgroup/tg-*"},
	"CreateService":                           {"AuthType": "AWS_IAM"},
	"CreateServiceNetwork":                    {"AuthType": "AWS_IAM"},
	"CreateServiceNetworkResourceAssociation": {"ResourceConfigurationArn": "arn:*:resourceconfiguration/rcfg-*", "ServiceNetworkArn": "arn:*:servicenetwork/sn-*"},
	"CreateServiceNetworkServiceAssociation":  {"ServiceArn": "arn:*:service/svc-*", "ServiceNetworkArn": "arn:*:servicenetwork/sn-*"},
	"CreateServiceNetworkVpcAssociation": {"PrivateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "PrivateDnsSpecifiedDomains": "*.example.com",
		"SecurityGroupIds": "sg-*", "ServiceNetworkArn": "arn:*:servicenetwork/sn-*", "VpcId": "vpc-*"},
	"CreateTargetGroup":                      {"VpcId": "vpc-*"},
	"DeleteServiceNetworkServiceAssociation": {"ServiceArn": "arn:*:service/svc-*", "ServiceNetworkArn": "arn:*:servicenetwork/sn-*"},
	"DeleteServiceNetworkVpcAssociation":     {"ServiceNetworkArn": "arn:*:servicenetwork/sn-*", "VpcId": "vpc-*"},
	"ListResourceEndpointAssociations":       {"ResourceConfigurationArn": "arn:*:resourceconfiguration/rcfg-*", "VpcEndpointId": "vpce-*"},
	"ListServiceNetworkServiceAssociations":  {"ServiceArn": "arn:*:service/svc-*"},
	"ListServiceNetworkVpcAssociations":      {"VpcId": "vpc-*"},
	"StartDomainVerification":                {"DomainName": "*.example.com"},
	"UpdateListener":                         {"TargetGroupArns": "arn:*:targetgroup/tg-*"},
	"UpdateResourceGateway":                  {"SecurityGroupIds": "sg-*"},
	"UpdateRule":                             {"TargetGroupArns": "arn:*:targetgroup/tg-*"},
	"UpdateService":                          {"AuthType": "NONE"},
	"UpdateServiceNetwork":                   {"AuthType": "NONE"},
	"UpdateServiceNetworkVpcAssociation":     {"SecurityGroupIds": "sg-*", "ServiceNetworkArn": "arn:*:servicenetwork/sn-*", "VpcId": "vpc-*"},
}

// TestLattice holds what is the same for many operations of VPC Lattice to one account's things.
func TestLattice(t *testing.T) {
	w, plane := start(t, false)
	w.running(t, plane)
	me := w.newTenant(t, "909090909090", materials(t))
	w.settled(t, me)
	t.Run("identifiers", func(t *testing.T) { w.identifiers(t, me) })
	t.Run("creations", func(t *testing.T) { w.creations(t, me) })
	t.Run("condition keys", func(t *testing.T) {
		w.settled(t, me)
		w.conditions(t, me, true)
		w.conditions(t, me, false)
	})
}

// conditions denies each action that has a key by that key: with the value that the request has (refused) the caller is
// refused, with another one not.
func (w *whole) conditions(t *testing.T, me *tenant, refused bool) {
	m := w.lattice(t)
	for i := range m.Operations {
		op := &m.Operations[i]
		wanted := maps.Clone(conditionKeys[op.Name])
		if wanted == nil {
			wanted = map[string]string{}
		}
		if _, takes := member(op.In, "tags"); takes && op.Name != "TagResource" {
			wanted["CreateAction"] = op.Name
			wanted["aws:TagKeys"], wanted["aws:RequestTag/team"] = "team", "orders"
		}
		for key, value := range wanted {
			name := key
			if !strings.Contains(key, ":") {
				name = "vpc-lattice:" + key
			}
			denied := map[bool]string{true: value, false: "nothing"}[refused]
			policy, err := authpolicy.Parse(fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"vpc-lattice:%s","Resource":"*","Condition":{"ForAnyValue:StringLike":{"%s":"%s"}}}}`, op.Name, name, denied), authpolicy.Identity)
			if err != nil {
				t.Fatal(err)
			}
			w.bounds["AKIA"+me.account+"BOUND"] = policy
			input := me.full(m, op)
			if wanted["CreateAction"] != "" {
				input["tags"] = map[string]any{"team": "orders"}
			}
			r, body := w.request(t, m, op, input)
			status, _, answer := w.send(t, me.account+"BOUND", m.SigningName, r, body)
			if (status == http.StatusForbidden) != refused {
				t.Errorf("%s denied by %s like %s: %d %.300s\n%.300s", op.Name, name, denied, status, answer, body)
			}
		}
	}
}

// full is a base input with what the condition keys are of.
func (me *tenant) full(m *wire.Model, op *wire.Operation) map[string]any {
	input := me.base(m, op)
	for name, v := range map[string]any{
		"authType": "NONE", "securityGroupIds": []any{me.first("groupid")}, "vpcEndpointId": me.first("vpcendpointid"),
		"dnsOptions": map[string]any{"privateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "privateDnsSpecifiedDomains": []any{"a.example.com"}},
	} {
		if _, has := member(op.In, name); has && input[name] == nil && (name != "authType" || strings.HasPrefix(op.Name, "Update")) {
			input[name] = v
		}
	}
	forward := map[string]any{"forward": map[string]any{"targetGroups": []any{map[string]any{"targetGroupIdentifier": me.first("targetgroupidentifier")}}}}
	for _, name := range []string{"action", "defaultAction"} {
		if _, has := member(op.In, name); has {
			input[name] = forward
		}
	}
	if strings.HasPrefix(op.Name, "Update") && input["authType"] != nil {
		input["authType"] = "NONE"
	}
	return input
}

// first is the first text of a tenant under a name.
func (me *tenant) first(key string) string {
	for _, l := range me.leaves {
		if l.key == key {
			return l.value
		}
	}
	return ""
}

// identifiers reads everything by its id, by its ARN, and by its ARN in every spelling of a path: the answers are the same.
func (w *whole) identifiers(t *testing.T, me *tenant) {
	m, compared := w.lattice(t), 0
	for i := range m.Operations {
		op := &m.Operations[i]
		if !op.ReadOnly && !strings.HasPrefix(op.Name, "Get") && !strings.HasPrefix(op.Name, "List") {
			continue
		}
		for _, at := range places(op.In, nil, nil) {
			name := at.field.Tag.Get("wire")
			if !strings.HasSuffix(name, "Identifier") || name == "vpcIdentifier" || len(at.path) > 1 {
				continue
			}
			base := me.base(m, op)
			id, _ := base[name].(string)
			if id == "" {
				id = me.names(m, at.field, "")[0].value
			}
			arn := ""
			for _, l := range me.leaves {
				if bare := id[strings.LastIndex(id, "/")+1:]; strings.HasPrefix(l.value, "arn:") && strings.HasSuffix(l.value, "/"+bare) {
					arn, id = l.value, bare
				}
			}
			if arn == "" {
				t.Errorf("%s: no ARN of %s %s", op.Name, name, id)
				continue
			}
			ask := func(value string, spell func(string) string) string {
				r, body := w.request(t, m, op, put(base, at.path, value).(map[string]any))
				if at.field.Tag.Get("in") == "uri" {
					r.URL.RawPath = strings.ReplaceAll(r.URL.EscapedPath(), url.PathEscape(value), spell(value))
					r.URL.Path, _ = url.PathUnescape(r.URL.RawPath)
				}
				status, _, answer := w.send(t, me.account, m.SigningName, r, body)
				return fmt.Sprint(status, " ", answer)
			}
			want := ask(id, url.PathEscape)
			if !strings.HasPrefix(want, "200") {
				t.Errorf("%s by %s %s: %.300s", op.Name, name, id, want)
			}
			for _, spell := range []func(string) string{url.PathEscape, url.QueryEscape,
				func(s string) string { return strings.ToLower(url.QueryEscape(s)) }} {
				if got := ask(arn, spell); got != want {
					t.Errorf("%s by %s %s\ngot  %.400s\nwant %.400s", op.Name, name, spell(arn), got, want)
				}
				compared++
			}
		}
	}
	t.Logf("%d answers compared", compared)
}

// optional are the members of answers to creations that are there only when the request, or a failure, gave cause.
var optional = map[string][]string{
	"CreateResourceConfiguration":        {"domainVerificationArn", "domainVerificationId", "failureReason", "groupDomain", "resourceConfigurationGroupId"},
	"CreateService":                      {"certificateArn", "idleTimeoutSeconds"},
	"CreateServiceNetworkVpcAssociation": {"dnsOptions", "privateDnsEnabled"},
}

// creations makes one more of everything: with a client token twice, which is one; then with other parameters, which is
// refused; with tags, which are read back; and with tags of AWS's own, which are refused.
func (w *whole) creations(t *testing.T, me *tenant) {
	m, c := w.lattice(t), w.as(t, me.account)
	made := 0
	for i := range m.Operations {
		op := &m.Operations[i]
		f, tagged := member(op.In, "tags")
		if _, token := member(op.In, "clientToken"); !token {
			continue
		}
		if !tagged {
			t.Errorf("%s takes no tags: %v", op.Name, f)
		}
		input := me.base(m, op)
		call := func(changes map[string]any) (map[string]any, int, string) {
			tree := maps.Clone(input)
			maps.Copy(tree, changes)
			r, body := w.request(t, m, op, tree)
			status, _, answer := w.send(t, me.account, m.SigningName, r, body)
			var out map[string]any
			_ = json.Unmarshal([]byte(answer), &out)
			return out, status, answer
		}
		if _, status, answer := call(map[string]any{"tags": map[string]any{"aws:team": "x"}}); status != 400 || !strings.Contains(answer, "aws:") {
			t.Errorf("%s with a tag of AWS: %d %s", op.Name, status, answer)
		}
		with := map[string]any{"clientToken": "token-" + op.Name, "tags": map[string]any{"team": "orders", "empty": ""}}
		first, status, answer := call(with)
		if status != op.Status {
			t.Errorf("%s: %d %s", op.Name, status, answer)
			continue
		}
		made++
		again, status, answer := call(with)
		if status != op.Status || again["arn"] != first["arn"] || !slices.Equal(slices.Sorted(maps.Keys(again)), slices.Sorted(maps.Keys(first))) {
			t.Errorf("%s with the same token: %d %s, first %v", op.Name, status, answer, first)
		}
		with["tags"] = map[string]any{"team": "payments"}
		if _, status, answer := call(with); status != 409 || !strings.Contains(answer, "ConflictException") && !strings.Contains(answer, "token") {
			t.Errorf("%s with the same token for something else: %d %s", op.Name, status, answer)
		}
		out, err := c.Call(t.Context(), "vpclattice", "ListTagsForResource", map[string]any{"resourceArn": first["arn"]})
		if err != nil || fmt.Sprint(out["tags"]) != "map[empty: team:orders]" {
			t.Errorf("%s: the tags are %v, %v", op.Name, out, err)
		}
		for f := range members(op.Out) {
			if name := f.Tag.Get("wire"); first[name] == nil && !slices.Contains(optional[op.Name], name) {
				t.Errorf("%s answers without %s", op.Name, name)
			}
		}
	}
	if made != 12 {
		t.Errorf("%d of 12 creations", made)
	}
}
