// Package function says what the operations of AWS Lambda mean: functions with their versions, aliases and resource
// policies. They are kept whole, with their code; running them is not this package's business.
package function

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/store"
)

// Options is what Functions needs: those of every companion, and a directory for code.
type Options struct {
	companion.Options
	CodeDir string
}

// Functions serves the operations. It is safe for concurrent use, and starts nothing.
type Functions struct {
	*companion.Records
	Quotas quota.Limits
	code   *code
}

// New returns the companion.
func New(o Options) *Functions {
	return &Functions{companion.NewRecords(o.Options), quota.Limits{Strict: o.Strict}, &code{dir: o.CodeDir}}
}

// Service is the service that roles of functions trust (Lambda developer guide, execution role).
const Service = "lambda.amazonaws.com"

// The types of packages.
const (
	PackageZip   = "Zip"
	PackageImage = "Image"
)

// invalid is Lambda's error for a value that an operation doesn't take.
func invalid(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "InvalidParameterValueException", format, args...)
}

// conflict is Lambda's error for what is there already, or in use.
func conflict(format string, args ...any) *trellis.Error {
	return trellis.NewError(409, "ResourceConflictException", format, args...)
}

// notFound is Lambda's error for what is not there.
func notFound(format string, args ...any) *trellis.Error {
	return trellis.NewError(404, "ResourceNotFoundException", format, args...)
}

// staleRevision is for a RevisionId that is not the newest.
func staleRevision() *trellis.Error {
	return trellis.NewError(412, "PreconditionFailedException", "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId")
}

// Name is a function as a request names it.
type Name struct {
	Account, Name string
	Qualifier     string // version or alias; empty without any
}

// nameForm is the forms that requests have for a function: a name, ACCOUNT:function:NAME, or an ARN, each with :QUALIFIER
// or without (Lambda API reference, FunctionName).
var nameForm = regexp.MustCompile(`^(?:(?:arn:aws:lambda:([a-z0-9-]+):)?(\d{12}):(?:function:)?)?(?:function:)?([a-zA-Z0-9-_]{1,64})(?::(\$LATEST|[a-zA-Z0-9-_]+))?$`)

// name reads which function a request means. A qualifier may stand in the name or beside it, but not differ.
func (f *Functions) name(c *authpolicy.Caller, text, qualifier string) (Name, error) {
	m := nameForm.FindStringSubmatch(text)
	if m == nil {
		return Name{}, invalid("%q is not the name or ARN of a function.", text)
	}
	n := Name{m[2], m[3], m[4]}
	if n.Account == "" {
		n.Account = c.Principal.Account
	}
	if m[1] != "" && m[1] != f.Region {
		return n, notFound("Functions from '%s' are not reachable in this region ('%s')", m[1], f.Region)
	}
	if n.Qualifier != "" && qualifier != "" && n.Qualifier != qualifier {
		return n, invalid("The derived qualifier from the function name does not match the specified qualifier.")
	}
	if n.Qualifier == "" {
		n.Qualifier = qualifier
	}
	return n, nil
}

// arn is the ARN of what a name means.
func (f *Functions) arn(n Name) string {
	if n.Qualifier != "" {
		return trellis.FunctionARN(f.Region, n.Account, n.Name+":"+n.Qualifier)
	}
	return trellis.FunctionARN(f.Region, n.Account, n.Name)
}

// shareable are the actions that the policy of a function can allow other accounts (Lambda developer guide, cross-account
// access), besides Invoke.
var shareable = []string{"CreateAlias", "DeleteAlias", "DeleteFunction", "DeleteFunctionConcurrency", "GetAlias", "GetFunction", "GetFunctionCodeSigningConfig",
	"GetFunctionConcurrency", "GetFunctionConfiguration", "ListAliases", "ListTags", "ListVersionsByFunction", "PublishVersion", "PutFunctionConcurrency",
	"TagResource", "UntagResource", "UpdateAlias", "UpdateFunctionCode"}

// find reads the function that a name means, if the caller's policies or the policy of what is named allow an action: of
// another account both must, and nobody is told which functions it has. request are the tags of the request.
func (f *Functions) find(tx *store.Tx, c *authpolicy.Caller, action string, n Name, request map[string]string, keys map[string][]string) (*trellis.Function, error) {
	missing := notFound("Function not found: %s", f.arn(n))
	fn, err := companion.Get[*trellis.Function](tx, n.Account+"/"+n.Name, missing)
	if err != nil && err != error(missing) {
		return nil, err
	}
	var tags map[string]string
	var policy *authpolicy.Policy
	if err == nil {
		tags = fn.Tags
		if p := policyOf(fn, n.Qualifier); p != nil && (n.Account == c.Principal.Account || slices.Contains(shareable, action)) {
			if policy, err = authpolicy.Parse(Document(p), authpolicy.Resource); err != nil {
				return nil, err
			}
		}
	}
	r := &authpolicy.Request{Action: "lambda:" + action, Resource: f.arn(n), Caller: c, Extra: authpolicy.TagKeys(keys, request, tags), Now: f.Now()}
	if c.Control != nil {
		r.ResourceControl = c.Control(n.Account)
	}
	if d := authpolicy.Access(r, policy, n.Account); !d.Allowed {
		return nil, trellis.Denied("%s", strings.ToValidUTF8(d.Sentence(r), "?"))
	}
	return fn, err
}

