package identity

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// anywhereService is IAM Roles Anywhere as trust policies name it, and as roles are passed to it.
const anywhereService = "rolesanywhere.amazonaws.com"

// How many nouns of IAM Roles Anywhere an account may have. AWS's are lower and can be raised (IAM Roles Anywhere
// endpoints and quotas).
const (
	maxAnchors          = 250
	maxAnywhereProfiles = 250
	maxListsOfAnchor    = 10
	maxProfileRoles     = 250
	maxProfileDuration  = maxSessionOfAnyRole
)

// commonOf is what the nouns of IAM Roles Anywhere have in common.
func commonOf(n trellis.Noun) *trellis.Meta {
	switch n := n.(type) {
	case *trellis.TrustAnchor:
		return &n.Meta
	case *trellis.AnywhereProfile:
		return &n.Meta
	case *trellis.RevocationList:
		return &n.Meta
	case *trellis.AnywhereSubject:
		return &n.Meta
	}
	panic("no noun of IAM Roles Anywhere: " + n.Kind())
}

// aliasForm is the form of an alias (IAM Roles Anywhere API reference, CreateTrustAnchor).
var aliasForm = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_/-]*[A-Za-z0-9_-])?$`)

// anywhereMissing is the error for a noun that is not there, or is another account's.
func anywhereMissing(what, id string) *trellis.Error {
	return trellis.NewError(404, "ResourceNotFoundException", "%s %s does not exist.", what, id)
}

// anywhereInvalid is the error for a bad field.
func anywhereInvalid(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "ValidationException", format, args...)
}

// The words for nouns in errors, and what stands before their id in an ARN.
var anywhereWords = map[trellis.Kind]struct{ word, segment string }{
	trellis.KindTrustAnchor:     {"Trust anchor", "trust-anchor"},
	trellis.KindAnywhereProfile: {"Profile", "profile"},
	trellis.KindRevocationList:  {"Certificate revocation list", "crl"},
	trellis.KindAnywhereSubject: {"Subject", "subject"},
}

// aliasOf is the alias of a noun, empty without one.
func aliasOf(n trellis.Noun) string {
	switch n := n.(type) {
	case *trellis.TrustAnchor:
		return n.Alias
	case *trellis.AnywhereProfile:
		return n.Alias
	case *trellis.RevocationList:
		return n.Alias
	}
	return ""
}

// AnywhereAliasARN is the ARN by which a noun is named with its alias, empty without one.
func AnywhereAliasARN(n trellis.Noun, account, region string) string {
	alias := aliasOf(n)
	if alias == "" {
		return ""
	}
	return trellis.ARN{Partition: "aws", Service: "rolesanywhere", Region: region, Account: account,
		Resource: "alias/" + anywhereWords[n.Kind()].segment + "/" + alias}.String()
}

// anywhereFind returns a noun of an account by its id, its ARN or the ARN of its alias.
func anywhereFind[T trellis.Noun](tx *store.Tx, account, region, name string) (T, error) {
	var zero T
	words := anywhereWords[zero.Kind()]
	missing := anywhereMissing(words.word, name)
	id := name
	if strings.HasPrefix(name, "arn:") {
		a, err := trellis.ParseARN(name)
		if err != nil || a.Service != "rolesanywhere" || a.Account != account || a.Region != region {
			return zero, missing
		}
		if alias, ok := strings.CutPrefix(a.Resource, "alias/"+words.segment+"/"); ok {
			return anywhereByAlias[T](tx, account, alias, missing)
		}
		var ok bool
		if id, ok = strings.CutPrefix(a.Resource, words.segment+"/"); !ok {
			return zero, missing
		}
	}
	if id == "" || strings.Contains(id, "/") {
		return zero, missing
	}
	return get[T](tx, account+"/"+id, missing)
}

// anywhereByAlias returns a noun of an account by its alias.
func anywhereByAlias[T trellis.Noun](tx *store.Tx, account, alias string, missing *trellis.Error) (T, error) {
	var zero T
	all, err := store.List[T](tx, account+"/")
	if err != nil {
		return zero, err
	}
	for _, n := range all {
		if alias != "" && aliasOf(n) == alias {
			return n, nil
		}
	}
	return zero, missing
}

// anywhereAlias refuses an alias that is malformed or another noun's. Empty is none.
func anywhereAlias[T trellis.Noun](tx *store.Tx, n T, alias string) error {
	if alias == "" {
		return nil
	}
	if len(alias) > 256 || !aliasForm.MatchString(alias) || strings.Contains(alias, "//") {
		return anywhereInvalid("The alias %q is not valid.", alias)
	}
	var missing trellis.Error
	other, err := anywhereByAlias[T](tx, commonOf(n).Account, alias, &missing)
	switch {
	case errors.Is(err, &missing):
		return nil
	case err == nil && commonOf(other).ID != commonOf(n).ID:
		return anywhereInvalid("The alias %s is in use.", alias)
	}
	return err
}

// anywhereARN is the ARN of a noun.
func (i *Identity) anywhereARN(n trellis.Noun) string {
	m := commonOf(n)
	return trellis.ARN{Partition: "aws", Service: "rolesanywhere", Region: i.o.Region, Account: m.Account, Resource: anywhereWords[n.Kind()].segment + "/" + m.ID}.String()
}

// anywhereChecked asks the caller's policies about an action on a noun, with the noun's tags.
func (i *Identity) anywhereChecked(c *authpolicy.Caller, action string, n trellis.Noun, extra map[string][]string) error {
	return c.AuthorizeRequest(&authpolicy.Request{Action: action, Resource: i.anywhereARN(n), ResourceTags: commonOf(n).Tags, Extra: extra, Now: i.o.Now()})
}

// anywhereGet reads a noun of the caller's account.
func anywhereGet[T trellis.Noun](ctx context.Context, i *Identity, c *authpolicy.Caller, action, name string) (n T, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		if n, err = anywhereFind[T](tx, c.Principal.Account, i.o.Region, name); err != nil {
			return err
		}
		return i.anywhereChecked(c, action, n, nil)
	})
	return n, err
}

// anywhereList reads all nouns of a kind of the caller's account, in the order of their ids.
func anywhereList[T trellis.Noun](ctx context.Context, i *Identity, c *authpolicy.Caller, action string) (all []T, err error) {
	err = i.read(ctx, c, action, "*", func(tx *store.Tx) error {
		all, err = store.List[T](tx, c.Principal.Account+"/")
		return err
	})
	return all, err
}

// anywhereMake keeps a new noun, whose account has at most limit of its kind.
func anywhereMake[T trellis.Noun](ctx context.Context, i *Identity, c *authpolicy.Caller, action string, n T, limit int, check func(*store.Tx) error) (trellis.Revision, error) {
	m := commonOf(n)
	if err := checkAnywhereTags(m.Tags); err != nil {
		return 0, err
	}
	return i.commit(ctx, c, action, "*", authpolicy.TagKeys(nil, m.Tags, nil), func(tx *store.Tx) error {
		have, err := store.Count[T](tx, m.Account+"/")
		if err != nil {
			return err
		}
		if have >= limit {
			return anywhereInvalid("The account has %d of these already, which is the most.", limit)
		}
		if err := cmp.Or(anywhereAlias(tx, n, aliasOf(n)), check(tx)); err != nil {
			return err
		}
		tx.Put(n)
		return nil
	})
}

// anywhereChange changes a noun of the caller's account.
func anywhereChange[T trellis.Noun](ctx context.Context, i *Identity, c *authpolicy.Caller, action, name string, extra map[string][]string, change func(*store.Tx, T) error) (n T, rev trellis.Revision, err error) {
	rev, err = i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		if n, err = anywhereFind[T](tx, c.Principal.Account, i.o.Region, name); err != nil {
			return err
		}
		if err := i.anywhereChecked(c, action, n, extra); err != nil {
			return err
		}
		if err := change(tx, n); err != nil {
			return err
		}
		commonOf(n).UpdatedAt = i.now()
		tx.Put(n)
		return nil
	})
	return n, rev, err
}

// anywhereDelete removes a noun of the caller's account, and with it what also removes.
func anywhereDelete[T trellis.Noun](ctx context.Context, i *Identity, c *authpolicy.Caller, action, name string, also func(*store.Tx, T) error) (n T, rev trellis.Revision, err error) {
	rev, err = i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		if n, err = anywhereFind[T](tx, c.Principal.Account, i.o.Region, name); err != nil {
			return err
		}
		if err := i.anywhereChecked(c, action, n, nil); err != nil {
			return err
		}
		if also != nil {
			if err := also(tx, n); err != nil {
				return err
			}
		}
		tx.Delete(n)
		return nil
	})
	return n, rev, err
}

// tagForm is the form of keys and values of tags (IAM Roles Anywhere API reference, Tag).
var tagForm = regexp.MustCompile(`^[ a-zA-Z0-9_.:/=+@-]*$`)

// checkAnywhereTags refuses tags that IAM Roles Anywhere would refuse.
func checkAnywhereTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return trellis.NewError(400, "TooManyTagsException", "A resource has at most %d tags.", trellis.MaxTags)
	}
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return anywhereInvalid("%s", fault)
		}
		if !tagForm.MatchString(k) || !tagForm.MatchString(v) {
			return anywhereInvalid("A tag has a character that is not allowed.")
		}
	}
	return nil
}

// AnywhereTags returns the tags of a noun by its ARN.
func (i *Identity) AnywhereTags(ctx context.Context, c *authpolicy.Caller, arn string) (tags map[string]string, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		n, err := anywhereByARN(tx, c.Principal.Account, i.o.Region, arn)
		if err != nil {
			return err
		}
		tags = commonOf(n).Tags
		return i.anywhereChecked(c, "rolesanywhere:ListTagsForResource", n, nil)
	})
	return tags, err
}

// TagAnywhere adds tags to a noun, or replaces their values.
func (i *Identity) TagAnywhere(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	if err := checkAnywhereTags(tags); err != nil {
		return 0, err
	}
	return i.retagAnywhere(ctx, c, "rolesanywhere:TagResource", arn, authpolicy.TagKeys(nil, tags, nil), func(m *trellis.Meta) error {
		if m.Tags == nil {
			m.Tags = map[string]string{}
		}
		maps.Copy(m.Tags, tags)
		return checkAnywhereTags(m.Tags)
	})
}

// UntagAnywhere removes tags from a noun.
func (i *Identity) UntagAnywhere(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
	return i.retagAnywhere(ctx, c, "rolesanywhere:UntagResource", arn, map[string][]string{"aws:tagkeys": keys}, func(m *trellis.Meta) error {
		maps.DeleteFunc(m.Tags, func(k, _ string) bool { return slices.Contains(keys, k) })
		return nil
	})
}

// retagAnywhere changes the tags of a noun.
func (i *Identity) retagAnywhere(ctx context.Context, c *authpolicy.Caller, action, arn string, extra map[string][]string, change func(*trellis.Meta) error) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		n, err := anywhereByARN(tx, c.Principal.Account, i.o.Region, arn)
		if err != nil {
			return err
		}
		if err := i.anywhereChecked(c, action, n, extra); err != nil {
			return err
		}
		if err := change(commonOf(n)); err != nil {
			return err
		}
		tx.Put(n)
		return nil
	})
}

// anywhereByARN returns a noun of any kind that has tags.
func anywhereByARN(tx *store.Tx, account, region, arn string) (trellis.Noun, error) {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "rolesanywhere" {
		return nil, anywhereInvalid("%q is not the ARN of a resource of IAM Roles Anywhere.", arn)
	}
	switch segment, _, _ := strings.Cut(strings.TrimPrefix(a.Resource, "alias/"), "/"); segment {
	case "trust-anchor":
		return anywhereFind[*trellis.TrustAnchor](tx, account, region, arn)
	case "profile":
		return anywhereFind[*trellis.AnywhereProfile](tx, account, region, arn)
	case "crl":
		return anywhereFind[*trellis.RevocationList](tx, account, region, arn)
	case "subject":
		return anywhereFind[*trellis.AnywhereSubject](tx, account, region, arn)
	}
	return nil, anywhereInvalid("%q is not the ARN of a resource of IAM Roles Anywhere.", arn)
}
