//go:build thorough

package main

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// What differs from answer to answer.
var chances = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+0000)|\b1[78]\d{8}(\.\d+)?\b`), "<time>"},
	{regexp.MustCompile(`"(_|vpc-lattice:)[0-9a-f]{14,32}"`), `"$1<random>"`},
	{regexp.MustCompile(`\ba-[0-9a-z]{17}\b`), "a-<id>"},
	{regexp.MustCompile(`\b10-[12]-1-\d+\b|\b10\.[12]\.1\.\d+\b`), "<address>"},
	{regexp.MustCompile(`\bagain-\d+`), "<again>"},
	{regexp.MustCompile(`-[0-9a-f]{17}\b`), "-<id>"},
	{regexp.MustCompile(`\b((?:o|p|h|ou-[0-9a-z]{4,32})-)[0-9a-z]{8,32}\b`), "$1<id>"},
	{regexp.MustCompile(`"(port|priority)":1\d{3}\b`), `"$1":<again>`},
	{regexp.MustCompile(`\b[CZ][0-9A-Z]{13,20}\b`), "<id>"},
	{regexp.MustCompile(`\b0[0-9a-f]{16}\b|\b[0-9a-f]{16}\b`), "<id>"},
	{regexp.MustCompile(`\b(AIDA|AROA|ANPA|AGPA|AIPA|AKIA|ASIA)[A-Z2-7]{10,}\b`), "$1<id>"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "<id>"},
	{regexp.MustCompile(`"(GrantToken)":"[^"]*"`), `"$1":"<random>"`},
	{regexp.MustCompile(`<(SecretAccessKey|SessionToken)>[^<]*`), "<$1>"},
}

// probe sends an input as a stranger and returns the answer without what differs from time to time, and without the texts
// that were sent. others are texts that must not be in it.
func (w *whole) probe(t *testing.T, as string, m *wire.Model, op *wire.Operation, tree map[string]any, sent, others []string) string {
	t.Helper()
	r, body := w.request(t, m, op, tree)
	request := r.Method + " " + r.URL.RequestURI() + " " + body
	status, header, answer := w.send(t, as, m.SigningName, r, body)
	answer = header.Get("X-Amzn-Errortype") + " " + answer
	for _, s := range sent {
		answer = strings.ReplaceAll(answer, strings.TrimSuffix(s, ":*"), "<sent>")
		if _, path, ok := strings.Cut(s, ":parameter/"); ok {
			answer = strings.ReplaceAll(answer, "/"+path, "<sent>")
		}
		if id := s[strings.LastIndexAny(s, "/:")+1:]; len(id) > 4 {
			answer = strings.ReplaceAll(answer, id, "<sent>")
		}
		for _, id := range hexes.FindAllString(s, -1) {
			answer = strings.ReplaceAll(answer, id, "<sent>")
		}
	}
	for _, o := range others {
		if strings.Contains(answer, o) {
			t.Errorf("%s: the stranger sees %s\n%.300s\n%.600s", op.Name, o, request, answer)
			break
		}
	}
	for _, c := range chances {
		answer = c.form.ReplaceAllString(answer, c.as)
	}
	return strconv.Itoa(status) + " " + answer
}

