package identity

import (
	"context"
	"errors"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// changeAccount changes what the caller's account says of itself.
func (i *Identity) changeAccount(ctx context.Context, c *authpolicy.Caller, action string, change func(*store.Tx, *trellis.Account) error) (trellis.Revision, error) {
	return i.commit(ctx, c, action, "*", nil, func(tx *store.Tx) error {
		a, err := store.Get[*trellis.Account](tx, c.Principal.Account)
		if err != nil {
			return err
		}
		if err := change(tx, a); err != nil {
			return err
		}
		tx.Put(a)
		return nil
	})
}

// AccountSettings returns the caller's account for a reading action about its alias or password policy.
func (i *Identity) AccountSettings(ctx context.Context, c *authpolicy.Caller, action string) (a *trellis.Account, err error) {
	err = i.read(ctx, c, action, "*", func(tx *store.Tx) error {
		a, err = store.Get[*trellis.Account](tx, c.Principal.Account)
		return err
	})
	return a, err
}

// CreateAccountAlias gives the caller's account an alias in place of the one that it had.
func (i *Identity) CreateAccountAlias(ctx context.Context, c *authpolicy.Caller, alias string) (trellis.Revision, error) {
	if trellis.IsAccountID(alias) {
		return 0, invalidInput("An account alias must not look like the id of an account.")
	}
	return i.changeAccount(ctx, c, "iam:CreateAccountAlias", func(tx *store.Tx, a *trellis.Account) error {
		if err := claim(tx, "accountalias/"+alias, a.ID, "The account alias %s already exists.", alias); err != nil {
			return err
		}
		if a.Alias != "" && a.Alias != alias {
			tx.Release("accountalias/" + a.Alias)
		}
		a.Alias = alias
		return nil
	})
}

// DeleteAccountAlias takes the alias from the caller's account.
func (i *Identity) DeleteAccountAlias(ctx context.Context, c *authpolicy.Caller, alias string) (trellis.Revision, error) {
	return i.changeAccount(ctx, c, "iam:DeleteAccountAlias", func(tx *store.Tx, a *trellis.Account) error {
		if a.Alias == "" || a.Alias != alias {
			return noSuchEntity("The Account Alias %s cannot be found.", alias)
		}
		tx.Release("accountalias/" + alias)
		a.Alias = ""
		return nil
	})
}

// PutPasswordPolicy sets what the caller's account asks of passwords; nil ends that.
func (i *Identity) PutPasswordPolicy(ctx context.Context, c *authpolicy.Caller, p *trellis.PasswordPolicy) (trellis.Revision, error) {
	action := "iam:UpdateAccountPasswordPolicy"
	if p == nil {
		action = "iam:DeleteAccountPasswordPolicy"
	}
	return i.changeAccount(ctx, c, action, func(_ *store.Tx, a *trellis.Account) error {
		if p == nil && a.Passwords == nil {
			return NoPasswordPolicy(a.ID)
		}
		a.Passwords = p
		return nil
	})
}

// NoPasswordPolicy is for an account that asks nothing of passwords.
func NoPasswordPolicy(account string) error {
	return noSuchEntity("The Password Policy with domain name %s cannot be found.", account)
}

// Details are all users, groups, roles and managed policies of an account, with what joins them.
type Details struct {
	Users    []*trellis.User
	Groups   []*trellis.Group
	Roles    []*trellis.Role
	Profiles []Profile
	Policies []*PolicyUse // those of AWS among them when somebody of the account has them
}

// AccountDetails returns the details of the caller's account.
func (i *Identity) AccountDetails(ctx context.Context, c *authpolicy.Caller) (d *Details, err error) {
	err = i.read(ctx, c, "iam:GetAccountAuthorizationDetails", "*", func(tx *store.Tx) error {
		d, err = details(tx, c.Principal.Account)
		return err
	})
	return d, err
}

// details reads the details of an account.
func details(tx *store.Tx, account string) (*Details, error) {
	d := &Details{}
	var errs [5]error
	d.Users, errs[0] = store.List[*trellis.User](tx, account+"/")
	d.Groups, errs[1] = store.List[*trellis.Group](tx, account+"/")
	d.Roles, errs[2] = store.List[*trellis.Role](tx, account+"/")
	d.Profiles, errs[3] = profilesIn(tx, account)
	all, err := policiesOf(tx, account, true, true)
	errs[4] = err
	for _, p := range all {
		if p.Policy.Account == account || len(p.Uses)+len(p.Bounds) > 0 {
			d.Policies = append(d.Policies, p)
		}
	}
	return d, errors.Join(errs[:]...)
}

// summaryQuotas are the quotas that an account can raise, by their names in the summary.
var summaryQuotas = map[string]quota.ID{
	"UsersQuota": quota.Users, "GroupsQuota": quota.Groups, "RolesQuota": quota.Roles, "PoliciesQuota": quota.ManagedPolicies,
	"InstanceProfilesQuota": quota.InstanceProfiles, "AttachedPoliciesPerUserQuota": quota.PoliciesPerUser,
	"AttachedPoliciesPerGroupQuota": quota.PoliciesPerGroup, "AttachedPoliciesPerRoleQuota": quota.PoliciesPerRole,
}

// AccountSummary returns what an account has and may have, by the names of IAM's summary (IAM API reference,
// GetAccountSummary).
func (i *Identity) AccountSummary(ctx context.Context, c *authpolicy.Caller) (map[string]int, error) {
	account := c.Principal.Account
	m := map[string]int{
		"GroupsPerUserQuota": maxGroupsOfUser, "AccessKeysPerUserQuota": maxKeysOfUser, "VersionsPerPolicyQuota": maxVersions,
		"UserPolicySizeQuota": maxInlineOfUser, "GroupPolicySizeQuota": maxInlineOfGroup, "RolePolicySizeQuota": maxInlineOfRole,
		"PolicySizeQuota": maxManaged, "AssumeRolePolicySizeQuota": maxTrust,
		"ServerCertificates": 0, "SigningCertificatesPerUserQuota": 2, "MFADevices": 0, "MFADevicesInUse": 0, "AccountMFAEnabled": 0,
		"AccountAccessKeysPresent": 0, "AccountSigningCertificatesPresent": 0, "AccountPasswordPresent": 0,
	}
	err := i.read(ctx, c, "iam:GetAccountSummary", "*", func(tx *store.Tx) error {
		d, err := details(tx, account)
		if err != nil {
			return err
		}
		providers, err := store.List[*trellis.OIDCProvider](tx, account+"/")
		if err != nil {
			return err
		}
		m["Users"], m["Groups"], m["Roles"], m["InstanceProfiles"] = len(d.Users), len(d.Groups), len(d.Roles), len(d.Profiles)
		for name, id := range summaryQuotas {
			if m[name], err = i.limits().Of(tx, account, id); err != nil {
				return err
			}
		}
		m["Providers"], m["Policies"], m["PolicyVersionsInUse"] = len(providers), 0, 0
		for _, p := range d.Policies {
			if p.Policy.Account == account {
				m["Policies"]++
				m["PolicyVersionsInUse"] += len(PolicyVersions(p.Policy))
			}
		}
		return nil
	})
	return m, err
}

// PoliciesOf returns the texts of the policies that a user, group or role of the caller's account has, for an action of
// reading about it by its ARN. A user has those of its groups too.
func (i *Identity) PoliciesOf(ctx context.Context, c *authpolicy.Caller, action, arn string) (texts []string, err error) {
	a, err := trellis.ParseARN(arn)
	kind, _, _ := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "iam" || kind != "user" && kind != "group" && kind != "role" {
		return nil, invalidInput("Invalid Entity Arn: %s does not clearly define entity type and name.", arn)
	}
	if a.Account != c.Principal.Account {
		return nil, trellis.Denied("User: %s is not authorized to perform: %s on resource: %s", c.Principal.ARN, action, arn)
	}
	form := strings.TrimPrefix(action, "iam:")
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		texts = nil
		b, err := Bearer(kind).load(tx, c, form, trellis.LastPart(a.Resource), nil)
		if err != nil {
			return err
		}
		bearers := []*bearing{b}
		if u, ok := b.noun.(*trellis.User); ok {
			groups, err := groupsOf(tx, u)
			if err != nil {
				return err
			}
			for _, g := range groups {
				bearers = append(bearers, &bearing{inline: &g.Inline, attached: &g.Attached})
			}
		}
		for _, b := range bearers {
			for _, p := range *b.inline {
				texts = append(texts, p.Text)
			}
			for _, arn := range *b.attached {
				p, err := managedPolicy(tx, c.Principal.Account, arn, noPolicy(arn))
				if err != nil {
					return err
				}
				texts = append(texts, p.Text)
			}
		}
		return nil
	})
	return texts, err
}
