package estate

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-project/trellis"
)

// readers is how many calls read at the same time.
const readers = 8

// estateTag marks what an apply made, with the name of its estate.
const estateTag = "trellis:estate"

// memo keeps lists that several kinds are read from.
type memo struct {
	mu    sync.Mutex
	pages map[string][]map[string]any
}

// next gives the input of the next page its token, in the form that the service has, and tells whether there is one.
func next(out, in map[string]any) bool {
	if out["IsTruncated"] == false || out["Truncated"] == false {
		return false // and the marker is that of the request
	}
	for _, names := range [][2]string{{"nextToken", "nextToken"}, {"NextToken", "NextToken"}, {"NextMarker", "Marker"}, {"Marker", "Marker"}, {"ContinuationToken", "ContinuationToken"}} {
		if token := text(out[names[0]]); token != "" {
			in[names[1]] = token
			return true
		}
	}
	return false
}

// items lists all items of a paged operation, of which member says where its answers have them; the second time from memory.
func (s *session) items(ctx context.Context, service, operation string, in map[string]any, member string) ([]map[string]any, error) {
	key, _ := json.Marshal(in) // texts alone
	name := operation + string(key) + member
	if s.memo != nil {
		s.memo.mu.Lock()
		found, ok := s.memo.pages[name]
		s.memo.mu.Unlock()
		if ok {
			return found, nil
		}
	}
	in = maps.Clone(in)
	if in == nil {
		in = map[string]any{}
	}
	var all []map[string]any
	for {
		out, err := s.call(ctx, service, operation, in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", operation, err)
		}
		for _, item := range list(at(out, member)) {
			m, ok := item.(map[string]any)
			if !ok {
				m = map[string]any{"": item}
			}
			all = append(all, m)
		}
		if !next(out, in) {
			break
		}
	}
	if s.memo != nil {
		s.memo.mu.Lock()
		s.memo.pages[name] = all
		s.memo.mu.Unlock()
	}
	return all, nil
}

// each makes a thing of every item, many at a time; nil things are left out.
func each(ctx context.Context, items []map[string]any, f func(context.Context, map[string]any) (*thing, error)) ([]*thing, error) {
	things := make([]*thing, len(items))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i, item := range items {
		g.Go(func() error {
			t, err := f(ctx, item)
			if gone(err) || errors.Is(err, errLeftOut) {
				return nil // it went away between list and get, or is nobody's to change
			}
			things[i] = t
			return err
		})
	}
	err := g.Wait()
	return slices.DeleteFunc(things, func(t *thing) bool { return t == nil }), err
}

// gone tells whether an error says that the thing is not there.
func gone(err error) bool {
	var e *trellis.Error
	return errors.As(err, &e) && (strings.Contains(e.Code, "NotFound") || slices.Contains([]string{"NoSuchBucket", "NoSuchEntity", "NoSuchHostedZone", "UnknownResourceException"}, e.Code))
}