// nouns are all nouns of an account, by kind and key, as they are stored.
func nouns(t *testing.T, account string) map[string]string {
	t.Helper()
	out := map[string]string{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_ = shared.Follow(ctx, func(ch store.Change) error {
		for _, n := range ch.Puts {
			if strings.HasPrefix(n.Key(), account) || strings.Contains(n.Key(), account) && !strings.HasPrefix(n.Key(), stranger) {
				text, err := json.Marshal(n)
				if err != nil {
					t.Error(err)
				}
				out[string(n.Kind())+"/"+n.Key()] = string(text)
			}
		}
		return context.Canceled
	})
	return out
}

// The accounts of the matrix.
const (
	owner    = "444455556666"
	stranger = "777788889999"
	guest    = "222233334444" // whom both invite into their organizations
)

// TestTenants calls every operation that is served as a stranger, with the ids, ARNs and names of what another account
// has in every place that takes one: the answer is that to ids, ARNs and names of nothing, no answer shows anything of
// the other account, and nothing of it is changed.
func TestTenants(t *testing.T) {
	w, plane := start(t, false)
	w.running(t, plane)
	made := materials(t)
	theirs, mine := w.newTenant(t, owner, made), w.newTenant(t, stranger, made)
	w.settled(t, theirs, mine)
	theirs.leaves = slices.DeleteFunc(theirs.leaves, func(l leaf) bool { return slices.Contains(mine.leaves, l) }) // what both have is nobody's
	secrets := theirs.secrets()
	tried := map[string]bool{}
	matrix := func(t *testing.T, of func(name string) bool, naming bool) {
		for _, s := range w.services {
			for _, row := range s.Operations {
				if row.Served && of(row.Name) {
					op, _ := s.Model.Operation(row.Name)
					if w.strange(t, s.Model, op, mine, theirs, naming, secrets) > 0 {
						tried[s.Model.Folder+" "+row.Name] = true
					}
				}
			}
		}
	}
	others := func(name string) bool { return !reads.MatchString(name) && !takesAway.MatchString(name) }
	all := nouns(t, owner)
	t.Run("calls that read", func(t *testing.T) { matrix(t, reads.MatchString, false) })
	same(t, all, nouns(t, owner))
	secrets = theirs.unsaid(mine)
	t.Run("a share", func(t *testing.T) { w.sharing(t, mine, theirs, secrets) })
	all, shown := nouns(t, owner), w.shown(t, theirs)
	t.Run("page tokens", func(t *testing.T) { w.strangeTokens(t, mine, theirs) })
	t.Run("calls that write", func(t *testing.T) { matrix(t, others, false) })
	secrets = theirs.unsaid(mine)
	t.Run("calls that take away", func(t *testing.T) { matrix(t, takesAway.MatchString, false) })
	t.Run("names", func(t *testing.T) { matrix(t, others, true) })
	secrets = theirs.unsaid(mine)
	t.Run("lists", func(t *testing.T) { w.lists(t, mine, secrets) })
	same(t, all, nouns(t, owner))
	same(t, shown, w.shown(t, theirs))
	for _, s := range w.services {
		for _, row := range s.Operations {
			name := s.Model.Folder + " " + row.Name
			if _, reason := theirs.reasons[name]; row.Served && tried[name] == reason {
				t.Errorf("%s: tried is %v, and there is a reason why it is not: %v", name, tried[name], reason)
			}
		}
	}
}

// same holds what there was of the owner against what there is.
func same(t *testing.T, before, after map[string]string) {
	t.Helper()
	for key, text := range before {
		if after[key] != text {
			t.Errorf("%s was\n%.2000s\nand is\n%.2000s", key, text, after[key])
		}
	}
	for key := range after {
		if before[key] == "" {
			t.Errorf("%s is new\n%.2000s", key, after[key])
		}
	}
}

// shown is what the owner's reading operations answer to the owner, by operation, without what differs from time to time.
func (w *whole) shown(t *testing.T, me *tenant) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, s := range w.services {
		for _, row := range s.Operations {
			if op, _ := s.Model.Operation(row.Name); row.Served && reads.MatchString(row.Name) {
				out[s.Model.Folder+" "+row.Name] = w.probe(t, me.account, s.Model, op, me.base(s.Model, op), nil, nil)
			}
		}
	}
	return out
}

// lists looks in what the stranger is shown of his own at the end for what the owner has and he has not said himself.
func (w *whole) lists(t *testing.T, mine *tenant, secrets []string) {
	for _, s := range w.services {
		for _, row := range s.Operations {
			if op, _ := s.Model.Operation(row.Name); row.Served && reads.MatchString(row.Name) {
				w.probe(t, stranger, s.Model, op, mine.base(s.Model, op), nil, secrets)
			}
		}
	}
}

// running moves statuses on until the test ends.
func (w *whole) running(t *testing.T, plane *controlplane.Plane) {
	t.Helper()
	if err := plane.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- plane.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// settled waits until nothing of tenants is in progress.
func (w *whole) settled(t *testing.T, tenants ...*tenant) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		busy := ""
		for _, me := range tenants {
			for key, text := range nouns(t, me.account) {
				if strings.Contains(text, "IN_PROGRESS") || strings.Contains(text, "PENDING_VALIDATION") || strings.Contains(text, `"pending"`) {
					busy = key + text
				}
			}
		}
		if busy == "" {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still %s", busy)
		}
	}
}

// reads are the operations that show something of the stranger's own by themselves.
var reads = regexp.MustCompile(`^(Describe|Filter|Get|List)`)

