package identity

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// keysSet is the set of a user's access key ids.
func keysSet(account, user string) string { return "accesskeysof/" + account + "/" + user }

// keysOf returns the access keys of a user.
func keysOf(tx *store.Tx, account, user string) ([]*trellis.AccessKey, error) {
	ids, err := tx.Marked(keysSet(account, user))
	if err != nil {
		return nil, err
	}
	keys := make([]*trellis.AccessKey, 0, len(ids))
	for _, id := range ids {
		k, err := store.Get[*trellis.AccessKey](tx, id)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// CreateAccessKey makes an access key for a user. Its secret is in the answer and is never shown again.
func (i *Identity) CreateAccessKey(ctx context.Context, c *authpolicy.Caller, user string) (*trellis.AccessKey, trellis.Revision, error) {
	account := c.Principal.Account
	k := &trellis.AccessKey{ID: newKeyID("AKIA", account), Account: account, UserName: user, Secret: newSecret(), Status: KeyActive, CreatedAt: i.now()}
	rev, err := i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		if _, err := lookUpUser(tx, c, "iam:CreateAccessKey", user, nil); err != nil {
			return err
		}
		ids, err := tx.Marked(keysSet(account, user))
		if err != nil {
			return err
		}
		if len(ids) >= maxKeysOfUser {
			return limitExceeded("Cannot exceed quota for AccessKeysPerUser: %d", maxKeysOfUser)
		}
		tx.Put(k)
		tx.Mark(keysSet(account, user), k.ID)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return k, rev, nil
}

// ListAccessKeys returns the access keys of a user.
func (i *Identity) ListAccessKeys(ctx context.Context, c *authpolicy.Caller, user string) (keys []*trellis.AccessKey, err error) {
	account := c.Principal.Account
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		if _, err := lookUpUser(tx, c, "iam:ListAccessKeys", user, nil); err != nil {
			return err
		}
		keys, err = keysOf(tx, account, user)
		return err
	})
	return keys, err
}

// UpdateAccessKey makes an access key Active or Inactive.
func (i *Identity) UpdateAccessKey(ctx context.Context, c *authpolicy.Caller, user, id, status string) (trellis.Revision, error) {
	if status != KeyActive && status != KeyInactive {
		return 0, trellis.NewError(400, "ValidationError", "Status must be %s or %s.", KeyActive, KeyInactive)
	}
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		k, err := keyOf(tx, c, "iam:UpdateAccessKey", user, id)
		if err != nil {
			return err
		}
		k.Status = status
		tx.Put(k)
		return nil
	})
}

// DeleteAccessKey removes an access key: nothing that is signed with it is accepted any more.
func (i *Identity) DeleteAccessKey(ctx context.Context, c *authpolicy.Caller, user, id string) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		k, err := keyOf(tx, c, "iam:DeleteAccessKey", user, id)
		if err != nil {
			return err
		}
		tx.Delete(k)
		tx.Unmark(keysSet(k.Account, user), id)
		return nil
	})
}

// keyOf returns one access key of a user; another's key does not exist for it.
func keyOf(tx *store.Tx, c *authpolicy.Caller, action, user, id string) (*trellis.AccessKey, error) {
	u, err := lookUpUser(tx, c, action, user, nil)
	if err != nil {
		return nil, err
	}
	missing := noSuchEntity("The Access Key with id %s cannot be found.", id)
	k, err := get[*trellis.AccessKey](tx, id, missing)
	if err != nil {
		return nil, err
	}
	if k.Account != u.Account || k.UserName != user {
		return nil, missing
	}
	return k, nil
}
