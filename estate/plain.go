package estate

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// plain says what tells a kind from others whose operations are like those of most services: one lists, one says how one is,
// one creates, one takes members anew, one deletes.
type plain struct {
	list  string                                                          // the operation that lists
	with  map[string]any                                                  // its input
	items string                                                          // where its answer has what is listed
	lists func(ctx context.Context, s *session) ([]map[string]any, error) // lists instead, what belongs to something else

	get string                        // the operation that says how one is; empty: the list does
	ask func(t *thing) map[string]any // its input, where that is not as identify has it
	got string                        // where its answer has the thing

	own, id, arn string   // members of what is listed and got that are the name, the id and the ARN
	dns          string   // and the one that is AWS's name for it in DNS
	renamed      []string // members that answers call otherwise: "a=b"
	// more reads and mends the rest. answer is all that get answered, or what was listed. errLeftOut says that the thing is not
	// to be read.
	more func(ctx context.Context, s *session, answer map[string]any, t *thing) error

	made  string            // where the answer of the creating operation has id and ARN
	whole bool              // the changing operation takes all members, and what it is not given is gone
	sets  map[string]setter // members that have operations of their own

	status, reason string   // where what is got has its status, and why it is so
	done, failed   []string // the statuses that are waited for, and those that end the waiting
}

// setter makes a member what is wanted. have is nil for a thing that was just made.
type setter func(ctx context.Context, s *session, t *thing, want, have any) error

// above is before the names of members that a lister puts into what it lists: what that belongs to.
const above = "\x00"

// errLeftOut says that something that was listed is not to be read.
var errLeftOut = errors.New("left out")

// of gives a kind the functions that these operations make, but for those that it has already.
func (p plain) of(k *kind) *kind {
	if k.read == nil {
		k.read = func(ctx context.Context, s *session) ([]*thing, error) { return p.read(ctx, s, k) }
	}
	if k.make == nil {
		k.make = p.create
	}
	if k.change == nil {
		k.change = p.change
	}
	if k.unmake == nil {
		k.unmake = p.unmake
	}
	return k
}

// read lists the things of a kind and looks at each.
func (p plain) read(ctx context.Context, s *session, k *kind) ([]*thing, error) {
	lists := p.lists
	if lists == nil {
		lists = func(ctx context.Context, s *session) ([]map[string]any, error) {
			return s.items(ctx, k.service, p.list, p.with, p.items)
		}
	}
	found, err := lists(ctx, s)
	if err != nil {
		return nil, err
	}
	names := slices.Clone(p.renamed)
	for _, m := range k.members {
		if !slices.ContainsFunc(p.renamed, func(r string) bool { return strings.HasPrefix(r, m.name+"=") }) {
			names = append(names, m.name)
		}
	}
	return each(ctx, found, func(ctx context.Context, item map[string]any) (*thing, error) {
		t := &thing{kind: k, account: s.account, raw: map[string]string{}}
		t.own, t.id, t.arn = first(text(item[p.own]), text(item[""])), text(item[p.id]), text(item[p.arn])
		for name, v := range item {
			if of, ok := strings.CutPrefix(name, above); ok {
				t.raw[of] = text(v)
			}
		}
		answer := item
		if p.get != "" && len(item) > 0 {
			var err error
			if answer, err = s.call(ctx, k.service, p.get, p.asked(t)); err != nil {
				return nil, err
			}
			item = part(answer, p.got)
			t.own, t.id, t.arn = first(text(item[p.own]), t.own), first(text(item[p.id]), t.id), first(text(item[p.arn]), t.arn)
		}
		if p.dns != "" {
			t.dns = text(item[p.dns])
		}
		t.members = take(item, names...)
		if tags, ok := item["tags"]; ok {
			t.tags = tagsOf(tags)
		}
		if p.more != nil {
			return t, p.more(ctx, s, answer, t)
		}
		return t, nil
	})
}

// asked is the input of get.
func (p plain) asked(t *thing) map[string]any {
	if p.ask != nil {
		return p.ask(t)
	}
	return identify(t)
}

// identify is the input that says which thing is meant.
func identify(t *thing) map[string]any {
	in := map[string]any{t.kind.id: first(t.id, t.own)}
	for k, v := range t.raw {
		in[k] = v
	}
	return in
}

// create creates a thing and waits until it is there.
func (p plain) create(ctx context.Context, s *session, t *thing, in map[string]any) error {
	out, err := s.call(ctx, t.kind.service, t.kind.create, in)
	if err != nil {
		return err
	}
	made := part(out, p.made)
	t.id, t.arn, t.dns = text(made[p.id]), text(made[p.arn]), text(made[p.dns])
	return p.settle(ctx, s, t)
}

// settle waits until a thing has the status that it shall have.
func (p plain) settle(ctx context.Context, s *session, t *thing) error {
	if p.status == "" {
		return nil
	}
	return await(ctx, func() (bool, error) {
		out, err := s.call(ctx, t.kind.service, p.get, p.asked(t))
		if err != nil {
			return false, err
		}
		item := part(out, p.got)
		status := text(at(item, p.status))
		if slices.Contains(p.failed, status) {
			return false, failedError{status, text(at(item, p.reason))}
		}
		return slices.Contains(p.done, status), nil
	})
}

// change sets the members that differ: those with operations of their own, and then the others by one.
func (p plain) change(ctx context.Context, s *session, t, old *thing, changed []string) error {
	in := map[string]any{}
	for _, name := range changed {
		want, have := s.sent(t, t.members[name], name), any(nil)
		if old != nil {
			have = s.sent(t, old.members[name], name)
		}
		if want == nil {
			want = unlessNothing(t.kind.member(name).def)
		}
		if set := p.sets[name]; set != nil {
			if err := set(ctx, s, t, want, have); err != nil {
				return err
			}
			continue
		}
		if want == nil && !p.whole {
			want = emptied(have)
		}
		in[name] = want
	}
	if len(in) == 0 {
		return p.settle(ctx, s, t)
	}
	if p.whole {
		for _, m := range t.kind.members {
			if _, has := in[m.name]; !has && !m.later && t.members[m.name] != nil {
				in[m.name] = s.sent(t, t.members[m.name], m.name)
			}
		}
	}
	if t.kind.wrap != nil {
		in = t.kind.wrap(in)
	}
	maps.Copy(in, identify(t))
	if err := s.do(ctx, t.kind.service, t.kind.update, in); err != nil {
		return err
	}
	return p.settle(ctx, s, t)
}

// emptied is what takes a value away that the API has no null for.
func emptied(have any) any {
	switch have.(type) {
	case string:
		return ""
	case []any:
		return []any{}
	case map[string]any:
		return map[string]any{}
	}
	return nil
}

// unmake deletes a thing, and waits until it is gone where that takes a while.
func (p plain) unmake(ctx context.Context, s *session, t *thing) error {
	if err := s.do(ctx, t.kind.service, t.kind.remove, identify(t)); err != nil || p.status == "" {
		return unlessGone(err)
	}
	return await(ctx, func() (bool, error) {
		_, err := s.call(ctx, t.kind.service, p.get, p.asked(t))
		return gone(err), unlessGone(err)
	})
}
