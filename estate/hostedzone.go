package estate

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// toZone is a hosted zone of Route 53, or one of AWS's own that load balancers are in.
var toZone = reference{kinds: []string{"HostedZone"}}

// hostedZoneKinds are the kinds of Route 53.
func hostedZoneKinds() []*kind {
	named := reference{kinds: []string{"LoadBalancer", "Service"}, dns: true}
	return []*kind{
		plain{list: "ListHostedZones", items: "HostedZones", own: "Name", id: "Id", get: "GetHostedZone", more: withZone,
			ask:  func(t *thing) map[string]any { return map[string]any{"Id": zoneID(t.id)} },
			sets: map[string]setter{"HostedZoneConfig": changeComment, "VPCs": changeVPCs}}.of(
			&kind{name: "HostedZone", service: "route53", prefix: "hostedzone", ids: regexp.MustCompile(`^Z[A-Z0-9]{4,31}$`), nameTag: true, nameMember: "Name", id: "Id",
				create: "CreateHostedZone", remove: "DeleteHostedZone", make: makeZone, unmake: unmakeZone,
				members: []member{{name: "Name", fixed: true}, {name: "HostedZoneConfig", part: true, norm: zoneNorm}, {name: "VPCs", later: true, set: true, def: nothing}},
				refs:    map[string]reference{"VPCId": toVPC}}),
		{name: "RecordSet", service: "route53", unnamed: true, tagless: true, create: "ChangeResourceRecordSets", wrap: recordChange("CREATE"), label: recordLabel,
			members: []member{{name: "HostedZoneId", required: true, fixed: true}, {name: "Name", required: true, fixed: true, norm: domainNorm}, {name: "Type", required: true, fixed: true},
				{name: "SetIdentifier", fixed: true}, {name: "TTL"}, {name: "ResourceRecords", set: true, norm: valuesNorm}, {name: "AliasTarget", norm: aliasNorm},
				{name: "Weight"}, {name: "Failover"}, {name: "Region"}, {name: "GeoLocation"}, {name: "GeoProximityLocation"}, {name: "CidrRoutingConfig"}, {name: "MultiValueAnswer"}, {name: "HealthCheckId"}},
			refs: map[string]reference{"HostedZoneId": toZone, "DNSName": named, "Value": named},
			read: readRecords, make: makeRecord, change: changeRecord, unmake: unmakeRecord},
	}
}

// zoneID is the id of a hosted zone without what answers put before it.
func zoneID(s string) string { return strings.TrimPrefix(s, "/hostedzone/") }

// domain is a name without its final dot, and with a plain asterisk.
func domain(s string) string {
	return strings.ReplaceAll(strings.TrimSuffix(s, "."), `\052`, "*")
}

// withZone takes the VPCs of a hosted zone.
func withZone(_ context.Context, s *session, answer map[string]any, t *thing) error {
	zone := structure(answer["HostedZone"])
	t.id = zoneID(t.id)
	t.arn, t.own = "arn:aws:route53:::hostedzone/"+t.id, domain(text(zone["Name"]))
	t.members = map[string]any{"Name": t.own}
	if config := take(structure(zone["Config"]), "Comment", "PrivateZone"); len(config) > 0 {
		t.members["HostedZoneConfig"] = config
	}
	var vpcs []any
	for _, v := range list(answer["VPCs"]) {
		vpc := take(structure(v), "VPCId", "VPCRegion")
		if vpc["VPCRegion"] == s.region {
			delete(vpc, "VPCRegion")
		}
		vpcs = append(vpcs, vpc)
	}
	if vpcs != nil {
		t.members["VPCs"] = vpcs
	}
	if zone["LinkedService"] != nil {
		return errLeftOut // it is a service's
	}
	return nil
}

// zoneNorm leaves out of a zone's configuration what is so of every zone.
func zoneNorm(v any) any {
	m := maps.Clone(structure(v))
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == false || v == "" })
	return m
}

