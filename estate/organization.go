package estate

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// organizations is the service of the kinds here.
const organizations = "organizations"

// accountTag is the tag that chooses the id of an account, which AWS has no member for (docs/modes.md).
const accountTag = "trellis:account-id"

// organizationKinds are the kinds of AWS Organizations. They stand in the management account.
func organizationKinds() []*kind {
	parents := reference{kinds: []string{"OrganizationalUnit", "Organization"}}
	all := []*kind{
		{name: "Organization", unnamed: true, label: func(*thing) string { return "organization" }, tagless: true, create: "CreateOrganization",
			members: []member{{name: "FeatureSet", fixed: true, def: "ALL"}, {name: "PolicyTypes", later: true, set: true, def: nothing},
				{name: "ServicePrincipals", later: true, set: true, def: nothing}},
			read: readOrganization, make: makeOrganization, change: changeOrganization},
		{name: "OrganizationalUnit", prefix: "ou", nameMember: "Name", create: "CreateOrganizationalUnit",
			members: []member{{name: "ParentId", fixed: true, def: nothing}}, refs: map[string]reference{"ParentId": parents},
			read: readUnits, make: makeUnit, change: changeNothing, unmake: unmakeOrganizations("DeleteOrganizationalUnit", "OrganizationalUnitId")},
		{name: "Account", ids: regexp.MustCompile(`^([0-9]{12}|r-[0-9a-z]{4,})$`), nameMember: "AccountName", create: "CreateAccount",
			members: []member{{name: "Id", fixed: true}, {name: "Email", fixed: true}, {name: "ParentId", later: true, def: nothing}}, refs: map[string]reference{"ParentId": parents},
			read: readAccounts, make: makeAccount, change: moveAccount},
		{name: "OrganizationsPolicy", prefix: "p", nameMember: "Name", create: "CreatePolicy",
			members: []member{{name: "Type", required: true, fixed: true}, {name: "Description", def: nothing}, {name: "Content", required: true, form: policyText},
				{name: "TargetIds", later: true, set: true, def: nothing}},
			refs: map[string]reference{"TargetIds": {kinds: []string{"OrganizationalUnit", "Account", "Organization"}}},
			read: readOrganizationsPolicies, make: makeOrganizationsPolicy, change: changeOrganizationsPolicy, unmake: unmakeOrganizations("DeletePolicy", "PolicyId")},
	}
	for _, k := range all {
		k.service, k.management = organizations, true
	}
	return all
}

// outside tells whether an account is in no organization, or does not manage it: then it has none of these kinds.
func outside(err error) bool {
	return refused(err, "AWSOrganizationsNotInUseException", "AccessDeniedException", "AccessDenied")
}

// roots are the root of the organization, as a list of one; empty without one.
func roots(ctx context.Context, s *session) ([]map[string]any, error) {
	found, err := s.items(ctx, organizations, "ListRoots", nil, "Roots")
	if outside(err) {
		return nil, nil
	}
	return found, err
}

// readOrganization reads the organization, whose id here is its root's, and whose ARN its own.
func readOrganization(ctx context.Context, s *session) ([]*thing, error) {
	found, err := roots(ctx, s)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	out, err := s.call(ctx, organizations, "DescribeOrganization", nil)
	if err != nil {
		return nil, err
	}
	o := structure(out["Organization"])
	t := &thing{own: "organization", id: text(found[0]["Id"]), arn: text(o["Arn"]), aliases: []string{text(found[0]["Arn"]), text(o["Id"])}, members: take(o, "FeatureSet")}
	var types, services []any
	for _, p := range list(found[0]["PolicyTypes"]) {
		if p := structure(p); p["Status"] == "ENABLED" {
			types = append(types, p["Type"])
		}
	}
	granted, err := s.items(ctx, organizations, "ListAWSServiceAccessForOrganization", nil, "EnabledServicePrincipals")
	for _, p := range granted {
		services = append(services, p["ServicePrincipal"])
	}
	t.members["PolicyTypes"], t.members["ServicePrincipals"] = types, services
	maps.DeleteFunc(t.members, func(_ string, v any) bool { l, ok := v.([]any); return ok && len(l) == 0 })
	return []*thing{t}, err
}

// units lists organizational units with their parents, from the root down.
func units(ctx context.Context, s *session) ([]map[string]any, error) {
	above, err := roots(ctx, s)
	var all []map[string]any
	for len(above) > 0 && err == nil {
		var below []map[string]any
		for _, a := range above {
			found, err := s.items(ctx, organizations, "ListOrganizationalUnitsForParent", map[string]any{"ParentId": a["Id"]}, "OrganizationalUnits")
			if err != nil {
				return nil, err
			}
			for _, u := range found {
				u["ParentId"] = a["Id"]
			}
			below = append(below, found...)
		}
		all, above = append(all, below...), below
	}
	return all, err
}