// takesAway are the operations that end something of the stranger's own, when they are given it: they come last.
var takesAway = regexp.MustCompile(`^(Delete|Terminate|Detach|Disassociate|Remove|Stop|Close|Leave|Revoke)`)

// strange probes one operation, and returns how often: with all that names what is there, or naming, with the names alone
// that are free for everybody.
func (w *whole) strange(t *testing.T, m *wire.Model, op *wire.Operation, mine, theirs *tenant, naming bool, secrets []string) (tried int) {
	if reads.MatchString(op.Name) && !naming {
		w.probe(t, stranger, m, op, mine.base(m, op), nil, secrets)
	}
	if !naming { // what the owner sends, word for word
		in := theirs.base(m, op)
		all := foreign{value: encode(t, in)}
		w.probe(t, stranger, m, op, in, nil, slices.DeleteFunc(slices.Clone(secrets), all.holds))
	}
	for _, at := range places(op.In, nil, nil) {
		if op.Name == "RunInstances" && (len(at.path) > 2 || at.path[0] == "Placement" || at.path[0] == "ImageId") {
			continue // what it does not look at
		}
		prefix := map[bool]string{true: "each", false: ""}[at.each]
		for _, name := range theirs.names(m, at.field, prefix) {
			if name.none == name.value || name.free(op) != naming {
				continue
			}
			r := theirs.rule(m, op, at.path, name.value)
			if r != nil && r.there != "own" && r.not == "own" { // it will be there then, and nobody's is still to be nobody's
				mine.made++
				name.none += "-" + strconv.Itoa(mine.made)
			}
			tried++
			mine.said = append(mine.said, name)
			where := op.Name + " with " + strings.Join(at.path, ".")
			hidden := slices.DeleteFunc(slices.Clone(secrets), name.holds)
			answer := func(value string) string {
				if naming && m.Folder == "vpclattice" {
					w.settled(t, mine)
				}
				tree := put(mine.base(m, op), at.path, value).(map[string]any) // of a new name, port and priority each time
				return w.probe(t, stranger, m, op, tree, []string{value}, hidden)
			}
			got, want := answer(name.value), answer(name.none)
			if r == nil && m.Folder == "vpclattice" && strings.HasPrefix(want, "409") {
				t.Errorf("%s = %s does not come to the look-up: %.200s", where, name.none, want)
			}
			if r != nil {
				if !is(r.there, got) || !is(r.not, want) {
					t.Errorf("%s = %s\ngot  %.500s\nwant %s, and for nobody's\ngot  %.500s\nwant %s", where, name.value, got, r.there, want, r.not)
				}
			} else if got != want {
				t.Errorf("%s = %s\ngot  %.500s\nwant %.500s", where, name.value, got, want)
			}
		}
	}
	return tried
}

// strangeTokens takes the owner's page tokens to every operation that has pages: as a stranger's they are as good as made
// up, and the owner's own are good only as they are.
func (w *whole) strangeTokens(t *testing.T, mine, theirs *tenant) {
	paged := 0
	for _, s := range w.services {
		for _, row := range s.Operations {
			op, _ := s.Model.Operation(row.Name)
			size, in := pages(op.In)
			if !row.Served || size.Name == "" {
				continue
			}
			input := theirs.base(s.Model, op)
			input[size.Tag.Get("wire")] = int(max(1, tags{size.Tag, ""}.bound("range", 0, 1)))
			ask := func(token string) (status int, answer string) {
				tree := input
				if token != "" {
					tree = put(input, []string{in.Tag.Get("wire")}, token).(map[string]any)
				}
				r, body := w.request(t, s.Model, op, tree)
				status, _, answer = w.send(t, owner, s.Model.SigningName, r, body)
				return status, answer
			}
			_, answer := ask("")
			found := nextToken.FindStringSubmatch(answer)
			if found == nil {
				if s.Model.Folder == "vpclattice" {
					t.Errorf("%s gives no token: %.300s", op.Name, answer)
				}
				continue
			}
			paged++
			token := found[2]
			if status, answer := ask(token); status != 200 {
				t.Errorf("%s with its own token: %d %.300s", op.Name, status, answer)
			}
			other := token[:len(token)-1] + "A" + token[len(token)-1:]
			if status, answer := ask(other); status < 400 || status > 499 {
				t.Errorf("%s with a token that was tampered with: %d %.300s", op.Name, status, answer)
			}
			base := mine.base(s.Model, op)
			got := w.probe(t, stranger, s.Model, op, put(base, []string{in.Tag.Get("wire")}, token).(map[string]any), []string{token}, nil)
			want := w.probe(t, stranger, s.Model, op, put(base, []string{in.Tag.Get("wire")}, other).(map[string]any), []string{other}, nil)
			if got != want || !strings.HasPrefix(got, "4") {
				t.Errorf("%s with the token of another account\ngot  %.300s\nwant %.300s", op.Name, got, want)
			}
		}
	}
	t.Logf("%d operations gave tokens", paged)
}

