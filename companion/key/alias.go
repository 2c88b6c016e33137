package key

import (
	"context"
	"errors"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// checkAlias refuses a name that customers can't give a key.
func checkAlias(alias string) error {
	switch {
	case strings.HasPrefix(alias, "alias/aws/"):
		return fault("NotAuthorizedException", "Alias names that begin with alias/aws/ are AWS's.")
	case !strings.HasPrefix(alias, "alias/"):
		return fault("ValidationException", "Invalid identifier: an alias must begin with alias/.")
	case !aliasForm.MatchString(alias):
		return fault("InvalidAliasNameException", "Alias contains invalid characters for an alias")
	}
	return nil
}

// PutAlias gives a key of the caller's account an alias that is new, or with move one that another key has.
func (k *Keys) PutAlias(ctx context.Context, c *authpolicy.Caller, alias, id string, move bool) (trellis.Revision, error) {
	if err := checkAlias(alias); err != nil {
		return 0, err
	}
	action := "kms:CreateAlias"
	if move {
		action = "kms:UpdateAlias"
	}
	arn := k.ARN(c, "kms", alias)
	if err := c.Authorize(action, arn, nil); err != nil {
		return 0, err
	}
	if strings.Contains(id, "alias/") {
		return 0, fault("ValidationException", "Aliases must refer to keys. Not aliases")
	}
	rev, err := k.Store.Commit(ctx, func(tx *store.Tx) error {
		key, err := k.get(tx, c, id, use{action: action, own: true, alive: true})
		if err != nil {
			return err
		}
		a, err := store.Get[*trellis.KeyAlias](tx, c.Principal.Account+"/"+alias)
		switch {
		case errors.Is(err, trellis.ErrNotExist) && move:
			return fault("NotFoundException", "Alias %s is not found.", arn)
		case errors.Is(err, trellis.ErrNotExist):
			a = &trellis.KeyAlias{Meta: k.Meta(c, alias, nil)}
		case err != nil:
			return err
		case !move:
			return fault("AlreadyExistsException", "An alias with the name %s already exists", arn)
		case a.KeyID != key.ID:
			if _, err := k.get(tx, c, a.KeyID, use{action: action, own: true}); err != nil {
				return err
			}
		}
		all, err := aliasesOf(tx, key)
		if err != nil {
			return err
		}
		if a.KeyID != key.ID {
			if err := k.room(tx, key, quota.AliasesPerKey, len(all), "aliases"); err != nil {
				return err
			}
		}
		a.KeyID, a.UpdatedAt = key.ID, k.Time()
		tx.Put(a)
		return nil
	})
	return rev, k.erasing(ctx, err)
}

// aliasesOf are the aliases of a key.
func aliasesOf(tx *store.Tx, key *trellis.Key) (of []*trellis.KeyAlias, err error) {
	all, err := store.List[*trellis.KeyAlias](tx, key.Account+"/")
	for _, a := range all {
		if a.KeyID == key.ID {
			of = append(of, a)
		}
	}
	return of, err
}

// DeleteAlias takes an alias from its key.
func (k *Keys) DeleteAlias(ctx context.Context, c *authpolicy.Caller, alias string) (trellis.Revision, error) {
	if err := checkAlias(alias); err != nil {
		return 0, err
	}
	arn := k.ARN(c, "kms", alias)
	return k.Commit(ctx, c, "kms:DeleteAlias", arn, nil, func(tx *store.Tx) error {
		a, err := store.Get[*trellis.KeyAlias](tx, c.Principal.Account+"/"+alias)
		if errors.Is(err, trellis.ErrNotExist) {
			return fault("NotFoundException", "Alias %s is not found.", arn)
		}
		if err != nil {
			return err
		}
		if _, err := k.get(tx, c, a.KeyID, use{action: "kms:DeleteAlias", own: true}); err != nil {
			if _, due := errors.AsType[*dueError](err); !due {
				return err
			}
		}
		tx.Delete(a)
		return nil
	})
}

// Aliases returns the aliases of the caller's account, or those of one key.
func (k *Keys) Aliases(ctx context.Context, c *authpolicy.Caller, id string) (all []*trellis.KeyAlias, err error) {
	err = k.Read(ctx, c, "kms:ListAliases", "*", nil, func(tx *store.Tx) error {
		if id != "" {
			n, err := k.parse(c, id)
			if err != nil {
				return err
			}
			if n.account != c.Principal.Account {
				return k.denied(c, "kms:ListAliases", n)
			}
			key, err := k.find(tx, n)
			if err != nil {
				return err
			}
			all, err = aliasesOf(tx, key)
			return err
		}
		all, err = store.List[*trellis.KeyAlias](tx, c.Principal.Account+"/")
		return err
	})
	return all, k.erasing(ctx, err)
}