// vpcOf is a VPC as Route 53 takes it: with its region.
func vpcOf(s *session, v any) map[string]any {
	m := maps.Clone(structure(v))
	m["VPCRegion"] = cmp.Or(text(m["VPCRegion"]), s.region)
	return m
}

// makeZone creates a hosted zone. A private one gets its first VPC at once.
func makeZone(ctx context.Context, s *session, t *thing, in map[string]any) error {
	in["CallerReference"] = rand.Text()
	if vpcs := list(s.sent(t, t.members["VPCs"], "VPCs")); len(vpcs) > 0 {
		in["VPC"] = vpcOf(s, vpcs[0])
	}
	out, err := s.call(ctx, "route53", "CreateHostedZone", in)
	t.id = zoneID(text(at(out, "HostedZone.Id")))
	t.arn = "arn:aws:route53:::hostedzone/" + t.id
	return err
}

// changeComment sets what a zone is said to be for.
func changeComment(ctx context.Context, s *session, t *thing, want, _ any) error {
	return s.do(ctx, "route53", "UpdateHostedZoneComment", map[string]any{"Id": t.id, "Comment": text(structure(want)["Comment"])})
}

// changeVPCs lets a private zone be asked from other VPCs. It is of one at least, so that those that go go last.
func changeVPCs(ctx context.Context, s *session, t *thing, want, _ any) error {
	out, err := s.call(ctx, "route53", "GetHostedZone", map[string]any{"Id": t.id})
	if err != nil {
		return err
	}
	var wanted, have []any
	for _, v := range list(want) {
		wanted = append(wanted, vpcOf(s, v))
	}
	for _, v := range list(out["VPCs"]) {
		have = append(have, vpcOf(s, take(structure(v), "VPCId", "VPCRegion")))
	}
	for i, part := range [][]any{lacking(wanted, have), lacking(have, wanted)} {
		operation := []string{"AssociateVPCWithHostedZone", "DisassociateVPCFromHostedZone"}[i]
		for _, vpc := range part {
			if err := s.do(ctx, "route53", operation, map[string]any{"HostedZoneId": t.id, "VPC": vpc}); err != nil {
				return err
			}
		}
	}
	return nil
}

// unmakeZone deletes a hosted zone after all its record sets but those that it came with.
func unmakeZone(ctx context.Context, s *session, t *thing) error {
	found, err := recordsOf(ctx, s, t.id)
	if err != nil {
		return unlessGone(err)
	}
	found = slices.DeleteFunc(found, func(r map[string]any) bool { return ofZone(r, t.zoneName()) })
	for part := range slices.Chunk(found, 100) {
		var changes []any
		for _, r := range part {
			changes = append(changes, map[string]any{"Action": "DELETE", "ResourceRecordSet": r})
		}
		if err := s.do(ctx, "route53", "ChangeResourceRecordSets", map[string]any{"HostedZoneId": t.id, "ChangeBatch": map[string]any{"Changes": changes}}); err != nil {
			return unlessGone(err)
		}
	}
	return unlessGone(s.do(ctx, "route53", "DeleteHostedZone", map[string]any{"Id": t.id}))
}

// zoneName is the domain that a hosted zone is for.
func (t *thing) zoneName() string { return first(text(t.members["Name"]), t.own) }

// ofZone tells whether a record set is one of the two that every zone has.
func ofZone(r map[string]any, name string) bool {
	return (r["Type"] == "SOA" || r["Type"] == "NS") && domain(text(r["Name"])) == name
}

// recordsOf lists the record sets of a zone.
func recordsOf(ctx context.Context, s *session, zone string) ([]map[string]any, error) {
	var all []map[string]any
	for in := map[string]any{"HostedZoneId": zone}; ; {
		out, err := s.call(ctx, "route53", "ListResourceRecordSets", in)
		if err != nil {
			return nil, err
		}
		for _, r := range list(out["ResourceRecordSets"]) {
			all = append(all, structure(r))
		}
		if out["IsTruncated"] != true {
			return all, nil
		}
		in = map[string]any{"HostedZoneId": zone}
		for to, from := range map[string]string{"StartRecordName": "NextRecordName", "StartRecordType": "NextRecordType", "StartRecordIdentifier": "NextRecordIdentifier"} {
			if v := text(out[from]); v != "" {
				in[to] = v
			}
		}
	}
}