// refused tells whether an error has one of some codes.
func refused(err error, codes ...string) bool {
	var e *trellis.Error
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// Reader reads the present state of accounts.
type Reader struct {
	Region   string
	Own      string                                                  // the caller's account
	Accounts func(ctx context.Context, account string) (Call, error) // a client for an account
	Skipped  func(account, kind string, err error)                   // what could not be read; nil: it is an error

	Others      []string                        // accounts that a plan with prune looks into besides those of the files
	Unreachable func(account string, err error) // those of them that the caller may not become

	secrets bool // a plan compares values that nobody may see
}

// state is what is present.
type state struct {
	things  []*thing
	byRef   map[Ref]*thing
	byText  map[string]*thing // by id, ARN, and "account Kind name"
	session map[string]*session
}

// session returns an account's API.
func (r *Reader) session(ctx context.Context, account string) (*session, error) {
	call, err := r.Accounts(ctx, account)
	if err != nil {
		return nil, err
	}
	return &session{account: account, region: r.Region, call: call, alone: new(sync.Mutex)}, nil
}

// read reads the things of some kinds in some accounts.
func (r *Reader) read(ctx context.Context, accounts []string, wanted func(account string, k *kind) bool) (*state, error) {
	st := &state{session: map[string]*session{}}
	for _, account := range accounts {
		s, err := r.session(ctx, account)
		if err != nil {
			return nil, err
		}
		st.session[account] = s
		reading := *s
		reading.memo, reading.secrets = &memo{pages: map[string][]map[string]any{}}, r.secrets
		for _, k := range kinds() {
			if !wanted(account, k) {
				continue
			}
			found, err := r.readKind(ctx, &reading, k)
			if err != nil && r.Skipped != nil && ctx.Err() == nil {
				r.Skipped(account, k.name, err)
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("read %s of account %s: %w", k.name, account, err)
			}
			st.things = append(st.things, found...)
		}
	}
	st.name()
	return st, nil
}

// readKind reads the things of a kind in an account, with their tags but those that are marks.
func (r *Reader) readKind(ctx context.Context, s *session, k *kind) ([]*thing, error) {
	found, err := k.read(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		t.kind, t.account = k, s.account
		if t.arn == "" && k.resource != "" {
			t.arn = ec2ARN(s, t)
		}
	}
	found, err = withTags(ctx, s, k, found)
	for _, t := range found {
		t.madeBy = t.tags[estateTag]
		if k.nameTag && t.tags["Name"] == "" && t.tags[idTag] == t.id {
			delete(t.tags, idTag) // the id is its name
		}
		maps.DeleteFunc(t.tags, func(key, _ string) bool {
			return key == estateTag || key == accountTag || strings.HasPrefix(key, "aws:")
		})
	}
	return found, err
}

// name gives every thing its name and turns ids and ARNs into references.
func (st *state) name() {
	st.byText, st.byRef = map[string]*thing{}, map[Ref]*thing{}
	for _, t := range st.things {
		st.byText[t.id], st.byText[t.arn], st.byText[t.dns] = t, t, t
	}
	for _, t := range st.things { // the role of an instance profile's name, when there is no such profile
		for _, alias := range t.aliases {
			if st.byText[alias] == nil {
				st.byText[alias] = t
			}
		}
	}
	delete(st.byText, "")
	for _, t := range st.things {
		if t.kind.nameTag {
			t.own = cmp.Or(t.tags["Name"], t.own, t.id)
		}
		if t.kind.scope == "" && !t.kind.unnamed {
			t.name = t.own
		}
	}
	st.unlike()
	for _, t := range st.things { // what they belong to comes first in the order of kinds
		for _, m := range t.kind.members {
			if v, ok := t.members[m.name]; ok && !m.form.texts() {
				t.members[m.name] = walk(v, m.name, func(leaf string, v any) any { return st.refer(t, leaf, v) })
			}
		}
		switch {
		case t.kind.scope != "":
			t.name = nameOf(t.members[t.kind.scope]) + "/" + t.own
		case t.kind.unnamed:
			t.name = t.kind.label(t)
		}
	}
	st.unlike()
	for _, t := range st.things {
		for _, m := range t.kind.members {
			if v, ok := t.members[m.name]; ok {
				if !m.form.texts() { // things named since
					v = walk(v, m.name, func(leaf string, v any) any { return st.rename(st.refer(t, leaf, v)) })
				} else {
					v = walk(v, "", func(_ string, v any) any { return st.template(t, v) })
				}
				t.members[m.name] = v
			}
		}
	}
	for _, t := range st.things {
		st.byRef[t.ref()] = t
	}
}

// unlike names things by their ids that have their names in common.
func (st *state) unlike() {
	same := map[Ref][]*thing{}
	for _, t := range st.things {
		same[t.ref()] = append(same[t.ref()], t)
	}
	for _, like := range same {
		if len(like) > 1 && like[0].name != "" {
			for _, t := range like {
				t.own = cmp.Or(t.id, t.arn)
				if t.name = t.own; t.kind.scope != "" {
					t.name = nameOf(t.members[t.kind.scope]) + "/" + t.own
				}
			}
		}
	}
}

// refer turns an id, ARN or name that a member has into a reference, when it is of a thing that was read.
func (st *state) refer(t *thing, leaf string, v any) any {
	of, ok := t.kind.refs[leaf]
	s, isText := v.(string)
	if !ok || !isText {
		return v
	}
	found := st.byText[s]
	for i := 0; found == nil && i < len(of.kinds); i++ {
		found = st.byText[t.account+" "+of.kinds[i]+" "+s]
	}
	if found == nil || !slices.Contains(of.kinds, found.kind.name) {
		return v
	}
	return thingRef{found}
}

// thingRef is a reference to a thing whose name is not yet known, while a state is named.
type thingRef struct{ *thing }

// rename turns it into a Ref.
func (st *state) rename(v any) any {
	if t, ok := v.(thingRef); ok {
		return t.ref()
	}
	return v
}

// nameOf is the name of what a member refers to, for names that are put together.
func nameOf(v any) string {
	switch v := v.(type) {
	case thingRef:
		return v.name
	case Ref:
		return v.Name
	}
	return bare(text(v))
}

// bare is the id in an ARN of VPC Lattice, since both mean the same; other texts as they are.
func bare(s string) string {
	if strings.HasPrefix(s, "arn:") && strings.Contains(s, ":vpc-lattice:") {
		return s[strings.LastIndexByte(s, '/')+1:]
	}
	return s
}

// template puts ${Kind/name} in the place of ARNs with generated ids, in the text of a policy.
func (st *state) template(t *thing, v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	for text, found := range st.byText {
		if found.kind.name == "Organization" && strings.HasPrefix(text, "o-") {
			s = strings.ReplaceAll(s, `"`+text+`"`, `"${Organization/organization#id}"`)
		}
	}
	return arnIn.ReplaceAllStringFunc(s, func(arn string) string {
		for end := len(arn); end > 0; end = max(strings.LastIndexByte(arn[:end], '/'), 0) {
			if found := st.byText[arn[:end]]; found != nil && found.kind.prefix != "" {
				return "${" + spell(t.account, found.ref()) + "}" + arn[end:]
			}
		}
		return arn
	})
}

// spell is a reference as ${…} has it, seen from an account.
func spell(from string, r Ref) string {
	if r.Account != "" && r.Account != from {
		return r.Kind + "/" + r.Account + ":" + r.Name
	}
	return r.String()
}

// take copies members from an answer: "a" or "a=b" for a member a of documents that answers call b.
func take(from map[string]any, names ...string) map[string]any {
	out := map[string]any{}
	for _, n := range names {
		to, as, ok := strings.Cut(n, "=")
		if !ok {
			as = to
		}
		v := from[as]
		if b, ok := v.([]byte); ok {
			v = base64.StdEncoding.EncodeToString(b)
		}
		if v != nil && v != "" {
			out[to] = v
		}
	}
	return out
}
