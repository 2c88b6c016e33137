package function

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// maxPolicy is how many bytes a resource policy may have (Lambda developer guide, quotas).
const maxPolicy = 20480

// Permission is what AddPermission is given: who may do what with a function, on which conditions.
type Permission struct {
	StatementID, Action, Principal         string
	SourceARN, SourceAccount, Organization string
	URLAuthType, EventToken, Revision      string
	ByURL                                  *bool
}

// servicePrincipal is the form of the names of services.
var servicePrincipal = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)

// statement writes a permission as a statement of a policy, as Lambda does.
func statement(p Permission, resource string) (json.RawMessage, error) {
	var who any = map[string]string{"AWS": p.Principal}
	switch {
	case p.Principal == "*":
		who = "*"
	case trellis.IsAccountID(p.Principal):
		who = map[string]string{"AWS": trellis.IAMARN(p.Principal, "root")}
	case strings.HasPrefix(p.Principal, "arn:aws:iam::") || strings.HasPrefix(p.Principal, "arn:aws:sts::"):
	case servicePrincipal.MatchString(p.Principal):
		who = map[string]string{"Service": p.Principal}
	default:
		return nil, invalid("The provided principal was invalid. Please check the principal and try again.")
	}
	conditions := map[string]map[string]string{}
	add := func(operator, key, value string) {
		if value == "" {
			return
		}
		if conditions[operator] == nil {
			conditions[operator] = map[string]string{}
		}
		conditions[operator][key] = value
	}
	add("ArnLike", "AWS:SourceArn", p.SourceARN)
	add("StringEquals", "AWS:SourceAccount", p.SourceAccount)
	add("StringEquals", "aws:PrincipalOrgID", p.Organization)
	add("StringEquals", "lambda:FunctionUrlAuthType", p.URLAuthType)
	add("StringEquals", "lambda:EventSourceToken", p.EventToken)
	if p.ByURL != nil {
		add("Bool", "lambda:InvokedViaFunctionUrl", map[bool]string{true: "true", false: "false"}[*p.ByURL])
	}
	return json.Marshal(struct {
		Sid       string
		Effect    string
		Principal any
		Action    string
		Resource  string
		Condition map[string]map[string]string `json:",omitempty"`
	}{p.StatementID, "Allow", who, p.Action, resource, conditions})
}

// Document is a resource policy as a text.
func Document(p *trellis.FunctionPolicy) string {
	statements := make([]json.RawMessage, len(p.Statements))
	for i, s := range p.Statements {
		statements[i] = s.Text
	}
	text, _ := json.Marshal(struct {
		Version, Id string
		Statement   []json.RawMessage
	}{"2012-10-17", "default", statements}) // of texts that were JSON before
	return string(text)
}

// policyOf is the policy of a qualifier of a function, nil without any.
func policyOf(fn *trellis.Function, qualifier string) *trellis.FunctionPolicy {
	for i := range fn.Policies {
		if fn.Policies[i].Qualifier == qualifier {
			return &fn.Policies[i]
		}
	}
	return nil
}

// Permitted tells whether the policy of a qualifier of a function has a statement of an id.
func Permitted(fn *trellis.Function, qualifier, id string) bool {
	p := policyOf(fn, qualifier)
	return p != nil && slices.ContainsFunc(p.Statements, func(s trellis.FunctionStatement) bool { return s.ID == id })
}

// Permit adds a statement to the policy of a function, or of a version or alias that is there, and returns it. arn is what
// the policy is of.
func Permit(fn *trellis.Function, qualifier, arn string, in Permission) (text string, err error) {
	if qualifier == trellis.LatestVersion {
		return "", invalid("We currently do not support adding policies for $LATEST.")
	}
	s, err := statement(in, arn)
	if err != nil {
		return "", err
	}
	p := policyOf(fn, qualifier)
	if p == nil {
		fn.Policies = append(fn.Policies, trellis.FunctionPolicy{Qualifier: qualifier})
		p = &fn.Policies[len(fn.Policies)-1]
	}
	if in.Revision != "" && in.Revision != p.RevisionID {
		return "", staleRevision()
	}
	if Permitted(fn, qualifier, in.StatementID) {
		return "", conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", in.StatementID)
	}
	p.Statements, p.RevisionID = append(p.Statements, trellis.FunctionStatement{ID: in.StatementID, Text: s}), trellis.NewUUID()
	if len(Document(p)) > maxPolicy {
		return "", trellis.NewError(400, "PolicyLengthExceededException", "The final policy size (%d) is bigger than the limit (%d).", len(Document(p)), maxPolicy)
	}
	return string(s), nil
}