// readRecords reads the record sets of all zones. Those that every zone has are AWS's own.
func readRecords(ctx context.Context, s *session) ([]*thing, error) {
	zones, err := s.items(ctx, "route53", "ListHostedZones", nil, "HostedZones")
	if err != nil {
		return nil, err
	}
	var all []*thing
	for _, z := range zones {
		found, err := recordsOf(ctx, s, zoneID(text(z["Id"])))
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			t := &thing{members: maps.Clone(r), builtin: ofZone(r, domain(text(z["Name"])))}
			t.members["Name"], t.members["HostedZoneId"] = domain(text(r["Name"])), zoneID(text(z["Id"]))
			if a := structure(r["AliasTarget"]); len(a) > 0 {
				t.members["AliasTarget"] = aliasNorm(a)
			}
			if values := valuesNorm(r["ResourceRecords"]); values != nil {
				t.members["ResourceRecords"] = values
			}
			all = append(all, t)
		}
	}
	return all, nil
}

// recordLabel names a record set by its zone, name and type, and by what tells it from others of these.
func recordLabel(t *thing) string {
	label := nameOf(t.members["HostedZoneId"]) + "/" + strings.ToLower(domain(text(t.members["Name"]))) + "/" + text(t.members["Type"])
	if id := text(t.members["SetIdentifier"]); id != "" {
		label += "/" + id
	}
	return label
}

// domainNorm says a domain in one way.
func domainNorm(v any) any { return strings.ToLower(domain(text(v))) }

// valuesNorm says names in values of records in one way, without their final dots.
func valuesNorm(v any) any {
	var out []any
	for _, e := range list(v) {
		m := maps.Clone(structure(e))
		if s, ok := m["Value"].(string); ok && !strings.ContainsAny(s, "\" ") {
			m["Value"] = domain(s)
		}
		out = append(out, m)
	}
	if out == nil {
		return nil
	}
	return out
}

// aliasNorm says the name that an alias leads to in one way.
func aliasNorm(v any) any {
	m := maps.Clone(structure(v))
	if s, ok := m["DNSName"].(string); ok {
		m["DNSName"] = domain(s)
	}
	if s, ok := m["HostedZoneId"].(string); ok {
		m["HostedZoneId"] = zoneID(s)
	}
	return m
}

// recordChange returns what makes of the members of a record set the input that creates, changes or deletes it.
func recordChange(action string) func(map[string]any) map[string]any {
	return func(in map[string]any) map[string]any {
		record := maps.Clone(in)
		delete(record, "HostedZoneId")
		return map[string]any{"HostedZoneId": in["HostedZoneId"], "ChangeBatch": map[string]any{"Changes": []any{map[string]any{"Action": action, "ResourceRecordSet": record}}}}
	}
}

// setRecord changes or deletes a record set.
func setRecord(ctx context.Context, s *session, t *thing, action string) error {
	in := map[string]any{}
	for name, v := range t.members {
		in[name] = s.sent(t, v, name)
	}
	return s.do(ctx, "route53", "ChangeResourceRecordSets", recordChange(action)(in))
}

// makeRecord creates a record set.
func makeRecord(ctx context.Context, s *session, t *thing, in map[string]any) error {
	return s.do(ctx, "route53", t.kind.create, in)
}

// changeRecord puts a record set in the place of the one of its name and type.
func changeRecord(ctx context.Context, s *session, t, _ *thing, _ []string) error {
	return setRecord(ctx, s, t, "UPSERT")
}

// unmakeRecord deletes a record set.
func unmakeRecord(ctx context.Context, s *session, t *thing) error {
	return unlessGone(setRecord(ctx, s, t, "DELETE"))
}
