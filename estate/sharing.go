package estate

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// sharingKinds are certificates and log groups, which VPC Lattice's kinds refer to.
func sharingKinds() []*kind {
	return []*kind{
		{name: "Certificate", service: "acm", prefix: "certificate", nameMember: "DomainName", create: "RequestCertificate",
			members: []member{{name: "SubjectAlternativeNames", fixed: true, set: true, def: nothing}, {name: "ValidationMethod", fixed: true, def: "DNS"}, {name: "KeyAlgorithm", fixed: true, def: "RSA_2048"}},
			read:    readCertificates, make: makeCertificate, change: changeNothing, unmake: unmakeCertificate},
		{name: "LogGroup", service: "logs", nameMember: "logGroupName", create: "CreateLogGroup",
			members: []member{{name: "retentionInDays", later: true, def: nothing}}, read: readLogGroups, make: makeLogGroup, change: changeLogGroup, unmake: unmakeLogGroup},
	}
}

// shareKinds are permissions and resource shares of RAM, which may have all kinds of things.
func shareKinds() []*kind {
	return []*kind{plain{list: "ListPermissions", with: map[string]any{"permissionType": "CUSTOMER_MANAGED"}, items: "permissions", own: "name", id: "arn", arn: "arn", made: "permission",
		get: "GetPermission", got: "permission", renamed: []string{"policyTemplate=permission"},
		sets: map[string]setter{"policyTemplate": newPermissionVersion}}.of(
		&kind{name: "SharePermission", service: "ram", nameMember: "name", id: "permissionArn", create: "CreatePermission", remove: "DeletePermission",
			members: []member{{name: "resourceType", required: true, fixed: true}, {name: "policyTemplate", required: true, form: policyText}}}),
		shareKind()}
}

// newPermissionVersion gives a permission another text, which its shares have from then on. It makes room for it: RAM keeps five.
func newPermissionVersion(ctx context.Context, s *session, t *thing, want, _ any) error {
	found, err := s.items(ctx, "ram", "ListPermissionVersions", map[string]any{"permissionArn": t.arn}, "permissions")
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(slices.Clone(found), func(v map[string]any) bool { return v["defaultVersion"] == true || text(v["status"]) == "DELETED" })
	if len(found) >= 4 {
		if err := followPermission(ctx, s, t); err != nil { // what a share has can't be deleted
			return err
		}
		oldest := slices.MinFunc(found, func(a, b map[string]any) int {
			return len(text(a["version"]))*1000 - len(text(b["version"]))*1000 + strings.Compare(text(a["version"]), text(b["version"]))
		})
		version, err := strconv.Atoi(text(oldest["version"]))
		if err != nil {
			return fmt.Errorf("version %v of %s is no number", oldest["version"], t.arn)
		}
		if err := s.do(ctx, "ram", "DeletePermissionVersion", map[string]any{"permissionArn": t.arn, "permissionVersion": version}); err != nil {
			return err
		}
	}
	if err := s.do(ctx, "ram", "CreatePermissionVersion", map[string]any{"permissionArn": t.arn, "policyTemplate": want}); err != nil {
		return err
	}
	return followPermission(ctx, s, t)
}

// followPermission gives all shares that have a permission its newest text.
func followPermission(ctx context.Context, s *session, t *thing) error {
	out, err := s.call(ctx, "ram", "ReplacePermissionAssociations", map[string]any{"fromPermissionArn": t.arn, "toPermissionArn": t.arn})
	if err != nil {
		return err
	}
	return await(ctx, func() (bool, error) {
		out, err := s.call(ctx, "ram", "ListReplacePermissionAssociationsWork", map[string]any{"workIds": []any{at(out, "replacePermissionAssociationsWork.id")}})
		status := text(at(out, "replacePermissionAssociationsWorks.status"))
		if status == "FAILED" {
			return false, failedError{status, text(at(out, "replacePermissionAssociationsWorks.statusMessage"))}
		}
		return status != "IN_PROGRESS", err
	})
}

