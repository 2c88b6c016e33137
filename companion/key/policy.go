package key

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// PolicyName is the name of a key's one policy.
const PolicyName = "default"

// document is a policy as JSON, indented as KMS shows its own.
func document(id string, statements ...map[string]any) string {
	b, err := json.MarshalIndent(map[string]any{"Version": "2012-10-17", "Id": id, "Statement": statements}, "", "  ")
	if err != nil {
		panic("a policy of texts is no JSON: " + err.Error())
	}
	return string(b)
}

// defaultPolicy is the policy of a key that is made without one: the account's own policies decide (KMS developer guide,
// key-policy-default).
func defaultPolicy(account string) string {
	return document("key-default-1", map[string]any{"Sid": "Enable IAM User Permissions", "Effect": "Allow",
		"Principal": map[string]any{"AWS": trellis.IAMARN(account, "root")}, "Action": "kms:*", "Resource": "*"})
}

// managedPolicy is the policy of a key that AWS manages: it may be used through its service alone, and looked at.
func managedPolicy(region, account, service string) string {
	return document("auto-"+service+"-1",
		map[string]any{"Sid": "Allow access through " + service + " for all principals in the account", "Effect": "Allow", "Principal": map[string]any{"AWS": "*"},
			"Action": []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"}, "Resource": "*",
			"Condition": map[string]any{"StringEquals": map[string]any{"kms:CallerAccount": account, "kms:ViaService": service + "." + region + ".amazonaws.com"}}},
		map[string]any{"Sid": "Allow direct access to key metadata to the account", "Effect": "Allow", "Principal": map[string]any{"AWS": trellis.IAMARN(account, "root")},
			"Action": []string{"kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"}, "Resource": "*"})
}

// checkPolicy refuses a policy that does not parse, or that would keep the caller from changing it again, unless bypassed.
func (k *Keys) checkPolicy(c *authpolicy.Caller, key *trellis.Key, text string, bypass bool) error {
	if len(text) > maxPolicy {
		return fault("LimitExceededException", "A key policy has at most %d bytes.", maxPolicy)
	}
	policy, err := authpolicy.Parse(text, authpolicy.Key)
	if err != nil {
		return fault("MalformedPolicyDocumentException", "%s", strings.ToValidUTF8(err.Error(), "?"))
	}
	extra := kinds(key)
	extra["kms:calleraccount"] = []string{c.Principal.Account}
	r := k.request(c, "kms:PutKeyPolicy", key.ARN(k.Region), authpolicy.TagKeys(extra, nil, key.Tags))
	if !bypass && !authpolicy.Access(r, policy, key.Account).Allowed {
		return fault("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	return nil
}

// checkPolicyName refuses the name of a policy that keys do not have.
func checkPolicyName(name string) error {
	if name != "" && name != PolicyName {
		return fault("NotFoundException", "No such policy exists")
	}
	return nil
}

// PutPolicy gives a key another policy.
func (k *Keys) PutPolicy(ctx context.Context, c *authpolicy.Caller, id, name, text string, bypass bool) (trellis.Revision, error) {
	if err := checkPolicyName(name); err != nil {
		return 0, err
	}
	u := use{action: "kms:PutKeyPolicy", keys: map[string][]string{"kms:bypasspolicylockoutsafetycheck": {strconv.FormatBool(bypass)}}, alive: true}
	return k.change(ctx, c, id, u, func(_ *store.Tx, key *trellis.Key) error {
		key.Policy = text
		return k.checkPolicy(c, key, text, bypass)
	})
}

// Policy returns the policy of a key.
func (k *Keys) Policy(ctx context.Context, c *authpolicy.Caller, id, name string) (text string, err error) {
	if err := checkPolicyName(name); err != nil {
		return "", err
	}
	err = k.read(ctx, c, id, use{action: "kms:GetKeyPolicy", own: true}, func(_ *store.Tx, key *trellis.Key) error {
		text = key.Policy
		return nil
	})
	return text, err
}

// Policies returns the names of a key's policies: it has one.
func (k *Keys) Policies(ctx context.Context, c *authpolicy.Caller, id string) ([]string, error) {
	err := k.read(ctx, c, id, use{action: "kms:ListKeyPolicies", own: true}, func(*store.Tx, *trellis.Key) error { return nil })
	return []string{PolicyName}, err
}
