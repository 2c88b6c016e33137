package estate

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// keyKinds are keys of KMS, with their aliases. What they are made of stands in no file: what one has encrypted, none that is made
// in its place can open.
func keyKinds() []*kind {
	return []*kind{plain{list: "ListKeys", items: "Keys", id: "KeyId", arn: "KeyArn", get: "DescribeKey", got: "KeyMetadata", made: "KeyMetadata",
		renamed: []string{"Policy=", "Aliases=", "EnableKeyRotation="}, more: withKey,
		sets: map[string]setter{"Description": one("UpdateKeyDescription", "Description"), "Policy": one("PutKeyPolicy", "Policy"), "Enabled": enableKey,
			"EnableKeyRotation": rotateKey, "RotationPeriodInDays": rotateKey, "Aliases": changeAliases}}.of(
		&kind{name: "Key", service: "kms", prefix: "key", nameTag: true, id: "KeyId", create: "CreateKey", make: makeKey, unmake: unmakeKey,
			ids: regexp.MustCompile(`^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}|alias/.+)$`),
			members: []member{{name: "KeySpec", fixed: true, def: "SYMMETRIC_DEFAULT"}, {name: "KeyUsage", fixed: true, def: "ENCRYPT_DECRYPT"}, {name: "MultiRegion", fixed: true, def: false},
				{name: "Description", def: nothing}, {name: "Policy", form: policyText}, {name: "Enabled", later: true, def: true}, {name: "EnableKeyRotation", later: true, def: false},
				{name: "RotationPeriodInDays", later: true, def: 365}, {name: "Aliases", later: true, set: true, def: nothing}}})}
}

// withKey reads what KMS says of a key by operations of its own. AWS's keys, and those that wait for their end, are nobody's to change.
func withKey(ctx context.Context, s *session, answer map[string]any, t *thing) error {
	m := structure(answer["KeyMetadata"])
	if m["KeyManager"] == "AWS" || strings.HasPrefix(text(m["KeyState"]), "Pending") || first(text(m["Origin"]), "AWS_KMS") != "AWS_KMS" {
		return errLeftOut
	}
	t.arn = text(m["Arn"])
	out, err := s.call(ctx, "kms", "GetKeyPolicy", map[string]any{"KeyId": t.id})
	if err != nil {
		return err
	}
	if policy := text(out["Policy"]); !firstPolicy(policy, s.account) {
		t.members["Policy"] = policy
	}
	if t.members["KeySpec"] == "SYMMETRIC_DEFAULT" {
		rotation, err := s.call(ctx, "kms", "GetKeyRotationStatus", map[string]any{"KeyId": t.id})
		if err != nil {
			return err
		}
		if rotation["KeyRotationEnabled"] == true {
			t.members["EnableKeyRotation"] = true
			if days := rotation["RotationPeriodInDays"]; days != nil {
				t.members["RotationPeriodInDays"] = days
			}
		}
	}
	aliases, err := s.items(ctx, "kms", "ListAliases", nil, "Aliases")
	var all []any
	for _, a := range aliases {
		if name := text(a["AliasName"]); a["TargetKeyId"] == t.id && !strings.HasPrefix(name, "alias/aws/") {
			all = append(all, name)
			t.aliases = append(t.aliases, s.account+" Key "+name, text(a["AliasArn"]))
		}
	}
	if all != nil {
		t.members["Aliases"] = all
	}
	return err
}

// firstPolicy tells whether a policy is the one that KMS gives a key that comes without: the account has it, and its policies say who else
// (KMS developer guide, default key policy).
func firstPolicy(policy, account string) bool {
	p, ok := parsed(policy)
	if !ok {
		return false
	}
	statements := list(structure(p)["Statement"])
	if len(statements) != 1 {
		return false
	}
	s := structure(statements[0])
	return s["Effect"] == "Allow" && s["Action"] == "kms:*" && s["Condition"] == nil && key(single(structure(s["Principal"])["AWS"])) == key("arn:aws:iam::"+account+":root")
}

// makeKey creates a key.
func makeKey(ctx context.Context, s *session, t *thing, in map[string]any) error {
	out, err := s.call(ctx, "kms", "CreateKey", in)
	t.id, t.arn = text(at(out, "KeyMetadata.KeyId")), text(at(out, "KeyMetadata.Arn"))
	return err
}

// enableKey lets a key be used, or no longer.
func enableKey(ctx context.Context, s *session, t *thing, want, _ any) error {
	operation := "EnableKey"
	if want == false {
		operation = "DisableKey"
	}
	return s.do(ctx, "kms", operation, map[string]any{"KeyId": t.id})
}

// rotateKey sets whether and how often a key gets new material.
func rotateKey(ctx context.Context, s *session, t *thing, _, _ any) error {
	in := map[string]any{"KeyId": t.id}
	if t.members["EnableKeyRotation"] != true {
		return s.do(ctx, "kms", "DisableKeyRotation", in)
	}
	if days := t.members["RotationPeriodInDays"]; days != nil {
		in["RotationPeriodInDays"] = days
	}
	return s.do(ctx, "kms", "EnableKeyRotation", in)
}

// changeAliases gives a key its aliases, whichever key they are of now, and takes others away.
func changeAliases(ctx context.Context, s *session, t *thing, want, have any) error {
	s.alone.Lock()
	defer s.alone.Unlock()
	found, err := s.items(ctx, "kms", "ListAliases", nil, "Aliases")
	if err != nil {
		return err
	}
	for _, name := range lacking(list(want), list(have)) {
		operation := "CreateAlias"
		if slices.ContainsFunc(found, func(a map[string]any) bool { return a["AliasName"] == name }) {
			operation = "UpdateAlias"
		}
		if err := s.do(ctx, "kms", operation, map[string]any{"AliasName": name, "TargetKeyId": t.id}); err != nil {
			return err
		}
	}
	for _, name := range lacking(list(have), list(want)) {
		if slices.ContainsFunc(found, func(a map[string]any) bool { return a["AliasName"] == name && a["TargetKeyId"] == t.id }) {
			if err := unlessGone(s.do(ctx, "kms", "DeleteAlias", map[string]any{"AliasName": name})); err != nil {
				return err
			}
		}
	}
	return nil
}

// unmakeKey takes the aliases of a key away and lets it wait for its end, for as long as KMS does unless it is told otherwise: 30
// days in which it can be had back.
func unmakeKey(ctx context.Context, s *session, t *thing) error {
	if err := changeAliases(ctx, s, t, nil, t.members["Aliases"]); err != nil {
		return err
	}
	return unlessGone(s.do(ctx, "kms", "ScheduleKeyDeletion", map[string]any{"KeyId": t.id}))
}