// nextToken finds the page token in an answer.
var nextToken = regexp.MustCompile(`["<](nextToken|NextToken|Marker)(?:":"|>)([^"<]+)`)

// pages are the members of an input that say how large a page is and where it begins.
func pages(t reflect.Type) (size, token reflect.StructField) {
	for f := range members(t) {
		switch strings.ToLower(f.Tag.Get("wire")) {
		case "maxresults", "maxitems", "limit", "pagesize":
			size = f
		case "nexttoken", "marker":
			token = f
		}
	}
	if token.Name == "" {
		size = token
	}
	return size, token
}

// sharing shares one network with the stranger: it opens that network and nothing else, and closes at once.
func (w *whole) sharing(t *testing.T, mine, theirs *tenant, secrets []string) {
	a, b := w.as(t, owner), w.as(t, stranger)
	unshared := func() map[string]string {
		all := nouns(t, owner)
		maps.DeleteFunc(all, func(key, _ string) bool { return strings.HasPrefix(key, string(trellis.KindResourceShare)+"/") })
		return all
	}
	before := unshared()
	spare := find(theirs.answers, []string{"spare", "arn"})
	id := find(theirs.answers, []string{"spare", "id"})
	share, err := a.Call(t.Context(), "ram", "CreateResourceShare", map[string]any{"name": "spare", "resourceArns": []any{spare}, "principals": []any{stranger}})
	if err != nil {
		t.Fatal(err)
	}
	lattice := w.services[slices.IndexFunc(w.services, func(s api.Service) bool { return s.Model.Folder == "vpclattice" })].Model
	get, _ := lattice.Operation("GetServiceNetwork")
	seen := func() string {
		return w.probe(t, stranger, lattice, get, map[string]any{"serviceNetworkIdentifier": spare}, []string{spare}, nil)
	}
	nothing := w.probe(t, stranger, lattice, get, map[string]any{"serviceNetworkIdentifier": nobodys(spare)}, []string{nobodys(spare)}, nil)
	if got := seen(); got != nothing {
		t.Errorf("before the invitation is accepted: %s", got)
	}
	invitations, err := b.Call(t.Context(), "ram", "GetResourceShareInvitations", nil)
	if err != nil {
		t.Fatal(err)
	}
	invitation := find(invitations, []string{"resourceShareInvitations", "0", "resourceShareInvitationArn"})
	if _, err := b.Call(t.Context(), "ram", "AcceptResourceShareInvitation", map[string]any{"resourceShareInvitationArn": invitation}); err != nil {
		t.Fatal(err)
	}
	if got := seen(); !strings.HasPrefix(got, "200") {
		t.Errorf("shared, and not seen: %s", got)
	}
	others, one := *theirs, *theirs
	others.leaves = slices.DeleteFunc(slices.Clone(theirs.leaves), func(l leaf) bool { return strings.Contains(l.value, id) })
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return strings.Contains(id, s) })
	for i := range lattice.Operations {
		if op := &lattice.Operations[i]; !takesAway.MatchString(op.Name) {
			w.strange(t, lattice, op, mine, &others, false, secrets)
		}
	}
	if _, err := a.Call(t.Context(), "ram", "DeleteResourceShare", map[string]any{"resourceShareArn": find(share, []string{"resourceShare", "resourceShareArn"})}); err != nil {
		t.Fatal(err)
	}
	if got := seen(); got != nothing {
		t.Errorf("after the share is deleted\ngot  %s\nwant %s", got, nothing)
	}
	one.leaves, one.further = slices.DeleteFunc(slices.Clone(theirs.leaves), func(l leaf) bool { return !strings.Contains(l.value, id) }), nil
	for i := range lattice.Operations {
		if op := &lattice.Operations[i]; !takesAway.MatchString(op.Name) {
			w.strange(t, lattice, op, mine, &one, false, append(secrets, id))
		}
	}
	same(t, before, unshared())
}
