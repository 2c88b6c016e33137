// Package tag says what the Resource Groups Tagging API means: the tags of all services' resources of an account, found
// in one place, and changed as each service itself would.
package tag

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// Service is how a service changes the tags of a resource that an ARN names, after the caller's policies allowed that.
type Service struct {
	Tag   func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error)
	Untag func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error)
}

// Options is what Tags need beside the store.
type Options struct {
	companion.Options
	Services map[string]Service // by the service's name in ARNs
	Others   []Finder
}

// Finder finds the resources of an account whose tags no noun that the account owns has.
type Finder func(tx *store.Tx, account string) ([]trellis.TaggedResource, error)

// Beside is a Finder of what is not in the store.
func Beside(find func(account string) []trellis.TaggedResource) Finder {
	return func(_ *store.Tx, account string) ([]trellis.TaggedResource, error) { return find(account), nil }
}

// Tags are the tags of all accounts.
type Tags struct {
	*companion.Records
	services map[string]Service
	others   []Finder
}

// New returns the tags.
func New(o Options) *Tags { return &Tags{companion.NewRecords(o.Options), o.Services, o.Others} }

// Filter asks for resources that have a tag: with one of some values, or with any.
type Filter struct {
	Key    string
	Values []string
}

// Query asks for resources. What is empty asks for nothing.
type Query struct {
	Filters []Filter // all must fit
	Types   []string // one must fit: ec2, ec2:vpc
	ARNs    []string
}

// fits tells whether a resource is asked for.
func (q *Query) fits(r *trellis.TaggedResource) bool {
	for _, f := range q.Filters {
		v, has := r.Tags[f.Key]
		if !has || len(f.Values) > 0 && !slices.Contains(f.Values, v) {
			return false
		}
	}
	return (len(q.ARNs) == 0 || slices.Contains(q.ARNs, r.ARN)) && (len(q.Types) == 0 || slices.ContainsFunc(q.Types, func(t string) bool {
		return t == r.Type || strings.HasPrefix(r.Type, t+":")
	}))
}

// kinds are the kinds of nouns to look through.
func (q *Query) kinds() []trellis.Kind {
	if len(q.Types) == 0 {
		return trellis.TaggedKinds("")
	}
	var kinds []trellis.Kind
	for _, t := range q.Types {
		kinds = append(kinds, trellis.TaggedKinds(t)...)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// find returns the resources of the caller's account that have tags and are asked for, by ARN.
func (t *Tags) find(ctx context.Context, c *authpolicy.Caller, action string, q Query) ([]trellis.TaggedResource, error) {
	account := c.Principal.Account
	var found []trellis.TaggedResource
	take := func(all []trellis.TaggedResource) {
		for _, r := range all {
			if len(r.Tags) > 0 && q.fits(&r) {
				found = append(found, r)
			}
		}
	}
	err := t.Read(ctx, c, action, "*", nil, func(tx *store.Tx) error {
		found = nil
		for _, kind := range q.kinds() {
			nouns, err := tx.List(kind, account+"/")
			if err != nil {
				return err
			}
			for _, n := range nouns {
				take(trellis.TaggedResources(n, t.Region))
			}
		}
		for _, others := range t.others {
			all, err := others(tx, account)
			if err != nil {
				return err
			}
			take(all)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b trellis.TaggedResource) int { return strings.Compare(a.ARN, b.ARN) })
	return found, nil
}

// Resources is GetResources, by ARN.
func (t *Tags) Resources(ctx context.Context, c *authpolicy.Caller, q Query) ([]trellis.TaggedResource, error) {
	return t.find(ctx, c, "tag:GetResources", q)
}

// Keys is GetTagKeys, sorted.
func (t *Tags) Keys(ctx context.Context, c *authpolicy.Caller) ([]string, error) {
	found, err := t.find(ctx, c, "tag:GetTagKeys", Query{})
	keys := map[string]bool{}
	for _, r := range found {
		for k := range r.Tags {
			keys[k] = true
		}
	}
	return slices.Sorted(maps.Keys(keys)), err
}

// Values is GetTagValues, sorted.
func (t *Tags) Values(ctx context.Context, c *authpolicy.Caller, key string) ([]string, error) {
	found, err := t.find(ctx, c, "tag:GetTagValues", Query{Filters: []Filter{{Key: key}}})
	values := map[string]bool{}
	for _, r := range found {
		values[r.Tags[key]] = true
	}
	return slices.Sorted(maps.Keys(values)), err
}

// Failures are why tags of some resources were not changed, by ARN. The tags of the others were.
type Failures map[string]*trellis.Error

// TagResources adds tags to resources, each as its own service does it.
func (t *Tags) TagResources(ctx context.Context, c *authpolicy.Caller, arns []string, tags map[string]string) (Failures, trellis.Revision, error) {
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return nil, 0, invalid("%s", fault)
		}
	}
	return t.each(c, "tag:TagResources", authpolicy.TagKeys(nil, tags, nil), arns, func(s Service, arn string) (trellis.Revision, error) {
		return s.Tag(ctx, c, arn, tags)
	})
}

// UntagResources removes tags of resources, each as its own service does it.
func (t *Tags) UntagResources(ctx context.Context, c *authpolicy.Caller, arns, keys []string) (Failures, trellis.Revision, error) {
	return t.each(c, "tag:UntagResources", map[string][]string{"aws:tagkeys": keys}, arns, func(s Service, arn string) (trellis.Revision, error) {
		return s.Untag(ctx, c, arn, keys)
	})
}

// each changes the tags of resources one after another.
func (t *Tags) each(c *authpolicy.Caller, action string, keys map[string][]string, arns []string, change func(s Service, arn string) (trellis.Revision, error)) (Failures, trellis.Revision, error) {
	if err := c.Authorize(action, "*", keys); err != nil {
		return nil, 0, err
	}
	failures, last := Failures{}, trellis.Revision(0)
	for _, arn := range arns {
		a, err := trellis.ParseARN(arn)
		service, known := t.services[a.Service]
		switch {
		case err != nil || !known:
			failures[arn] = invalid("The ARN %s names no resource that can have tags here.", arn)
			continue
		case a.Account != "" && a.Account != c.Principal.Account || a.Region != "" && a.Region != t.Region:
			failures[arn] = invalid("The resource %s is not one of this account and Region.", arn)
			continue
		}
		rev, err := change(service, arn)
		if e, ok := errors.AsType[*trellis.Error](err); ok {
			failures[arn] = e
		} else if err != nil {
			return nil, 0, err
		}
		last = max(last, rev)
	}
	return failures, last, nil
}

// invalid is InvalidParameterException.
func invalid(format string, args ...any) *trellis.Error {
	return trellis.NewError(http.StatusBadRequest, "InvalidParameterException", format, args...)
}
