package estate

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Members of all that has policies.
var (
	pathMember     = member{name: "Path", fixed: true, def: "/"}
	inlineMember   = member{name: "Policies", later: true, form: policyTexts, def: nothing}
	attachedMember = member{name: "AttachedPolicies", later: true, set: true, def: nothing}
	boundaryMember = member{name: "PermissionsBoundary", later: true, def: nothing}
	toPolicy       = reference{kinds: []string{"Policy"}, arn: true}
)

// iamKinds are the kinds of IAM. Access keys and passwords are secrets and stand in no file.
func iamKinds() []*kind {
	bearers := map[string]reference{"AttachedPolicies": toPolicy, "PermissionsBoundary": toPolicy, "Groups": {kinds: []string{"Group"}}}
	all := []*kind{
		{name: "Policy", prefix: "", nameMember: "PolicyName", create: "CreatePolicy", remove: "DeletePolicy", id: "PolicyArn", make: makeIAM("Policy"),
			members: []member{pathMember, {name: "Description", fixed: true}, {name: "PolicyDocument", required: true, form: policyText}},
			read:    readPolicies, unmake: unmakePolicy},
		{name: "Role", nameMember: "RoleName", create: "CreateRole", remove: "DeleteRole", id: "RoleName", refs: bearers, make: makeIAM("Role"),
			members: []member{pathMember, {name: "AssumeRolePolicyDocument", required: true, form: policyText}, {name: "Description", def: nothing},
				{name: "MaxSessionDuration", def: 3600}, boundaryMember, inlineMember, attachedMember},
			read: readBearers("Role"), unmake: unmakeBearer},
		{name: "Group", nameMember: "GroupName", create: "CreateGroup", remove: "DeleteGroup", id: "GroupName", refs: bearers, make: makeIAM("Group"), tagless: true,
			members: []member{pathMember, inlineMember, attachedMember}, read: readBearers("Group"), unmake: unmakeBearer},
		{name: "User", nameMember: "UserName", create: "CreateUser", remove: "DeleteUser", id: "UserName", refs: bearers, make: makeIAM("User"),
			members: []member{pathMember, boundaryMember, inlineMember, attachedMember, {name: "Groups", later: true, set: true, def: nothing}},
			read:    readBearers("User"), unmake: unmakeBearer},
		{name: "InstanceProfile", nameMember: "InstanceProfileName", create: "CreateInstanceProfile", remove: "DeleteInstanceProfile", id: "InstanceProfileName",
			members: []member{pathMember, {name: "Roles", later: true, set: true, def: nothing}}, refs: map[string]reference{"Roles": {kinds: []string{"Role"}}},
			make: makeIAM("InstanceProfile"), read: readProfiles, unmake: unmakeBearer},
		{name: "OpenIDConnectProvider", create: "CreateOpenIDConnectProvider", remove: "DeleteOpenIDConnectProvider", id: "OpenIDConnectProviderArn",
			members: []member{{name: "ClientIDList", set: true, def: nothing}, {name: "ThumbprintList", set: true}},
			make:    makeProvider, read: readProviders, unmake: unmakeIAM},
	}
	for _, k := range all {
		k.service, k.change = "iam", changeIAM
	}
	return all
}

// decoded is a policy as IAM answers it: percent-encoded on AWS.
func decoded(v any) string {
	s := text(v)
	if strings.HasPrefix(s, "%7B") {
		if plain, err := url.QueryUnescape(s); err == nil {
			return plain
		}
	}
	return s
}

// details lists one part of what IAM knows of an account.
func details(ctx context.Context, s *session, filter, member string) ([]map[string]any, error) {
	return s.items(ctx, "iam", "GetAccountAuthorizationDetails", map[string]any{"Filter": []any{filter}}, member)
}

// readBearers returns a reader of users, groups or roles.
func readBearers(sort string) func(context.Context, *session) ([]*thing, error) {
	return func(ctx context.Context, s *session) ([]*thing, error) {
		found, err := details(ctx, s, sort, sort+"DetailList")
		if err != nil {
			return nil, err
		}
		return each(ctx, found, func(ctx context.Context, m map[string]any) (*thing, error) {
			t := &thing{own: text(m[sort+"Name"]), arn: text(m["Arn"]), tags: tagsOf(m["Tags"]), members: take(m, "Path")}
			t.aliases = []string{s.account + " " + sort + " " + t.own}
			if strings.HasPrefix(text(m["Path"]), "/aws-service-role/") {
				return nil, nil
			}
			if sort == "Role" {
				t.builtin = t.own == "OrganizationAccountAccessRole"
				out, err := s.call(ctx, "iam", "GetRole", map[string]any{"RoleName": t.own})
				if err != nil {
					return nil, err
				}
				role := structure(out["Role"])
				maps.Copy(t.members, take(role, "Description", "MaxSessionDuration"))
				t.members["AssumeRolePolicyDocument"] = decoded(role["AssumeRolePolicyDocument"])
				t.aliases = append(t.aliases, "arn:aws:iam::"+s.account+":instance-profile/"+t.own) // one without a profile of its own
			}
			if b := text(structure(m["PermissionsBoundary"])["PermissionsBoundaryArn"]); b != "" {
				t.members["PermissionsBoundary"] = b
			}
			inline, attached := map[string]any{}, []any{}
			for _, p := range list(m[sort+"PolicyList"]) {
				inline[text(structure(p)["PolicyName"])] = decoded(structure(p)["PolicyDocument"])
			}
			for _, p := range list(m["AttachedManagedPolicies"]) {
				attached = append(attached, structure(p)["PolicyArn"])
			}
			if len(inline) > 0 {
				t.members["Policies"] = inline
			}
			if len(attached) > 0 {
				t.members["AttachedPolicies"] = attached
			}
			if groups := list(m["GroupList"]); len(groups) > 0 {
				t.members["Groups"] = groups
			}
			return t, nil
		})
	}
}