// shareKind is a resource share.
func shareKind() *kind {
	return &kind{name: "ResourceShare", service: "ram", prefix: "resource-share", nameMember: "name", create: "CreateResourceShare",
		members: []member{{name: "resourceArns", set: true, def: nothing}, {name: "principals", set: true, def: nothing}, {name: "permissionArns", set: true, fixed: true},
			{name: "allowExternalPrincipals", def: true}},
		refs: map[string]reference{"resourceArns": {kinds: []string{"ServiceNetwork", "Service", "ResourceConfiguration", "Subnet", "PrefixList", "SecurityGroup"}, arn: true},
			"principals": {kinds: []string{"Account", "OrganizationalUnit", "Organization", "Role", "User"}, arn: true}, "permissionArns": {kinds: []string{"SharePermission"}, arn: true}},
		read: readShares, make: makeShare, change: changeShare, unmake: unmakeShare}
}

// readCertificates reads the certificates that were requested. Imported ones have private keys, which no API gives.
func readCertificates(ctx context.Context, s *session) ([]*thing, error) {
	found, err := s.items(ctx, "acm", "ListCertificates", map[string]any{"Includes": map[string]any{"keyTypes": []any{"RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096",
		"EC_prime256v1", "EC_secp384r1", "EC_secp521r1"}}}, "CertificateSummaryList")
	if err != nil {
		return nil, err
	}
	return each(ctx, found, func(ctx context.Context, m map[string]any) (*thing, error) {
		arn := text(m["CertificateArn"])
		out, err := s.call(ctx, "acm", "DescribeCertificate", map[string]any{"CertificateArn": arn})
		if err != nil {
			return nil, err
		}
		c := structure(out["Certificate"])
		if c["Type"] == "IMPORTED" {
			return nil, nil
		}
		t := &thing{own: text(c["DomainName"]), id: arn, arn: arn, members: map[string]any{}}
		names := slices.DeleteFunc(slices.Clone(list(c["SubjectAlternativeNames"])), func(n any) bool { return n == c["DomainName"] })
		if len(names) > 0 {
			t.members["SubjectAlternativeNames"] = names
		}
		if k := strings.ReplaceAll(text(c["KeyAlgorithm"]), "-", "_"); k != "" { // RSA-2048 in answers, RSA_2048 in requests
			t.members["KeyAlgorithm"] = k
		}
		for _, v := range list(c["DomainValidationOptions"]) {
			if method := text(structure(v)["ValidationMethod"]); method != "" {
				t.members["ValidationMethod"] = method
			}
		}
		return t, nil
	})
}

// makeCertificate requests a certificate and waits until it is issued.
func makeCertificate(ctx context.Context, s *session, t *thing, in map[string]any) error {
	if in["ValidationMethod"] == nil {
		in["ValidationMethod"] = "DNS"
	}
	out, err := s.call(ctx, "acm", "RequestCertificate", in)
	if err != nil {
		return err
	}
	t.arn = text(out["CertificateArn"])
	t.id = t.arn
	return await(ctx, func() (bool, error) {
		out, err := s.call(ctx, "acm", "DescribeCertificate", map[string]any{"CertificateArn": t.arn})
		status := text(structure(out["Certificate"])["Status"])
		if status == "FAILED" || status == "VALIDATION_TIMED_OUT" {
			return false, failedError{status, text(structure(out["Certificate"])["FailureReason"])}
		}
		return status == "ISSUED", err
	})
}

// unmakeCertificate deletes a certificate.
func unmakeCertificate(ctx context.Context, s *session, t *thing) error {
	return unlessGone(s.do(ctx, "acm", "DeleteCertificate", map[string]any{"CertificateArn": t.arn}))
}

// readLogGroups reads log groups.
func readLogGroups(ctx context.Context, s *session) ([]*thing, error) {
	found, err := s.items(ctx, "logs", "DescribeLogGroups", nil, "logGroups")
	if err != nil {
		return nil, err
	}
	return each(ctx, found, func(ctx context.Context, m map[string]any) (*thing, error) {
		arn := strings.TrimSuffix(text(m["arn"]), ":*")
		return &thing{own: text(m["logGroupName"]), arn: arn, aliases: []string{arn + ":*", s.account + " LogGroup " + text(m["logGroupName"])}, members: take(m, "retentionInDays")}, nil
	})
}

// makeLogGroup creates a log group.
func makeLogGroup(ctx context.Context, s *session, t *thing, in map[string]any) error {
	t.arn = "arn:aws:logs:" + s.region + ":" + s.account + ":log-group:" + t.own
	return s.do(ctx, "logs", "CreateLogGroup", in)
}

