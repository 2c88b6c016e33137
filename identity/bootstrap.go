package identity

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// managedTexts are the policies of AWS that Trellis has from the first start, a file each.
//
//go:embed managed/*.json
var managedTexts embed.FS

// administratorAccess is the ARN of AWS's policy that allows everything.
var administratorAccess = trellis.IAMARN(awsAccount, "policy/AdministratorAccess")

// Bootstrap makes what must exist before anybody can call: AWS's managed policies, the management account,
// its administrator and, when the administrator has none, an access key. It may be called at every start.
// created says that the access key is new. When the administrator was given other keys, the first is
// returned; when the account's owner has deleted the user, it stays deleted and the key is empty.
func (i *Identity) Bootstrap(ctx context.Context) (key trellis.AccessKey, created bool, err error) {
	policies, err := awsPolicies()
	if err != nil {
		return key, false, err
	}
	_, err = i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		key, created = trellis.AccessKey{}, false
		if err := i.putAWSPolicies(tx, policies); err != nil {
			return err
		}
		first, err := i.managementAccount(tx)
		if err != nil {
			return err
		}
		if first {
			u := &trellis.User{Name: AdministratorName, Path: "/", Attached: []string{administratorAccess}}
			u.Account, u.ID, u.CreatedAt = ManagementAccount, newID("AIDA", 17), i.now()
			u.UpdatedAt = u.CreatedAt
			if err := userNaming.take(tx, &u.Meta, u.Name); err != nil {
				return err
			}
			tx.Mark(policyUse(administratorAccess), "user/"+u.Account+"/"+u.Name)
			tx.Put(u)
			k := &trellis.AccessKey{ID: newKeyID("AKIA", u.Account), Account: u.Account, UserName: u.Name, Secret: newSecret(), Status: KeyActive, CreatedAt: i.now()}
			tx.Mark(keysSet(u.Account, u.Name), k.ID)
			tx.Put(k)
			key, created = *k, true
			return nil
		}
		keys, err := keysOf(tx, ManagementAccount, AdministratorName)
		if err == nil && len(keys) > 0 {
			key = *keys[0]
		}
		return err
	})
	if err != nil {
		return trellis.AccessKey{}, false, fmt.Errorf("bootstrap: %w", err)
	}
	return key, created, nil
}

// managementAccount makes the management account when it does not exist; first says that it was made.
func (i *Identity) managementAccount(tx *store.Tx) (first bool, err error) {
	accounts, err := store.List[*trellis.Account](tx, ManagementAccount)
	if err != nil || len(accounts) > 0 {
		return false, err
	}
	a := &trellis.Account{ID: ManagementAccount, Name: "management", Email: "management@example.com", Status: AccountActive, CreatedAt: i.now()}
	tx.Put(a)
	return true, tx.Claim("accountemail/"+a.Email, a.ID)
}

// awsPolicies reads the embedded policies.
func awsPolicies() ([]*trellis.ManagedPolicy, error) {
	files, err := fs.Glob(managedTexts, "managed/*.json")
	if err != nil {
		return nil, fmt.Errorf("managed policies: %w", err)
	}
	policies := make([]*trellis.ManagedPolicy, 0, len(files))
	for _, f := range files {
		text, err := managedTexts.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("managed policies: %w", err)
		}
		p := &trellis.ManagedPolicy{Name: strings.TrimSuffix(path.Base(f), ".json"), Path: "/", Text: string(text), VersionID: "v1"}
		p.Account = awsAccount
		policies = append(policies, p)
	}
	return policies, nil
}

// putAWSPolicies makes AWS's policies, or brings their texts to those of this Trellis.
func (i *Identity) putAWSPolicies(tx *store.Tx, policies []*trellis.ManagedPolicy) error {
	have := map[string]*trellis.ManagedPolicy{}
	existing, err := store.List[*trellis.ManagedPolicy](tx, awsAccount+"/")
	if err != nil {
		return err
	}
	for _, p := range existing {
		have[p.Name] = p
	}
	for _, want := range policies {
		p := have[want.Name]
		if p != nil && p.Text == want.Text {
			continue
		}
		n := *want
		n.ID, n.CreatedAt, n.UpdatedAt = newID("ANPA", 17), i.now(), i.now()
		if p != nil {
			n.ID, n.CreatedAt = p.ID, p.CreatedAt
		}
		tx.Put(&n)
	}
	return nil
}