// readPolicies reads the managed policies of an account.
func readPolicies(ctx context.Context, s *session) ([]*thing, error) {
	found, err := details(ctx, s, "LocalManagedPolicy", "Policies")
	if err != nil {
		return nil, err
	}
	return each(ctx, found, func(ctx context.Context, m map[string]any) (*thing, error) {
		arn := text(m["Arn"])
		out, err := s.call(ctx, "iam", "GetPolicy", map[string]any{"PolicyArn": arn})
		if err != nil {
			return nil, err
		}
		policy := structure(out["Policy"])
		t := &thing{own: text(m["PolicyName"]), arn: arn, id: arn, members: take(policy, "Path", "Description"), tags: tagsOf(policy["Tags"])}
		t.aliases = []string{s.account + " Policy " + t.own}
		version, err := s.call(ctx, "iam", "GetPolicyVersion", map[string]any{"PolicyArn": arn, "VersionId": policy["DefaultVersionId"]})
		if err != nil {
			return nil, err
		}
		t.members["PolicyDocument"] = decoded(structure(version["PolicyVersion"])["Document"])
		return t, nil
	})
}

// readProfiles reads instance profiles.
func readProfiles(ctx context.Context, s *session) ([]*thing, error) {
	found, err := s.items(ctx, "iam", "ListInstanceProfiles", nil, "InstanceProfiles")
	if err != nil {
		return nil, err
	}
	return each(ctx, found, func(ctx context.Context, m map[string]any) (*thing, error) {
		t := &thing{own: text(m["InstanceProfileName"]), arn: text(m["Arn"]), members: take(m, "Path")}
		t.aliases = []string{s.account + " InstanceProfile " + t.own}
		var roles []any
		for _, r := range list(m["Roles"]) {
			roles = append(roles, structure(r)["RoleName"])
		}
		if roles != nil {
			t.members["Roles"] = roles
		}
		return t, nil
	})
}

// readProviders reads OIDC providers, whose names are their URLs without the scheme.
func readProviders(ctx context.Context, s *session) ([]*thing, error) {
	found, err := s.items(ctx, "iam", "ListOpenIDConnectProviders", nil, "OpenIDConnectProviderList")
	if err != nil {
		return nil, err
	}
	return each(ctx, found, func(ctx context.Context, m map[string]any) (*thing, error) {
		arn := text(m["Arn"])
		out, err := s.call(ctx, "iam", "GetOpenIDConnectProvider", map[string]any{"OpenIDConnectProviderArn": arn})
		return &thing{own: strings.TrimPrefix(text(out["Url"]), "https://"), arn: arn, id: arn, members: take(out, "ClientIDList", "ThumbprintList"), tags: tagsOf(out["Tags"])}, err
	})
}

// makeIAM returns what creates one of IAM's things.
func makeIAM(sort string) func(context.Context, *session, *thing, map[string]any) error {
	return func(ctx context.Context, s *session, t *thing, in map[string]any) error {
		out, err := s.call(ctx, "iam", "Create"+sort, in)
		if err != nil {
			return err
		}
		t.arn = text(structure(out[sort])["Arn"])
		if sort == "Policy" {
			t.id = t.arn
		}
		return nil
	}
}

// makeProvider creates an OIDC provider.
func makeProvider(ctx context.Context, s *session, t *thing, in map[string]any) error {
	in["Url"] = "https://" + t.own
	out, err := s.call(ctx, "iam", "CreateOpenIDConnectProvider", in)
	t.arn = text(out["OpenIDConnectProviderArn"])
	t.id = t.arn
	return err
}