// changeLogGroup sets how long events are kept.
func changeLogGroup(ctx context.Context, s *session, t, _ *thing, changed []string) error {
	if !slices.Contains(changed, "retentionInDays") {
		return nil
	}
	if days := t.members["retentionInDays"]; days != nil {
		return s.do(ctx, "logs", "PutRetentionPolicy", map[string]any{"logGroupName": t.own, "retentionInDays": days})
	}
	return s.do(ctx, "logs", "DeleteRetentionPolicy", map[string]any{"logGroupName": t.own})
}

// unmakeLogGroup deletes a log group with its events.
func unmakeLogGroup(ctx context.Context, s *session, t *thing) error {
	return unlessGone(s.do(ctx, "logs", "DeleteLogGroup", map[string]any{"logGroupName": t.own}))
}

// readShares reads the account's own shares.
func readShares(ctx context.Context, s *session) ([]*thing, error) {
	found, err := s.items(ctx, "ram", "GetResourceShares", map[string]any{"resourceOwner": "SELF"}, "resourceShares")
	if err != nil {
		return nil, err
	}
	return each(ctx, found, func(ctx context.Context, m map[string]any) (*thing, error) {
		if m["status"] != "ACTIVE" {
			return nil, nil
		}
		arn := text(m["resourceShareArn"])
		t := &thing{own: text(m["name"]), id: arn, arn: arn, members: take(m, "allowExternalPrincipals"), tags: tagsOf(m["tags"])}
		for sort, member := range map[string]string{"RESOURCE": "resourceArns", "PRINCIPAL": "principals"} {
			found, err := s.items(ctx, "ram", "GetResourceShareAssociations", map[string]any{"associationType": sort, "resourceShareArns": []any{arn}}, "resourceShareAssociations")
			if err != nil {
				return nil, err
			}
			var all []any
			for _, a := range found {
				if status := text(a["status"]); status == "ASSOCIATED" || status == "ASSOCIATING" {
					all = append(all, a["associatedEntity"])
				}
			}
			if all != nil {
				t.members[member] = all
			}
		}
		found, err := s.items(ctx, "ram", "ListResourceSharePermissions", map[string]any{"resourceShareArn": arn}, "permissions")
		var permissions []any
		for _, p := range found {
			permissions = append(permissions, p["arn"])
		}
		if permissions != nil {
			t.members["permissionArns"] = permissions
		}
		return t, err
	})
}

// accountsInShare gives accounts as RAM wants them: their ids, where other principals are ARNs.
func accountsInShare(in map[string]any) {
	for i, p := range list(in["principals"]) {
		if s := text(p); strings.HasPrefix(s, "arn:aws:organizations:") && strings.Contains(s, ":account/") {
			list(in["principals"])[i] = s[strings.LastIndexByte(s, '/')+1:]
		}
	}
}

// makeShare creates a share.
func makeShare(ctx context.Context, s *session, t *thing, in map[string]any) error {
	accountsInShare(in)
	out, err := s.call(ctx, "ram", "CreateResourceShare", in)
	t.arn = text(structure(out["resourceShare"])["resourceShareArn"])
	t.id = t.arn
	return err
}

// changeShare adds and takes away resources and principals.
func changeShare(ctx context.Context, s *session, t, old *thing, changed []string) error {
	add, drop := map[string]any{}, map[string]any{}
	for _, name := range changed {
		if name == "allowExternalPrincipals" {
			allow := t.members[name]
			if err := s.do(ctx, "ram", "UpdateResourceShare", map[string]any{"resourceShareArn": t.arn, name: allow == nil || allow == true}); err != nil {
				return err
			}
			continue
		}
		want, have := list(s.sent(t, t.members[name], name)), list(s.sent(t, old.members[name], name))
		if l := lacking(want, have); l != nil {
			add[name] = l
		}
		if l := lacking(have, want); l != nil {
			drop[name] = l
		}
	}
	for i, in := range []map[string]any{add, drop} {
		operation := []string{"AssociateResourceShare", "DisassociateResourceShare"}[i]
		if len(in) == 0 {
			continue
		}
		accountsInShare(in)
		in["resourceShareArn"] = t.arn
		if err := s.do(ctx, "ram", operation, in); err != nil {
			return err
		}
	}
	return nil
}

// unmakeShare deletes a share.
func unmakeShare(ctx context.Context, s *session, t *thing) error {
	return unlessGone(s.do(ctx, "ram", "DeleteResourceShare", map[string]any{"resourceShareArn": t.arn}))
}