// read runs fn with the function that a request names.
func (f *Functions) read(ctx context.Context, c *authpolicy.Caller, action, name, qualifier string, fn func(*store.Tx, *trellis.Function, Name) error) error {
	n, err := f.name(c, name, qualifier)
	if err != nil {
		return err
	}
	return f.Store.Read(ctx, func(tx *store.Tx) error {
		got, err := f.find(tx, c, action, n, nil, nil)
		if err != nil {
			return err
		}
		return fn(tx, got, n)
	})
}

// change is read for a change. What fn changes of the function itself is put.
func (f *Functions) change(ctx context.Context, c *authpolicy.Caller, action, name, qualifier string, fn func(*store.Tx, *trellis.Function, Name) error) (trellis.Revision, error) {
	n, err := f.name(c, name, qualifier)
	if err != nil {
		return 0, err
	}
	return f.Store.Commit(ctx, func(tx *store.Tx) error {
		got, err := f.find(tx, c, action, n, nil, nil)
		if err != nil {
			return err
		}
		if err := fn(tx, got, n); err != nil {
			return err
		}
		tx.Put(got)
		return nil
	})
}

// View is a version of a function as answers show it.
type View struct {
	trellis.FunctionVersion
	Account, Name string
	ARN           string // with the qualifier that was asked for
	Reserved      *int
	Tags          map[string]string
	Pending       bool // just made or changed: answers of changes alone say so
}

// view shows a version of a function under a qualifier.
func (f *Functions) view(fn *trellis.Function, v trellis.FunctionVersion, qualifier string) *View {
	return &View{v, fn.Account, fn.ID, f.arn(Name{fn.Account, fn.ID, qualifier}), fn.Reserved, fn.Tags, false}
}

// version is Version with Lambda's error for what is not there.
func (f *Functions) version(tx *store.Tx, fn *trellis.Function, qualifier string) (trellis.FunctionVersion, error) {
	v, err := Version(tx, fn, qualifier)
	if errors.Is(err, trellis.ErrNotExist) {
		err = notFound("Function not found: %s", f.arn(Name{fn.Account, fn.ID, qualifier}))
	}
	return v, err
}

// Version reads the version that a qualifier means: the function itself without one, and what an alias leads to. The error
// is trellis.ErrNotExist when there is none.
func Version(tx *store.Tx, fn *trellis.Function, qualifier string) (trellis.FunctionVersion, error) {
	if qualifier != "" && qualifier != trellis.LatestVersion && !isNumber(qualifier) {
		a, err := store.Get[*trellis.FunctionAlias](tx, fn.Key()+"/"+qualifier)
		if err != nil {
			return trellis.FunctionVersion{}, err
		}
		qualifier = a.Version
	}
	if qualifier == "" || qualifier == trellis.LatestVersion {
		return fn.FunctionVersion, nil
	}
	v, err := store.Get[*trellis.PublishedVersion](tx, fn.Key()+"/"+qualifier)
	if err != nil {
		return trellis.FunctionVersion{}, err
	}
	return v.FunctionVersion, nil
}

// isNumber tells whether a qualifier is a version's number.
func isNumber(q string) bool { return q != "" && strings.Trim(q, "0123456789") == "" }

// CreateFunction makes a function out of a name, settings, code and tags, and its first version when it is to be published.
func (f *Functions) CreateFunction(ctx context.Context, c *authpolicy.Caller, name string, in Settings, packageType string, architecture string, src Source, tags map[string]string, publish bool) (v *View, rev trellis.Revision, err error) {
	n, err := f.name(c, name, "")
	switch {
	case err != nil:
		return nil, 0, err
	case n.Qualifier != "" || n.Account != c.Principal.Account:
		return nil, 0, invalid("%q is not the name of a new function of account %s.", name, c.Principal.Account)
	}
	keys := in.keys()
	if err := c.Authorize("lambda:CreateFunction", f.arn(n), authpolicy.TagKeys(keys, tags, nil)); err != nil {
		return nil, 0, err
	}
	if len(tags) > 0 {
		if err := c.Authorize("lambda:TagResource", f.arn(n), authpolicy.TagKeys(nil, tags, nil)); err != nil {
			return nil, 0, err
		}
	}
	if err := checkTags(tags); err != nil {
		return nil, 0, err
	}
	if packageType == "" {
		packageType = PackageZip
	}
	err = f.withCode(ctx, src, packageType, func(taken trellis.FunctionCode) (err error) {
		v, rev, err = f.create(ctx, c, n.Name, in, packageType, architecture, taken, tags, publish)
		return err
	})
	return v, rev, err
}

