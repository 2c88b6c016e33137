package identity

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// Limits of OIDC providers (IAM user guide, IAM and AWS STS quotas).
const (
	maxClientIDs   = 100
	maxThumbprints = 5
)

// noProvider is for an OIDC provider that a caller named.
func noProvider(arn string) *trellis.Error {
	return noSuchEntity("OpenIDConnect Provider not found for arn %s", arn)
}

// issuerOf reads an issuer's URL, which tokens have as iss, without its scheme, as the ARN has it. AWS takes https alone;
// plain http is for labs, and as trustworthy as the way there (docs/decisions/0018-where-issuers-are-asked.md).
func (i *Identity) issuerOf(text string) (id string, err error) {
	u, parse := url.Parse(text)
	if parse != nil || u.Scheme != "https" && (u.Scheme != "http" || i.o.Strict) || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.ContainsAny(text, " *?#\\") {
		return "", invalidInput("Invalid Open ID Connect Provider URL")
	}
	_, id, _ = strings.Cut(text, "://")
	return id, nil
}

// checkThumbprints refuses what is no list of SHA-1 digests.
func checkThumbprints(list []string) error {
	if len(list) > maxThumbprints {
		return invalidInput("Thumbprint list must contain fewer than %d entries.", maxThumbprints+1)
	}
	for _, t := range list {
		if len(t) != 40 || strings.Trim(lower(t), "0123456789abcdef") != "" {
			return invalidInput("Thumbprint %q is not 40 hexadecimal digits.", t)
		}
	}
	return nil
}

// CreateOIDCProvider makes an OIDC provider of the caller's account out of its URL, client ids, thumbprints and tags.
func (i *Identity) CreateOIDCProvider(ctx context.Context, c *authpolicy.Caller, p trellis.OIDCProvider) (*trellis.OIDCProvider, trellis.Revision, error) {
	id, err := i.issuerOf(p.URL)
	if err != nil {
		return nil, 0, err
	}
	if err := checkThumbprints(p.Thumbprints); err != nil {
		return nil, 0, err
	}
	if err := checkTags(p.Tags); err != nil {
		return nil, 0, err
	}
	if len(p.ClientIDs) > maxClientIDs {
		return nil, 0, limitExceeded("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
	}
	n := &trellis.OIDCProvider{Meta: i.meta(c, "", p.Tags), URL: p.URL, ClientIDs: unique(p.ClientIDs), Thumbprints: unique(p.Thumbprints)}
	n.ID = id
	rev, err := i.commit(ctx, c, "iam:CreateOpenIDConnectProvider", n.ARN(), authpolicy.TagKeys(nil, p.Tags, nil), func(tx *store.Tx) error {
		_, err := store.Get[*trellis.OIDCProvider](tx, n.Key())
		if err == nil {
			return alreadyExists("Provider with url %s already exists.", p.URL)
		}
		if !errors.Is(err, trellis.ErrNotExist) {
			return err
		}
		if err := withinQuota[*trellis.OIDCProvider](i, tx, n.Account, "OpenIdConnectProvidersPerAccount", quota.OIDCProviders); err != nil {
			return err
		}
		tx.Put(n)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return n, rev, nil
}

// unique is a list without repeats, in its order.
func unique(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// lookUpProvider reads an OIDC provider by its ARN for an action that the caller's policies allow.
func lookUpProvider(tx *store.Tx, c *authpolicy.Caller, action, arn string, keys map[string][]string) (*trellis.OIDCProvider, error) {
	a, err := trellis.ParseARN(arn)
	id, ok := strings.CutPrefix(a.Resource, "oidc-provider/")
	if err != nil || a.Service != "iam" || !ok {
		return nil, invalidInput("Invalid ARN: %s", arn)
	}
	if a.Account != c.Principal.Account {
		if err := c.Authorize(action, arn, keys); err != nil {
			return nil, err
		}
		return nil, noProvider(arn)
	}
	return lookUp[*trellis.OIDCProvider](tx, c, action, a.Account+"/"+id, arn, noProvider(arn), keys)
}

// GetOIDCProvider returns an OIDC provider of the caller's account. action is iam:GetOpenIDConnectProvider, or another
// reading action about it.
func (i *Identity) GetOIDCProvider(ctx context.Context, c *authpolicy.Caller, action, arn string) (p *trellis.OIDCProvider, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		p, err = lookUpProvider(tx, c, action, arn, nil)
		return err
	})
	return p, err
}

// ListOIDCProviders returns the OIDC providers of the caller's account by issuer.
func (i *Identity) ListOIDCProviders(ctx context.Context, c *authpolicy.Caller) (found []*trellis.OIDCProvider, err error) {
	account := c.Principal.Account
	err = i.read(ctx, c, "iam:ListOpenIDConnectProviders", trellis.IAMARN(account, "oidc-provider/*"), func(tx *store.Tx) error {
		found, err = store.List[*trellis.OIDCProvider](tx, account+"/")
		return err
	})
	return found, err
}

// changeProvider changes an OIDC provider of the caller's account.
func (i *Identity) changeProvider(ctx context.Context, c *authpolicy.Caller, action, arn string, keys map[string][]string, change func(*trellis.OIDCProvider) error) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		p, err := lookUpProvider(tx, c, action, arn, keys)
		if err != nil {
			return err
		}
		if err := change(p); err != nil {
			return err
		}
		p.UpdatedAt = i.now()
		tx.Put(p)
		return nil
	})
}