// parentOf is a member ParentId, which the root need not be said for.
func parentOf(id any) map[string]any {
	if strings.HasPrefix(text(id), "r-") {
		return map[string]any{}
	}
	return map[string]any{"ParentId": id}
}

// readUnits reads the organizational units.
func readUnits(ctx context.Context, s *session) ([]*thing, error) {
	found, err := units(ctx, s)
	if err != nil {
		return nil, err
	}
	return each(ctx, found, func(ctx context.Context, m map[string]any) (*thing, error) {
		return &thing{own: text(m["Name"]), id: text(m["Id"]), arn: text(m["Arn"]), members: parentOf(m["ParentId"])}, nil
	})
}

// readAccounts reads the accounts but the management account, which the organization came from.
func readAccounts(ctx context.Context, s *session) ([]*thing, error) {
	above, err := roots(ctx, s)
	if err != nil {
		return nil, err
	}
	below, err := units(ctx, s)
	if err != nil {
		return nil, err
	}
	var all []map[string]any
	for _, p := range append(slices.Clone(above), below...) {
		found, err := s.items(ctx, organizations, "ListAccountsForParent", map[string]any{"ParentId": p["Id"]}, "Accounts")
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			if a["Status"] == "ACTIVE" && a["Id"] != s.account {
				a["ParentId"] = p["Id"]
				all = append(all, a)
			}
		}
	}
	return each(ctx, all, func(ctx context.Context, m map[string]any) (*thing, error) {
		t := &thing{own: text(m["Name"]), id: text(m["Id"]), arn: text(m["Arn"]), members: parentOf(m["ParentId"])}
		t.members["Id"], t.members["Email"] = m["Id"], m["Email"]
		return t, nil
	})
}

// readOrganizationsPolicies reads the policies of the types that are enabled, but AWS's own.
func readOrganizationsPolicies(ctx context.Context, s *session) ([]*thing, error) {
	above, err := roots(ctx, s)
	if err != nil || len(above) == 0 {
		return nil, err
	}
	var all []map[string]any
	for _, sort := range list(above[0]["PolicyTypes"]) {
		found, err := s.items(ctx, organizations, "ListPolicies", map[string]any{"Filter": structure(sort)["Type"]}, "Policies")
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(slices.Clone(found), func(p map[string]any) bool { return p["AwsManaged"] == true })...)
	}
	return each(ctx, all, func(ctx context.Context, m map[string]any) (*thing, error) {
		t := &thing{own: text(m["Name"]), id: text(m["Id"]), arn: text(m["Arn"]), members: take(m, "Type", "Description")}
		out, err := s.call(ctx, organizations, "DescribePolicy", map[string]any{"PolicyId": t.id})
		if err != nil {
			return nil, err
		}
		t.members["Content"] = text(structure(out["Policy"])["Content"])
		targets, err := s.items(ctx, organizations, "ListTargetsForPolicy", map[string]any{"PolicyId": t.id}, "Targets")
		if err != nil {
			return nil, err
		}
		var ids []any
		for _, target := range targets {
			ids = append(ids, target["TargetId"])
		}
		if ids != nil {
			t.members["TargetIds"] = ids
		}
		return t, nil
	})
}

// makeOrganization creates the organization.
func makeOrganization(ctx context.Context, s *session, t *thing, in map[string]any) error {
	out, err := s.call(ctx, organizations, "CreateOrganization", in)
	if err != nil {
		return err
	}
	t.arn = text(structure(out["Organization"])["Arn"])
	t.id, err = rootID(ctx, s)
	return err
}

// rootID asks for the id of the root.
func rootID(ctx context.Context, s *session) (string, error) {
	out, err := s.call(ctx, organizations, "ListRoots", nil)
	for _, r := range list(out["Roots"]) {
		return text(structure(r)["Id"]), nil
	}
	return "", err
}