// create is the transaction of CreateFunction.
func (f *Functions) create(ctx context.Context, c *authpolicy.Caller, name string, in Settings, packageType, architecture string, taken trellis.FunctionCode, tags map[string]string, publish bool) (v *View, rev trellis.Revision, err error) {
	var before Usage
	err = f.Store.Read(ctx, func(tx *store.Tx) error {
		before, err = f.usage(tx, c.Principal.Account)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	rev, err = f.Store.Commit(ctx, func(tx *store.Tx) error {
		fn := &trellis.Function{Meta: f.Meta(c, name, tags), FunctionVersion: defaults(name, packageType, architecture)}
		_, err := store.Get[*trellis.Function](tx, fn.Key())
		if err == nil {
			return conflict("Function already exist: %s", name)
		}
		if !errors.Is(err, trellis.ErrNotExist) {
			return err
		}
		fn.Code = taken
		if in.Role == nil {
			return invalid("A role must be given.")
		}
		if err := f.apply(tx, c, fn, in); err != nil {
			return err
		}
		markCode(tx, fn.Code, fn.Key())
		v = f.view(fn, fn.FunctionVersion, "")
		if publish {
			p := f.publish(tx, fn, "")
			v = f.view(fn, p.FunctionVersion, p.Version)
		}
		v.Pending = true
		tx.Put(fn)
		return f.stored(tx, fn.Account, before)
	})
	return v, rev, err
}

// touch gives a function a new revision.
func (f *Functions) touch(fn *trellis.Function) {
	fn.RevisionID, fn.ModifiedAt = trellis.NewUUID(), f.Time()
	fn.UpdatedAt = fn.ModifiedAt
}

// Function returns a version of a function.
func (f *Functions) Function(ctx context.Context, c *authpolicy.Caller, action, name, qualifier string) (v *View, err error) {
	err = f.read(ctx, c, action, name, qualifier, func(tx *store.Tx, fn *trellis.Function, n Name) error {
		version, err := f.version(tx, fn, n.Qualifier)
		v = f.view(fn, version, n.Qualifier)
		return err
	})
	return v, err
}

// List returns the functions of the caller's account, with all their versions when every is set.
func (f *Functions) List(ctx context.Context, c *authpolicy.Caller, every bool) (all []*View, err error) {
	err = f.Read(ctx, c, "lambda:ListFunctions", "*", nil, func(tx *store.Tx) error {
		all = nil
		functions, err := store.List[*trellis.Function](tx, c.Principal.Account+"/")
		if err != nil {
			return err
		}
		for _, fn := range functions {
			qualifier := ""
			if every {
				qualifier = trellis.LatestVersion
			}
			all = append(all, f.view(fn, fn.FunctionVersion, qualifier))
			if every {
				versions, err := f.versions(tx, fn)
				if err != nil {
					return err
				}
				all = append(all, versions...)
			}
		}
		return nil
	})
	return all, err
}

// UpdateCode gives a function other code. dry checks alone; revision is empty for any.
func (f *Functions) UpdateCode(ctx context.Context, c *authpolicy.Caller, name string, src Source, architecture *string, revision string, publish, dry bool) (v *View, rev trellis.Revision, err error) {
	packageType := PackageZip
	if src.ImageURI != "" {
		packageType = PackageImage
	}
	var before Usage
	err = f.read(ctx, c, "UpdateFunctionCode", name, "", func(tx *store.Tx, fn *trellis.Function, _ Name) (err error) {
		before, err = f.usage(tx, fn.Account)
		return err
	})
	if err != nil {
		return nil, 0, err // before anything is written
	}
	var was trellis.FunctionCode
	err = f.withCode(ctx, src, packageType, func(taken trellis.FunctionCode) (err error) {
		rev, err = f.change(ctx, c, "UpdateFunctionCode", name, "", func(tx *store.Tx, fn *trellis.Function, _ Name) error {
			switch {
			case revision != "" && revision != fn.RevisionID:
				return staleRevision()
			case packageType != fn.PackageType:
				return invalid("Function %s has the package type %s, which can't be changed.", fn.ID, fn.PackageType)
			case dry:
				was, v = taken, f.view(fn, fn.FunctionVersion, "")
				return nil
			}
			was = fn.Code
			unmarkCode(tx, was, fn.Key())
			fn.Code = taken
			set(&fn.Architecture, architecture)
			markCode(tx, taken, fn.Key())
			f.touch(fn)
			v = f.view(fn, fn.FunctionVersion, "")
			if publish {
				p := f.publish(tx, fn, "")
				v = f.view(fn, p.FunctionVersion, p.Version)
			}
			v.Pending = true
			tx.Put(fn)
			return f.stored(tx, fn.Account, before)
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return v, rev, f.code.drop(ctx, f.Store, was)
}

// UpdateSettings changes what a request says of the settings of a function. revision is empty for any.
func (f *Functions) UpdateSettings(ctx context.Context, c *authpolicy.Caller, name string, in Settings, revision string) (v *View, rev trellis.Revision, err error) {
	n, err := f.name(c, name, "")
	if err != nil {
		return nil, 0, err
	}
	rev, err = f.Store.Commit(ctx, func(tx *store.Tx) error {
		fn, err := f.find(tx, c, "UpdateFunctionConfiguration", n, nil, in.keys())
		if err != nil {
			return err
		}
		if revision != "" && revision != fn.RevisionID {
			return staleRevision()
		}
		if err := f.apply(tx, c, fn, in); err != nil {
			return err
		}
		v = f.view(fn, fn.FunctionVersion, "")
		v.Pending = true
		tx.Put(fn)
		return nil
	})
	return v, rev, err
}

// Delete removes a function with all that it has, or one of its versions that no alias leads to.
func (f *Functions) Delete(ctx context.Context, c *authpolicy.Caller, name, qualifier string) (rev trellis.Revision, err error) {
	var codes []trellis.FunctionCode
	n, err := f.name(c, name, qualifier)
	if err != nil {
		return 0, err
	}
	rev, err = f.Store.Commit(ctx, func(tx *store.Tx) error {
		codes = nil
		fn, err := f.find(tx, c, "DeleteFunction", n, nil, nil)
		if err != nil {
			return err
		}
		aliases, err := store.List[*trellis.FunctionAlias](tx, fn.Key()+"/")
		if err != nil {
			return err
		}
		versions, err := store.List[*trellis.PublishedVersion](tx, fn.Key()+"/")
		if err != nil {
			return err
		}
		drop := func(key string, v *trellis.FunctionVersion) {
			unmarkCode(tx, v.Code, key)
			codes = append(codes, v.Code)
		}
		if n.Qualifier != "" {
			i := slices.IndexFunc(versions, func(v *trellis.PublishedVersion) bool { return v.Version == n.Qualifier })
			switch {
			case n.Qualifier == trellis.LatestVersion:
				return invalid("$LATEST version cannot be deleted without deleting the function.")
			case !isNumber(n.Qualifier):
				return invalid("Deletion of aliases is not currently supported.")
			case i < 0:
				return notFound("Function not found: %s", f.arn(n))
			}
			for _, a := range aliases {
				if _, weighs := a.Weights[n.Qualifier]; a.Version == n.Qualifier || weighs {
					return conflict("Version %s is still in use by alias %s.", n.Qualifier, a.Name)
				}
			}
			drop(versions[i].Key(), &versions[i].FunctionVersion)
			tx.Delete(versions[i])
			return nil
		}
		for _, a := range aliases {
			tx.Delete(a)
		}
		for _, v := range versions {
			drop(v.Key(), &v.FunctionVersion)
			tx.Delete(v)
		}
		drop(fn.Key(), &fn.FunctionVersion)
		tx.Delete(fn)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return rev, f.code.drop(ctx, f.Store, codes...)
}

// role refuses a role that a function can't have: of the account, one that trusts Lambda and that the caller may pass.
func (f *Functions) role(tx *store.Tx, c *authpolicy.Caller, arn, function string) error {
	a, err := trellis.ParseARN(arn)
	path, isRole := strings.CutPrefix(a.Resource, "role/")
	cannot := invalid("The role defined for the function cannot be assumed by Lambda.")
	switch {
	case err != nil || !isRole:
		return invalid("%s is not the ARN of a role.", arn)
	case a.Account != c.Principal.Account:
		return trellis.Denied("Cross-account pass role is not allowed.")
	}
	r, err := companion.Get[*trellis.Role](tx, a.Account+"/"+trellis.LastPart("/"+path), cannot)
	if err != nil {
		return err
	}
	if r.ARN() != arn || !identity.TrustsService(r.TrustPolicy, Service, "sts:assumerole") {
		return cannot
	}
	return identity.PassRole(c, r, Service, function)
}