// AddClientID adds a client id to an OIDC provider. One that is there is no error.
func (i *Identity) AddClientID(ctx context.Context, c *authpolicy.Caller, arn, clientID string) (trellis.Revision, error) {
	return i.changeProvider(ctx, c, "iam:AddClientIDToOpenIDConnectProvider", arn, nil, func(p *trellis.OIDCProvider) error {
		p.ClientIDs = unique(append(p.ClientIDs, clientID))
		if len(p.ClientIDs) > maxClientIDs {
			return limitExceeded("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
		}
		return nil
	})
}

// RemoveClientID takes a client id from an OIDC provider. One that is not there is no error.
func (i *Identity) RemoveClientID(ctx context.Context, c *authpolicy.Caller, arn, clientID string) (trellis.Revision, error) {
	return i.changeProvider(ctx, c, "iam:RemoveClientIDFromOpenIDConnectProvider", arn, nil, func(p *trellis.OIDCProvider) error {
		p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(id string) bool { return id == clientID })
		return nil
	})
}

// UpdateThumbprints replaces the thumbprints of an OIDC provider.
func (i *Identity) UpdateThumbprints(ctx context.Context, c *authpolicy.Caller, arn string, list []string) (trellis.Revision, error) {
	if err := checkThumbprints(list); err != nil {
		return 0, err
	}
	return i.changeProvider(ctx, c, "iam:UpdateOpenIDConnectProviderThumbprint", arn, nil, func(p *trellis.OIDCProvider) error {
		p.Thumbprints = unique(list)
		return nil
	})
}

// DeleteOIDCProvider removes an OIDC provider. Roles that trust it can't be assumed by its tokens any more.
func (i *Identity) DeleteOIDCProvider(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		p, err := lookUpProvider(tx, c, "iam:DeleteOpenIDConnectProvider", arn, nil)
		if err != nil {
			return err
		}
		tx.Delete(p)
		return nil
	})
}

// TagOIDCProvider adds tags to an OIDC provider, or replaces their values.
func (i *Identity) TagOIDCProvider(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	return i.changeProvider(ctx, c, "iam:TagOpenIDConnectProvider", arn, authpolicy.TagKeys(nil, tags, nil), func(p *trellis.OIDCProvider) error {
		return addTags(&p.Tags, tags)
	})
}

// UntagOIDCProvider removes tags from an OIDC provider.
func (i *Identity) UntagOIDCProvider(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
	return i.changeProvider(ctx, c, "iam:UntagOpenIDConnectProvider", arn, untagKeys(keys), func(p *trellis.OIDCProvider) error {
		removeTags(p.Tags, keys)
		return nil
	})
}