// changeIAM sets the members that differ.
func changeIAM(ctx context.Context, s *session, t, old *thing, changed []string) error {
	sort := t.kind.name
	for _, name := range changed {
		want := s.sent(t, t.members[name], name)
		var have any
		if old != nil {
			have = s.sent(t, old.members[name], name)
		}
		in := map[string]any{t.kind.id: t.own}
		if t.id != "" {
			in[t.kind.id] = t.id
		}
		// one makes a call with one more member
		one := func(operation, member string, v any) error {
			in := maps.Clone(in)
			in[member] = v
			return s.do(ctx, "iam", operation, in)
		}
		// both makes calls for what is to be added and dropped
		both := func(member, add, drop string) error {
			for _, v := range lacking(list(want), list(have)) {
				if err := one(add, member, v); err != nil {
					return err
				}
			}
			for _, v := range lacking(list(have), list(want)) {
				if err := one(drop, member, v); err != nil {
					return err
				}
			}
			return nil
		}
		var err error
		switch name {
		case "Policies":
			for p, document := range structure(want) {
				if old == nil || key(structure(have)[p]) != key(document) {
					in["PolicyName"] = p
					if err := one("Put"+sort+"Policy", "PolicyDocument", document); err != nil {
						return err
					}
				}
			}
			for p := range structure(have) {
				if _, ok := structure(want)[p]; !ok {
					delete(in, "PolicyName")
					if err := one("Delete"+sort+"Policy", "PolicyName", p); err != nil {
						return err
					}
				}
			}
		case "AttachedPolicies":
			err = both("PolicyArn", "Attach"+sort+"Policy", "Detach"+sort+"Policy")
		case "Groups":
			err = both("GroupName", "AddUserToGroup", "RemoveUserFromGroup")
		case "Roles":
			drop := lacking(list(have), list(want)) // a profile has one role: the old one goes first
			for _, r := range drop {
				if err := one("RemoveRoleFromInstanceProfile", "RoleName", r); err != nil {
					return err
				}
			}
			for _, r := range lacking(list(want), list(have)) {
				if err := one("AddRoleToInstanceProfile", "RoleName", r); err != nil {
					return err
				}
			}
		case "PermissionsBoundary":
			if want == nil {
				err = s.do(ctx, "iam", "Delete"+sort+"PermissionsBoundary", in)
			} else {
				err = one("Put"+sort+"PermissionsBoundary", name, want)
			}
		case "AssumeRolePolicyDocument":
			err = one("UpdateAssumeRolePolicy", "PolicyDocument", want)
		case "Description", "MaxSessionDuration":
			in["Description"] = text(t.members["Description"])
			if d := t.members["MaxSessionDuration"]; d != nil {
				in["MaxSessionDuration"] = d
			}
			err = s.do(ctx, "iam", "UpdateRole", in)
		case "PolicyDocument":
			if err = dropOldVersion(ctx, s, t); err == nil {
				in["SetAsDefault"] = true
				err = one("CreatePolicyVersion", name, want)
			}
		case "ClientIDList":
			err = both("ClientID", "AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider")
		case "ThumbprintList":
			err = one("UpdateOpenIDConnectProviderThumbprint", name, want)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropOldVersion makes room for another version of a policy, of which IAM keeps five.
func dropOldVersion(ctx context.Context, s *session, t *thing) error {
	versions, err := s.items(ctx, "iam", "ListPolicyVersions", map[string]any{"PolicyArn": t.arn}, "Versions")
	if err != nil || len(versions) < 5 {
		return err
	}
	versions = slices.DeleteFunc(slices.Clone(versions), func(v map[string]any) bool { return v["IsDefaultVersion"] == true })
	oldest := slices.MinFunc(versions, func(a, b map[string]any) int { return strings.Compare(text(a["CreateDate"]), text(b["CreateDate"])) })
	return s.do(ctx, "iam", "DeletePolicyVersion", map[string]any{"PolicyArn": t.arn, "VersionId": oldest["VersionId"]})
}

// unmakeIAM deletes a thing that is named by its ARN.
func unmakeIAM(ctx context.Context, s *session, t *thing) error {
	return unlessGone(s.do(ctx, "iam", t.kind.remove, map[string]any{t.kind.id: t.arn}))
}

// unmakePolicy deletes a policy after its versions but the default one.
func unmakePolicy(ctx context.Context, s *session, t *thing) error {
	versions, err := s.items(ctx, "iam", "ListPolicyVersions", map[string]any{"PolicyArn": t.arn}, "Versions")
	if err != nil {
		return unlessGone(err)
	}
	for _, v := range versions {
		if v["IsDefaultVersion"] != true {
			if err := s.do(ctx, "iam", "DeletePolicyVersion", map[string]any{"PolicyArn": t.arn, "VersionId": v["VersionId"]}); err != nil {
				return err
			}
		}
	}
	return unmakeIAM(ctx, s, t)
}

// unmakeBearer deletes a user, group, role or instance profile after what it has. Access keys are not deleted: who
// made them must.
func unmakeBearer(ctx context.Context, s *session, t *thing) error {
	empty := *t
	empty.members = map[string]any{}
	var have []string
	for _, name := range []string{"PermissionsBoundary", "Policies", "AttachedPolicies", "Groups", "Roles"} {
		if t.members[name] != nil {
			have = append(have, name)
		}
	}
	if err := changeIAM(ctx, s, &empty, t, have); err != nil {
		return unlessGone(err)
	}
	return unlessGone(s.do(ctx, "iam", t.kind.remove, map[string]any{t.kind.id: t.own}))
}