// changeOrganization enables and disables types of policies and services' access.
func changeOrganization(ctx context.Context, s *session, t, old *thing, changed []string) error {
	for _, name := range changed {
		var have []any
		if old != nil {
			have = list(old.members[name])
		}
		operation, member, more := "PolicyType", "PolicyType", map[string]any{"RootId": t.id}
		if name == "ServicePrincipals" {
			operation, member, more = "AWSServiceAccess", "ServicePrincipal", map[string]any{}
		}
		want := list(t.members[name])
		for i, all := range [][]any{lacking(want, have), lacking(have, want)} {
			verb := []string{"Enable", "Disable"}[i]
			for _, v := range all {
				in := maps.Clone(more)
				in[member] = v
				if err := s.do(ctx, organizations, verb+operation, in); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// makeUnit creates an organizational unit, below the root unless something else is said.
func makeUnit(ctx context.Context, s *session, t *thing, in map[string]any) error {
	if in["ParentId"] == nil {
		root, err := rootID(ctx, s)
		if err != nil {
			return err
		}
		in["ParentId"] = root
	}
	out, err := s.call(ctx, organizations, "CreateOrganizationalUnit", in)
	t.id, t.arn = text(structure(out["OrganizationalUnit"])["Id"]), text(structure(out["OrganizationalUnit"])["Arn"])
	return err
}

// makeAccount creates an account with the id that the document says, and the organization when there is none.
func makeAccount(ctx context.Context, s *session, t *thing, in map[string]any) error {
	if id := text(in["Id"]); id != "" {
		in["Tags"] = append(list(in["Tags"]), map[string]any{"Key": accountTag, "Value": id})
	}
	delete(in, "Id")
	if in["Email"] == nil {
		in["Email"] = t.own + "@example.com"
	}
	out, err := s.call(ctx, organizations, "CreateAccount", in)
	if refused(err, "AWSOrganizationsNotInUseException") {
		if err := s.do(ctx, organizations, "CreateOrganization", map[string]any{"FeatureSet": "ALL"}); err != nil {
			return err
		}
		out, err = s.call(ctx, organizations, "CreateAccount", in)
	}
	if err != nil {
		return err
	}
	status := structure(out["CreateAccountStatus"])
	return await(ctx, func() (bool, error) {
		out, err := s.call(ctx, organizations, "DescribeCreateAccountStatus", map[string]any{"CreateAccountRequestId": status["Id"]})
		if err != nil {
			return false, err
		}
		now := structure(out["CreateAccountStatus"])
		if now["State"] == "FAILED" {
			return false, failedError{"FAILED", text(now["FailureReason"])}
		}
		if t.id = text(now["AccountId"]); now["State"] != "SUCCEEDED" {
			return false, nil
		}
		out, err = s.call(ctx, organizations, "DescribeAccount", map[string]any{"AccountId": t.id})
		t.arn = text(structure(out["Account"])["Arn"])
		return true, err
	})
}

// moveAccount moves an account to another parent.
func moveAccount(ctx context.Context, s *session, t, _ *thing, changed []string) error {
	if !slices.Contains(changed, "ParentId") {
		return nil
	}
	to := text(s.sent(t, t.members["ParentId"], "ParentId"))
	if to == "" {
		root, err := rootID(ctx, s)
		if err != nil {
			return err
		}
		to = root
	}
	out, err := s.call(ctx, organizations, "ListParents", map[string]any{"ChildId": t.id})
	if err != nil {
		return err
	}
	for _, p := range list(out["Parents"]) {
		if from := structure(p)["Id"]; from != to {
			return s.do(ctx, organizations, "MoveAccount", map[string]any{"AccountId": t.id, "SourceParentId": from, "DestinationParentId": to})
		}
	}
	return nil
}

// makeOrganizationsPolicy creates a policy.
func makeOrganizationsPolicy(ctx context.Context, s *session, t *thing, in map[string]any) error {
	if in["Description"] == nil {
		in["Description"] = "" // required, and may be empty
	}
	out, err := s.call(ctx, organizations, "CreatePolicy", in)
	summary := structure(structure(out["Policy"])["PolicySummary"])
	t.id, t.arn = text(summary["Id"]), text(summary["Arn"])
	return err
}

// changeOrganizationsPolicy sets content and description, and attaches and detaches.
func changeOrganizationsPolicy(ctx context.Context, s *session, t, old *thing, changed []string) error {
	in := map[string]any{"PolicyId": t.id}
	for _, name := range changed {
		if name != "TargetIds" {
			in[name] = text(s.sent(t, t.members[name], name))
			continue
		}
		var have []any
		if old != nil {
			have = list(s.sent(t, old.members[name], name))
		}
		want := list(s.sent(t, t.members[name], name))
		for i, targets := range [][]any{lacking(want, have), lacking(have, want)} {
			operation := []string{"AttachPolicy", "DetachPolicy"}[i]
			for _, target := range targets {
				if err := s.do(ctx, organizations, operation, map[string]any{"PolicyId": t.id, "TargetId": target}); err != nil {
					return err
				}
			}
		}
	}
	if len(in) == 1 {
		return nil
	}
	return s.do(ctx, organizations, "UpdatePolicy", in)
}

// changeNothing is for kinds of which nothing but tags can be changed.
func changeNothing(context.Context, *session, *thing, *thing, []string) error { return nil }

// unmakeOrganizations returns what deletes a unit or policy, after it was detached.
func unmakeOrganizations(operation, member string) func(context.Context, *session, *thing) error {
	return func(ctx context.Context, s *session, t *thing) error {
		if t.members["TargetIds"] != nil {
			empty := *t
			empty.members = map[string]any{}
			if err := changeOrganizationsPolicy(ctx, s, &empty, t, []string{"TargetIds"}); err != nil {
				return unlessGone(err)
			}
		}
		return unlessGone(s.do(ctx, organizations, operation, map[string]any{member: t.id}))
	}
}