// AddPermission adds a statement to the policy of a function, version or alias, and returns it.
func (f *Functions) AddPermission(ctx context.Context, c *authpolicy.Caller, name, qualifier string, in Permission) (text string, rev trellis.Revision, err error) {
	rev, err = f.change(ctx, c, "AddPermission", name, qualifier, func(tx *store.Tx, fn *trellis.Function, n Name) error {
		if _, err := f.version(tx, fn, n.Qualifier); err != nil {
			return err
		}
		text, err = Permit(fn, n.Qualifier, f.arn(n), in)
		return err
	})
	return text, rev, err
}

// Policy returns the policy of a function, version or alias.
func (f *Functions) Policy(ctx context.Context, c *authpolicy.Caller, name, qualifier string) (p *trellis.FunctionPolicy, err error) {
	err = f.read(ctx, c, "GetPolicy", name, qualifier, func(_ *store.Tx, fn *trellis.Function, n Name) error {
		if p = policyOf(fn, n.Qualifier); p == nil {
			return notFound("The resource you requested does not exist.")
		}
		return nil
	})
	return p, err
}

// RemovePermission removes a statement of the policy of a function, version or alias. revision is empty for any.
func (f *Functions) RemovePermission(ctx context.Context, c *authpolicy.Caller, name, qualifier, id, revision string) (trellis.Revision, error) {
	return f.change(ctx, c, "RemovePermission", name, qualifier, func(_ *store.Tx, fn *trellis.Function, n Name) error {
		p := policyOf(fn, n.Qualifier)
		if p == nil {
			return notFound("No policy is associated with the given resource.")
		}
		if revision != "" && revision != p.RevisionID {
			return staleRevision()
		}
		before := len(p.Statements)
		p.Statements = slices.DeleteFunc(p.Statements, func(s trellis.FunctionStatement) bool { return s.ID == id })
		if len(p.Statements) == before {
			return notFound("Statement %s is not found in resource policy.", id)
		}
		p.RevisionID = trellis.NewUUID()
		fn.Policies = slices.DeleteFunc(fn.Policies, func(p trellis.FunctionPolicy) bool { return len(p.Statements) == 0 })
		return nil
	})
}

// checkTags refuses tags that a function can't have.
func checkTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return invalid("A function has at most %d tags.", trellis.MaxTags)
	}
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return invalid("%s", fault)
		}
	}
	return nil
}

// Tag adds tags to the function that an ARN names.
func (f *Functions) Tag(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	return f.changeTags(ctx, c, "TagResource", arn, tags, nil, func(have map[string]string) map[string]string { return companion.WithTags(have, tags) })
}

// Untag takes tags from the function that an ARN names.
func (f *Functions) Untag(ctx context.Context, c *authpolicy.Caller, arn string, names []string) (trellis.Revision, error) {
	return f.changeTags(ctx, c, "UntagResource", arn, nil, map[string][]string{"aws:tagkeys": names}, func(have map[string]string) map[string]string { return companion.WithoutTags(have, names) })
}

// changeTags changes the tags of a function.
func (f *Functions) changeTags(ctx context.Context, c *authpolicy.Caller, action, arn string, request map[string]string, keys map[string][]string, change func(map[string]string) map[string]string) (trellis.Revision, error) {
	n, err := f.tagged(c, arn)
	if err != nil {
		return 0, err
	}
	return f.Store.Commit(ctx, func(tx *store.Tx) error {
		fn, err := f.find(tx, c, action, n, request, keys)
		if err != nil {
			return err
		}
		fn.Tags = change(fn.Tags)
		tx.Put(fn)
		return checkTags(fn.Tags)
	})
}

