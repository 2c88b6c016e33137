package estate

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Call calls an operation: the service's folder or signing name, the operation, input and output under AWS's member
// names. It is client.Client.Call.
type Call func(ctx context.Context, service, operation string, in map[string]any) (map[string]any, error)

// Ref is a reference to a thing by its name, where AWS has an id or ARN. Names of things that belong to others begin
// with theirs: the listener http of the service checkout is checkout/http. The organization's things are no account's.
type Ref struct{ Kind, Account, Name string }

// String is the reference as the text of a policy has it, without its account.
func (r Ref) String() string { return r.Kind + "/" + r.Name }

// reference says what a member that refers to things means.
type reference struct {
	kinds []string // that it may name
	arn   bool     // the API wants ARNs, else ids
	dns   bool     // the API wants the names that AWS gave them, or any other
}

// member is one member of a kind's documents.
type member struct {
	name     string
	required bool
	fixed    bool              // AWS has no operation that changes it
	later    bool              // set by calls of its own after the thing was made, by the kind's change
	late     bool              // later, and what it refers to may be made after this: security groups name one another
	set      bool              // a list whose order means nothing
	part     bool              // a structure of which a document may say a part: the rest is AWS's or stays
	form     form              // of what is more than a value
	stays    bool              // AWS can change it, and not take it away
	each     string            // the operation whose input each element of the list is
	secret   func(*thing) bool // tells whether nobody may see it: no export writes it, no plan shows it
	def      any               // what it is when a document doesn't say it; nil: it stays as it is
	check    string
	norm     func(any) any // makes two ways to say the same one
}

// form is what a member is that is more than a value of the API.
type form int

// The forms of members.
const (
	plainValue  form = iota
	policyText       // a policy as YAML, JSON or text
	policyTexts      // such by name
	jsonText         // any JSON as YAML, JSON or text
	ruleText         // the rule of a composite alarm, in which alarms stand by their names
	codeFile         // a zip or directory beside the document, or a structure that says where else the code is
)

// texts tells whether a member is JSON, in which ${Kind/name} stands for ARNs.
func (f form) texts() bool { return f == policyText || f == policyTexts || f == jsonText }

// nothing is the default of members that are empty unless a document says otherwise.
const nothing = "\x00"

// thing is a noun, as a document wants it or as it is present.
type thing struct {
	kind    *kind
	account string
	name    string // with the names of what it belongs to
	own     string // without
	members map[string]any
	tags    map[string]string

	doc *document // of wanted things

	id, arn string
	dns     string            // the name that AWS gave it
	codeAt  string            // the URL of its code
	aliases []string          // other texts that refer to it
	raw     map[string]string // ids of what it belongs to
	madeBy  string            // the estate whose apply made it
	shared  bool              // a share has it, so that its resource policy may be the share's
	builtin bool              // AWS makes it by itself: exported when something refers to it, never made or deleted
}

// ref is how others refer to it.
func (t *thing) ref() Ref { return refTo(t.kind, t.account, t.name) }

// refTo is a reference to a thing of a kind.
func refTo(k *kind, account, name string) Ref {
	if k.management {
		account = ""
	}
	return Ref{k.name, account, name}
}

// kind is a sort of thing: what documents say of it and which operations mean it.
type kind struct {
	name, service string
	prefix        string         // of generated ids: svc for svc-0123…; what they are called in ARNs where they have no prefix
	ids           *regexp.Regexp // forms of texts that name one outside of the files, where they are not prefix-0123…
	resource      string         // how EC2 calls it in ARNs
	id            string         // member of the operations that says which thing: serviceIdentifier
	nameMember    string         // member of the creating operation that has the document's name
	nameTag       bool           // its name is the tag Name, or its id
	given         string         // the name of the one that AWS makes by itself with what it belongs to
	unnamed       bool           // its name comes from what it joins: label gives it
	scope         string         // member that names what it belongs to
	roaming       bool           // it takes any addresses of its subnets that are free
	management    bool           // of the organization, in the management account
	tagless       bool           // AWS keeps no tags of it
	label         func(*thing) string
	members       []member
	refs          map[string]reference                   // by the name of a member, at any depth
	alike         func(t *thing, name string, v any) any // puts into a member what goes without saying
	defaults      map[string]any                         // of nested members: whoever says them says nothing

	wrap   func(in map[string]any) map[string]any // makes of members the input of the creating operation, where it has them otherwise; of the changing one, too
	create string                                 // the creating operation, whose model documents are checked against
	get    string                                 // the operation that says how it is
	update string
	remove string

	read   func(ctx context.Context, s *session) ([]*thing, error)
	make   func(ctx context.Context, s *session, t *thing, in map[string]any) error
	change func(ctx context.Context, s *session, t, old *thing, changed []string) error
	unmake func(ctx context.Context, s *session, t *thing) error
}

// member finds a member by name.
func (k *kind) member(name string) *member {
	for i := range k.members {
		if k.members[i].name == name {
			return &k.members[i]
		}
	}
	return nil
}

// kinds are all kinds, in the order of exports: what others refer to comes first.
func kinds() []*kind {
	return slices.Concat(organizationKinds(), iamKinds(), anywhereKinds(), clusterKinds(), keyKinds(), parameterKinds(), ec2Kinds(), sharingKinds(), bucketKinds(),
		deliveryStreamKinds(), functionKinds(), loadBalancerKinds(), latticeKinds(), hostedZoneKinds(), alarmKinds(), shareKinds())
}

// Kinds are the names of all kinds.
func Kinds() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// kindOf finds a kind by name.
func kindOf(all []*kind, name string) *kind {
	for _, k := range all {
		if k.name == name {
			return k
		}
	}
	return nil
}

// nearest is the name most like a wrong one, for a hint; empty when none is like it.
func nearest(name string, names []string) string {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	for _, n := range names {
		if a, b := strings.ToLower(n), strings.ToLower(name); distance(a, b) <= 2 || len(b) > 3 && strings.HasPrefix(a, b) {
			return n
		}
	}
	return ""
}

// distance is how many letters must be changed, added or left out (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, before+cost)
		}
	}
	return row[len(b)]
}

// session is one account's API, with what was listed already.
type session struct {
	account, region string
	call            Call
	memo            *memo
	alone           *sync.Mutex                            // held by changes that take something from one thing for another
	secrets         bool                                   // values that nobody may see are read, to compare them
	sent            func(t *thing, v any, leaf string) any // names to ids, set while a plan is carried out
}

// do calls an operation of the thing's service.
func (s *session) do(ctx context.Context, service, operation string, in map[string]any) error {
	_, err := s.call(ctx, service, operation, in)
	return err
}

// walk visits every scalar and Ref of a value with the name of the member that it is under, and returns the value
// that f makes of it.
func walk(v any, leaf string, f func(leaf string, v any) any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = walk(e, k, f)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = walk(e, leaf, f)
		}
		return out
	}
	return f(leaf, v)
}

// at is what stands at a place below a value: members joined by dots, through the first elements of lists.
func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		if l := list(v); len(l) > 0 {
			v = l[0]
		}
		if name != "" {
			v = structure(v)[name]
		}
	}
	return v
}

// part is the structure at a place below a value, or the first of those that are there.
func part(v any, path string) map[string]any {
	v = at(v, path)
	if l := list(v); len(l) > 0 {
		v = l[0]
	}
	return structure(v)
}

// text is a value as a text; what is absent is empty.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// structure is a value that is one, else an empty one.
func structure(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// list is a value that is one, else an empty one.
func list(v any) []any {
	l, _ := v.([]any)
	return l
}
