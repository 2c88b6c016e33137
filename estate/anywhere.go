package estate

import (
	"context"
	"maps"
)

// rolesAnywhere is the service of the kinds here.
const rolesAnywhere = "rolesanywhere"

// anywhereKinds are the kinds of IAM Roles Anywhere. Subjects come by themselves.
func anywhereKinds() []*kind {
	all := []*kind{
		plain{list: "ListTrustAnchors", items: "trustAnchors", own: "name", id: "trustAnchorId", arn: "trustAnchorArn", made: "trustAnchor", more: withNotifications,
			sets: map[string]setter{"enabled": enable("TrustAnchor"), "notificationSettings": notify}}.of(
			&kind{name: "TrustAnchor", prefix: "trust-anchor", nameMember: "name", id: "trustAnchorId", create: "CreateTrustAnchor", update: "UpdateTrustAnchor", remove: "DeleteTrustAnchor",
				members:  []member{{name: "source", required: true}, {name: "enabled", def: false}, {name: "aliasName", def: nothing}, {name: "notificationSettings", set: true, def: nothing}},
				defaults: map[string]any{"channel": "ALL"}}),
		plain{list: "ListProfiles", items: "profiles", own: "name", id: "profileId", arn: "profileArn", made: "profile", more: withMappings,
			sets: map[string]setter{"enabled": enable("Profile"), "attributeMappings": changeMappings}}.of(
			&kind{name: "RolesAnywhereProfile", prefix: "profile", nameMember: "name", id: "profileId", create: "CreateProfile", update: "UpdateProfile", remove: "DeleteProfile",
				members: []member{{name: "roleArns", required: true, set: true}, {name: "enabled", def: false}, {name: "aliasName", def: nothing}, {name: "durationSeconds", def: 3600},
					{name: "sessionPolicy", form: policyText, stays: true, def: nothing}, {name: "managedPolicyArns", set: true, def: nothing}, {name: "acceptRoleSessionName", def: false},
					{name: "requireInstanceProperties", fixed: true, def: false}, {name: "attributeMappings", later: true, set: true, each: "PutAttributeMapping", def: usualMappings}},
				refs: map[string]reference{"roleArns": {kinds: []string{"Role"}, arn: true}, "managedPolicyArns": toPolicy}}),
		plain{list: "ListCrls", items: "crls", own: "name", id: "crlId", arn: "crlArn", made: "crl", sets: map[string]setter{"enabled": enable("Crl")}}.of(
			&kind{name: "RevocationList", prefix: "crl", nameMember: "name", id: "crlId", create: "ImportCrl", update: "UpdateCrl", remove: "DeleteCrl",
				members: []member{{name: "crlData", required: true}, {name: "trustAnchorArn", required: true, fixed: true}, {name: "enabled", def: false}, {name: "aliasName", def: nothing}},
				refs:    map[string]reference{"trustAnchorArn": {kinds: []string{"TrustAnchor"}, arn: true}}}),
	}
	for _, k := range all {
		k.service = rolesAnywhere
	}
	return all
}

// usualMappings are the fields of certificates that a new profile makes tags of sessions of (Roles Anywhere user guide, attribute mapping).
var usualMappings = []any{mapping("x509Subject", "*"), mapping("x509Issuer", "*"), mapping("x509SAN", "DNS", "URI", "Name/*")}

// mapping is which specifiers of a field of certificates become tags.
func mapping(field string, specifiers ...string) map[string]any {
	var rules []any
	for _, s := range specifiers {
		rules = append(rules, map[string]any{"specifier": s})
	}
	return map[string]any{"certificateField": field, "mappingRules": rules}
}

// enable returns what enables or disables one of a sort.
func enable(sort string) setter {
	return func(ctx context.Context, s *session, t *thing, want, _ any) error {
		operation := "Enable" + sort
		if want != true {
			operation = "Disable" + sort
		}
		return s.do(ctx, rolesAnywhere, operation, identify(t))
	}
}

// withNotifications takes the settings of notifications that somebody has made.
func withNotifications(_ context.Context, _ *session, _ map[string]any, t *thing) error {
	var all []any
	for _, n := range list(t.members["notificationSettings"]) {
		if n := structure(n); n["configuredBy"] != "rolesanywhere.amazonaws.com" {
			all = append(all, take(n, "channel", "enabled", "event", "threshold"))
		}
	}
	if delete(t.members, "notificationSettings"); all != nil {
		t.members["notificationSettings"] = all
	}
	return nil
}

// notify sets who is told of certificates that end soon, and takes other settings away.
func notify(ctx context.Context, s *session, t *thing, want, have any) error {
	if more := lacking(list(want), list(have)); more != nil {
		if err := s.do(ctx, rolesAnywhere, "PutNotificationSettings", map[string]any{"trustAnchorId": t.id, "notificationSettings": more}); err != nil {
			return err
		}
	}
	which := func(l []any) (keys []any) {
		for _, n := range l {
			keys = append(keys, take(structure(n), "event", "channel"))
		}
		return keys
	}
	if less := lacking(which(list(have)), which(list(want))); less != nil {
		return s.do(ctx, rolesAnywhere, "ResetNotificationSettings", map[string]any{"trustAnchorId": t.id, "notificationSettingKeys": less})
	}
	return nil
}

// withMappings has a member for the mappings of a profile that has none any more, too.
func withMappings(_ context.Context, _ *session, m map[string]any, t *thing) error {
	if list(m["attributeMappings"]) == nil {
		t.members["attributeMappings"] = []any{}
	}
	return nil
}

// changeMappings makes the mappings of a profile those that it shall have: each field anew that differs.
func changeMappings(ctx context.Context, s *session, t *thing, want, have any) error {
	if have == nil {
		have = usualMappings
	}
	for _, m := range lacking(list(have), list(want)) {
		if err := s.do(ctx, rolesAnywhere, "DeleteAttributeMapping", map[string]any{"profileId": t.id, "certificateField": structure(m)["certificateField"]}); err != nil {
			return err
		}
	}
	for _, m := range lacking(list(want), list(have)) {
		in := maps.Clone(structure(m))
		in["profileId"] = t.id
		if err := s.do(ctx, rolesAnywhere, "PutAttributeMapping", in); err != nil {
			return err
		}
	}
	return nil
}
