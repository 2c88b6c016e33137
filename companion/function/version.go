package function

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// publish makes a version out of a function as it is now.
func (f *Functions) publish(tx *store.Tx, fn *trellis.Function, description string) *trellis.PublishedVersion {
	fn.LastVersion++
	v := &trellis.PublishedVersion{Meta: fn.Meta, FunctionVersion: fn.FunctionVersion}
	v.ID, v.Tags, v.CreatedAt = fn.ID+"/"+strconv.Itoa(fn.LastVersion), nil, f.Time()
	v.Version, v.RevisionID = strconv.Itoa(fn.LastVersion), trellis.NewUUID()
	if description != "" {
		v.Description = description
	}
	tx.Put(v)
	markCode(tx, v.Code, v.Key())
	return v
}

// Publish makes a version out of a function as it is now, or answers the last one when nothing has changed since. sha and
// revision are empty for any.
func (f *Functions) Publish(ctx context.Context, c *authpolicy.Caller, name, description, sha, revision string) (v *View, rev trellis.Revision, err error) {
	var before Usage
	err = f.read(ctx, c, "PublishVersion", name, "", func(tx *store.Tx, fn *trellis.Function, _ Name) (err error) {
		before, err = f.usage(tx, fn.Account)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	rev, err = f.change(ctx, c, "PublishVersion", name, "", func(tx *store.Tx, fn *trellis.Function, _ Name) error {
		switch {
		case revision != "" && revision != fn.RevisionID:
			return staleRevision()
		case sha != "" && sha != fn.Code.SHA256:
			return invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", sha, fn.Code.SHA256)
		}
		last, err := store.Get[*trellis.PublishedVersion](tx, fn.Key()+"/"+strconv.Itoa(fn.LastVersion))
		if err != nil && !errors.Is(err, trellis.ErrNotExist) {
			return err
		}
		if err != nil || !last.ModifiedAt.Equal(fn.ModifiedAt) {
			last = f.publish(tx, fn, description)
		}
		v = f.view(fn, last.FunctionVersion, last.Version)
		return f.stored(tx, fn.Account, before)
	})
	return v, rev, err
}

// versions are the published versions of a function, the oldest first.
func (f *Functions) versions(tx *store.Tx, fn *trellis.Function) ([]*View, error) {
	list, err := store.List[*trellis.PublishedVersion](tx, fn.Key()+"/")
	slices.SortFunc(list, func(a, b *trellis.PublishedVersion) int {
		x, _ := strconv.Atoi(a.Version)
		y, _ := strconv.Atoi(b.Version)
		return x - y
	})
	var all []*View
	for _, v := range list {
		all = append(all, f.view(fn, v.FunctionVersion, v.Version))
	}
	return all, err
}

// Versions returns all versions of a function, $LATEST first.
func (f *Functions) Versions(ctx context.Context, c *authpolicy.Caller, name string) (all []*View, err error) {
	err = f.read(ctx, c, "ListVersionsByFunction", name, "", func(tx *store.Tx, fn *trellis.Function, _ Name) error {
		published, err := f.versions(tx, fn)
		all = append([]*View{f.view(fn, fn.FunctionVersion, trellis.LatestVersion)}, published...)
		return err
	})
	return all, err
}

// AliasSpec is what a request says of an alias; nil members stay as they are.
type AliasSpec struct {
	Version, Description *string
	Weights              *map[string]float64
}

// Alias is an alias with its ARN.
type Alias struct {
	*trellis.FunctionAlias
	ARN string
}

// alias shows an alias.
func (f *Functions) alias(fn *trellis.Function, a *trellis.FunctionAlias) *Alias {
	return &Alias{a, f.arn(Name{fn.Account, fn.ID, a.Name})}
}

// settle writes into an alias what a request says, refuses what it can't be, and puts it.
func (f *Functions) settle(tx *store.Tx, fn *trellis.Function, a *trellis.FunctionAlias, in AliasSpec) error {
	set(&a.Version, in.Version)
	set(&a.Description, in.Description)
	set(&a.Weights, in.Weights)
	if a.Version != trellis.LatestVersion {
		if _, err := f.version(tx, fn, a.Version); err != nil {
			return err
		}
	}
	if len(a.Weights) > 1 {
		return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	for v, w := range a.Weights {
		switch {
		case w < 0 || w > 1:
			return invalid("The weight of version %s must be from 0 to 1.", v)
		case !isNumber(v) || a.Version == trellis.LatestVersion:
			return invalid("$LATEST is not supported for an alias pointing to more than 1 version")
		case v == a.Version:
			return invalid("Invalid function version %s. Function version %s is already included in routing configuration.", v, v)
		}
		if _, err := f.version(tx, fn, v); err != nil {
			return err
		}
	}
	a.RevisionID, a.UpdatedAt = trellis.NewUUID(), f.Time()
	tx.Put(a)
	return nil
}

// CreateAlias gives a version of a function a name.
func (f *Functions) CreateAlias(ctx context.Context, c *authpolicy.Caller, function, name string, in AliasSpec) (a *Alias, rev trellis.Revision, err error) {
	rev, err = f.change(ctx, c, "CreateAlias", function, "", func(tx *store.Tx, fn *trellis.Function, _ Name) error {
		n := &trellis.FunctionAlias{Meta: f.Meta(c, fn.ID+"/"+name, nil), Name: name}
		n.Account = fn.Account
		_, err := store.Get[*trellis.FunctionAlias](tx, n.Key())
		if err == nil {
			return conflict("Alias already exists: %s", f.alias(fn, n).ARN)
		}
		if !errors.Is(err, trellis.ErrNotExist) {
			return err
		}
		a = f.alias(fn, n)
		return f.settle(tx, fn, n, in)
	})
	return a, rev, err
}

// aliasOf reads an alias of a function.
func (f *Functions) aliasOf(tx *store.Tx, fn *trellis.Function, name string) (*trellis.FunctionAlias, error) {
	return companion.Get[*trellis.FunctionAlias](tx, fn.Key()+"/"+name, notFound("Cannot find alias arn: %s", f.arn(Name{fn.Account, fn.ID, name})))
}

// UpdateAlias changes what a request says of an alias. revision is empty for any.
func (f *Functions) UpdateAlias(ctx context.Context, c *authpolicy.Caller, function, name string, in AliasSpec, revision string) (a *Alias, rev trellis.Revision, err error) {
	rev, err = f.change(ctx, c, "UpdateAlias", function, "", func(tx *store.Tx, fn *trellis.Function, _ Name) error {
		n, err := f.aliasOf(tx, fn, name)
		if err != nil {
			return err
		}
		if revision != "" && revision != n.RevisionID {
			return staleRevision()
		}
		a = f.alias(fn, n)
		return f.settle(tx, fn, n, in)
	})
	return a, rev, err
}

// Alias returns an alias.
func (f *Functions) Alias(ctx context.Context, c *authpolicy.Caller, function, name string) (a *Alias, err error) {
	err = f.read(ctx, c, "GetAlias", function, "", func(tx *store.Tx, fn *trellis.Function, _ Name) error {
		n, err := f.aliasOf(tx, fn, name)
		if err != nil {
			return err
		}
		a = f.alias(fn, n)
		return nil
	})
	return a, err
}

// Aliases returns the aliases of a function, or those of one version.
func (f *Functions) Aliases(ctx context.Context, c *authpolicy.Caller, function, version string) (all []*Alias, err error) {
	err = f.read(ctx, c, "ListAliases", function, "", func(tx *store.Tx, fn *trellis.Function, _ Name) error {
		all = nil
		list, err := store.List[*trellis.FunctionAlias](tx, fn.Key()+"/")
		for _, a := range list {
			if version == "" || a.Version == version {
				all = append(all, f.alias(fn, a))
			}
		}
		return err
	})
	return all, err
}

// DeleteAlias removes an alias with its policy. One that is not there is no error.
func (f *Functions) DeleteAlias(ctx context.Context, c *authpolicy.Caller, function, name string) (trellis.Revision, error) {
	return f.change(ctx, c, "DeleteAlias", function, "", func(tx *store.Tx, fn *trellis.Function, _ Name) error {
		fn.Policies = slices.DeleteFunc(fn.Policies, func(p trellis.FunctionPolicy) bool { return p.Qualifier == name })
		tx.Delete(&trellis.FunctionAlias{Meta: trellis.Meta{Account: fn.Account, ID: fn.ID + "/" + name}})
		return nil
	})
}