// tagged reads the ARN of a function that has tags: without a qualifier.
func (f *Functions) tagged(c *authpolicy.Caller, arn string) (Name, error) {
	n, err := f.name(c, arn, "")
	if err == nil && n.Qualifier != "" {
		err = invalid("Tags on function aliases and versions are not supported. Please specify just a function ARN.")
	}
	return n, err
}

// Tags returns the tags of the function that an ARN names.
func (f *Functions) Tags(ctx context.Context, c *authpolicy.Caller, arn string) (tags map[string]string, err error) {
	if _, err := f.tagged(c, arn); err != nil {
		return nil, err
	}
	err = f.read(ctx, c, "ListTags", arn, "", func(_ *store.Tx, fn *trellis.Function, _ Name) error {
		tags = fn.Tags
		return nil
	})
	return tags, err
}

// minUnreserved is how many concurrent executions of an account functions can't reserve (Lambda developer guide, concurrency).
const minUnreserved = 100

// Reserve sets how many concurrent executions a function has for itself; nil takes them away.
func (f *Functions) Reserve(ctx context.Context, c *authpolicy.Caller, name string, n *int) (trellis.Revision, error) {
	action := "PutFunctionConcurrency"
	if n == nil {
		action = "DeleteFunctionConcurrency"
	}
	return f.change(ctx, c, action, name, "", func(tx *store.Tx, fn *trellis.Function, _ Name) error {
		fn.Reserved = n
		tx.Put(fn)
		u, err := f.usage(tx, fn.Account)
		if err == nil && n != nil && u.Unreserved < minUnreserved {
			err = invalid("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", minUnreserved)
		}
		return err
	})
}

// Usage is what the functions of an account take of its limits, and these.
type Usage struct {
	Functions       int
	Code, CodeLimit int64 // bytes
	Concurrency     int
	Unreserved      int
}

// usage counts what the functions of an account take.
func (f *Functions) usage(tx *store.Tx, account string) (u Usage, err error) {
	if u.Concurrency, err = f.Quotas.Of(tx, account, quota.ConcurrentExecutions); err != nil {
		return u, err
	}
	gigabytes, err := f.Quotas.Of(tx, account, quota.FunctionStorage)
	if err != nil {
		return u, err
	}
	u.Unreserved, u.CodeLimit = u.Concurrency, int64(gigabytes)<<30
	functions, err := store.List[*trellis.Function](tx, account+"/")
	if err != nil {
		return u, err
	}
	for _, fn := range functions {
		u.Functions++
		u.Code += fn.Code.Size
		if fn.Reserved != nil {
			u.Unreserved -= *fn.Reserved
		}
	}
	versions, err := store.List[*trellis.PublishedVersion](tx, account+"/")
	for _, v := range versions {
		u.Code += v.Code.Size
	}
	return u, err
}

// Account returns what the functions of the caller's account take.
func (f *Functions) Account(ctx context.Context, c *authpolicy.Caller) (u Usage, err error) {
	err = f.Read(ctx, c, "lambda:GetAccountSettings", "*", nil, func(tx *store.Tx) error {
		u, err = f.usage(tx, c.Principal.Account)
		return err
	})
	return u, err
}

// stored refuses code that a transaction has put and that the account has no room for. Its functions are not read while
// before, which is what they took before the transaction, leaves room for many zips, so that creations do not wait for
// each other.
func (f *Functions) stored(tx *store.Tx, account string, before Usage) error {
	if before.Code+100*maxZipped < before.CodeLimit {
		return nil
	}
	u, err := f.usage(tx, account)
	if err == nil && u.Code > u.CodeLimit {
		err = trellis.NewError(400, "CodeStorageExceededException", "Code storage limit exceeded.")
	}
	return err
}
