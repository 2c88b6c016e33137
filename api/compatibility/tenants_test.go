//go:build thorough

package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
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

// tenant is what an account has made by testdata/tenant.txt.
type tenant struct {
	account string
	answers map[string]any // of the last turn, by name
	inputs  map[string]any // of the first turn, by service and operation
	made    int            // names of things that were asked for since
	leaves  []leaf         // in the order in which they came
}

// leaf is a text in an answer, by the name of the member that holds it.
type leaf struct{ key, value string }

// newTenant plays the file for an account.
func (w *whole) newTenant(t *testing.T, account, ca string) *tenant {
	t.Helper()
	file, err := os.Open("testdata/tenant.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, err = shared.Commit(t.Context(), func(tx *store.Tx) error {
		for _, id := range []string{account, guest} {
			tx.Put(&trellis.Account{ID: id, Name: "tenant-" + id, Email: id + "@example.com", Status: "ACTIVE"})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := w.as(t, account)
	me := &tenant{account: account, answers: map[string]any{}, inputs: map[string]any{}}
	for n := range 2 {
		if _, err := file.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		turn := maps.Clone(me.answers)
		for lines := bufio.NewScanner(file); lines.Scan(); {
			line := lines.Text()
			if line == "" || strings.HasPrefix(line, "#") || n > 0 && strings.HasPrefix(line, "the-") {
				continue
			}
			parts := strings.SplitN(line, " ", 5)
			text := strings.NewReplacer("%account", account, "%n", strconv.Itoa(n+1), "%ca", strings.ReplaceAll(ca, "\n", `\n`)).Replace(parts[4])
			text = reference.ReplaceAllStringFunc(text, func(r string) string { return find(turn, strings.Split(r[1:], ".")) })
			var in map[string]any
			if err := json.Unmarshal([]byte(text), &in); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if parts[0] == "?" {
				me.inputs[parts[2]+" "+parts[3]] = in
				continue
			}
			out, err := c.Call(t.Context(), parts[2], parts[3], in)
			if err != nil {
				t.Fatalf("%s: %s: %v", line, text, err)
			}
			turn[parts[0]], me.answers[parts[0]] = out, out
			me.collect("", out)
			me.collect("", in)
			if name := parts[2] + " " + parts[3]; me.inputs[name] == nil {
				me.inputs[name] = in
			}
		}
	}
	return me
}

// reference is a part of an earlier answer.
var reference = regexp.MustCompile(`\$[a-z-]+(\.[A-Za-z0-9]+)+`)

// find is the text at a path.
func find(tree any, path []string) string {
	for _, p := range path {
		switch at := tree.(type) {
		case map[string]any:
			tree = at[p]
		case []any:
			i, _ := strconv.Atoi(p)
			tree = at[i]
		}
	}
	return fmt.Sprint(tree)
}

// collect notes the texts of an answer.
func (me *tenant) collect(key string, tree any) {
	switch v := tree.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			me.collect(k, v[k])
		}
	case []any:
		for _, sub := range v {
			me.collect(key, sub)
		}
	case string:
		me.leaves = append(me.leaves, leaf{singular(key), v})
	}
}

// singular is the name of a member as that of one value, in small letters.
func singular(name string) string { return strings.TrimSuffix(strings.ToLower(name), "s") }

// identifying are the texts that name something: ids, ARNs, UUIDs.
var identifying = regexp.MustCompile(`^(arn:.*|[a-z]+-[0-9a-f]{17}|[a-z]+-assoc-[0-9a-f]{17}|a-[0-9a-z]{17}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(o|p|r|h|ou)-[0-9a-z-]{4,})$`)

// names are the texts of a tenant that a member may be given: those that were found under its name, and for members that
// take ids or ARNs of many things, all of the service that its pattern allows. VPC Lattice and RAM take those of others.
func (me *tenant) names(m *wire.Model, f reflect.StructField, prefix string) []string {
	t := tags{f.Tag, prefix}
	if t.Get(prefix+"enum") != "" {
		return nil
	}
	name := singular(f.Name)
	any := manyKinds.MatchString(name)
	var out []string
	for _, l := range me.leaves {
		named := l.key == name || strings.HasSuffix(name, l.key) && identifying.MatchString(l.value) && len(l.key) > 4
		taken := any && identifying.MatchString(l.value) && (strings.HasPrefix(l.value, "arn:aws:"+m.SigningName) || m.Folder == "vpclattice" || m.Folder == "ram" && strings.HasPrefix(l.value, "arn:aws:vpc-lattice:"))
		if !named && !taken || !strings.Contains(l.value, me.account) && !identifying.MatchString(l.value) {
			continue
		}
		if n := float64(len(l.value)); n < t.bound("len", 0, 0) || n > t.bound("len", 1, 1<<20) {
			continue
		}
		if p := t.Get(prefix + "pattern"); p != "" && !fits(p, l.value) {
			continue
		}
		out = append(out, l.value)
	}
	seen := map[string]bool{} // the first value of each form is enough
	return slices.DeleteFunc(out, func(v string) bool {
		form := numbers.ReplaceAllString(hexes.ReplaceAllString(v, "<id>"), "<n>")
		defer func() { seen[form] = true }()
		return seen[form]
	})
}

// manyKinds are the members that take what identifies things of several kinds.
var manyKinds = regexp.MustCompile(`(identifier|arn|resourceid|resource|resourcearnlist)$`)

// numbers are what differs in names of the two turns.
var numbers = regexp.MustCompile(`[/-]?\b\d\b`)

// hexes are the parts of texts that tell one thing from another.
var hexes = regexp.MustCompile(`[0-9a-f]{17}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\ba-[0-9a-z]{17}|\b(?:o|p|h|ou-[0-9a-z]{4,32})-[0-9a-z]{8,32}\b|\br-[0-9a-z]{4}\b`)

// nobodys is a text like another, of something that nobody has.
func nobodys(s string) string {
	found := hexes.FindAllStringIndex(s, -1)
	if len(found) == 0 {
		return strings.NewReplacer("tenant", "nobody", "tester", "nobody").Replace(s)
	}
	last := found[len(found)-1]
	part := []byte(s[last[0]:last[1]])
	for i, c := range part {
		if c >= '0' && c <= '9' && i > 1 {
			part[i] = '9' - (c - '0')
		} else if c >= 'a' && c <= 'f' && i > 1 {
			part[i] = 'a' + 'f' - c
		}
	}
	return s[:last[0]] + string(part) + s[last[1]:]
}

// place is where an input has a text that names something.
type place struct {
	path  []string // wire names; * is the only item of a list, | before a name that of a union's only member
	field reflect.StructField
	each  bool
}

// places are those of a type.
func places(t reflect.Type, path []string, above []reflect.Type) []place {
	var out []place
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t = t.Elem(); t.Kind() == reflect.Uint8 {
			return nil
		}
	}
	for f := range members(t) {
		at := append(slices.Clone(path), f.Tag.Get("wire"))
		if isUnion(t) {
			at[len(path)] = "|" + f.Tag.Get("wire")
		}
		elem := f.Type
		for elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		list := elem.Kind() == reflect.Slice
		if list {
			at, elem = append(at, "*"), elem.Elem()
		}
		switch {
		case elem.Kind() == reflect.String:
			out = append(out, place{at, f, list})
		case elem.Kind() == reflect.Struct && elem != reflect.TypeFor[time.Time]() && !contains(above, elem):
			out = append(out, places(elem, at, append(above, t))...)
		}
	}
	return out
}

// put is a tree with a text at a place.
func put(tree any, path []string, value string) any {
	if len(path) == 0 {
		return value
	}
	if path[0] == "*" {
		items, _ := tree.([]any)
		var first any
		if len(items) > 0 {
			first = items[0]
		}
		return []any{put(first, path[1:], value)}
	}
	m, _ := tree.(map[string]any)
	name, only := strings.CutPrefix(path[0], "|")
	sub := put(m[name], path[1:], value)
	if m = maps.Clone(m); m == nil || only {
		m = map[string]any{}
	}
	m[name] = sub
	return m
}

// base is an input of an operation that a tenant can send about its own things: what it has sent, or what must be there.
func (me *tenant) base(m *wire.Model, op *wire.Operation) map[string]any {
	if in, ok := me.inputs[m.Folder+" "+op.Name].(map[string]any); ok {
		in = maps.Clone(in)
		for f := range members(op.In) {
			name := f.Tag.Get("wire")
			if _, ok := in[name].(float64); ok && (name == "port" || name == "priority") {
				me.made++
				in[name] = 1000 + me.made%1000
			}
			if _, ok := in[name].(string); ok && strings.HasSuffix(singular(name), "name") && f.Tag.Get("required") == "true" {
				me.made++
				if in[name] = "again-" + strconv.Itoa(me.made); name == "domainName" {
					in[name] = "again-" + strconv.Itoa(me.made) + ".example.com"
				}
			}
		}
		return in
	}
	return me.required(m, op.In, nil)
}

// required is a tree of what a struct must have.
func (me *tenant) required(m *wire.Model, t reflect.Type, above []reflect.Type) map[string]any {
	out := map[string]any{}
	for f := range members(t) {
		name := f.Tag.Get("wire")
		if f.Tag.Get("required") != "true" && !isUnion(t) {
			continue
		}
		elem, list := f.Type, false
		for elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		if list = elem.Kind() == reflect.Slice; list {
			elem = elem.Elem()
		}
		var v any
		prefix := map[bool]string{true: "each", false: ""}[list]
		switch {
		case elem.Kind() == reflect.String:
			v = text(tags{f.Tag, prefix})
			if own := me.names(m, f, prefix); len(own) > 0 {
				v = own[0]
			}
			if special, ok := specials[strings.ToLower(name)]; ok {
				v = strings.ReplaceAll(special, "$account", me.account)
			}
		case elem.Kind() == reflect.Struct && elem != reflect.TypeFor[time.Time]() && !contains(above, elem):
			v = me.required(m, elem, append(above, t))
		default:
			v = sample(elem, tags{f.Tag, prefix}, nil)
		}
		if out[name] = v; list {
			out[name] = []any{v}
		}
		if isUnion(t) {
			break
		}
	}
	return out
}

// specials are members that need a text of a form that no pattern tells.
var specials = map[string]string{
	"policy":         `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"$account"},"Action":"vpc-lattice:GetServiceNetwork","Resource":"*"}}`,
	"destinationarn": "arn:aws:logs:eu-west-1:$account:log-group:/tenant/$account/1",
}

// What differs from answer to answer.
var chances = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z|\b1[78]\d{8}(\.\d+)?\b`), "<time>"},
	{regexp.MustCompile(`"(_|vpc-lattice:)[0-9a-f]{14,32}"`), `"$1<random>"`},
	{regexp.MustCompile(`\ba-[0-9a-z]{17}\b`), "a-<id>"},
	{regexp.MustCompile(`\b10-[12]-1-\d+\b|\b10\.[12]\.1\.\d+\b`), "<address>"},
	{regexp.MustCompile(`\bagain-\d+`), "<again>"},
	{regexp.MustCompile(`-[0-9a-f]{17}\b`), "-<id>"},
	{regexp.MustCompile(`\b0[0-9a-f]{16}\b`), "<id>"},
	{regexp.MustCompile(`\b(AIDA|AROA|ANPA|AGPA|AIPA|AKIA|ASIA)[A-Z2-7]{10,}\b`), "$1<id>"},
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

// secrets are the texts that tell that something of a tenant is shown: its ids and what it has called things.
func (me *tenant) secrets() []string {
	out := []string{"tenant-" + me.account, "tenant" + me.account}
	for _, l := range me.leaves {
		for _, id := range hexes.FindAllString(l.value, -1) {
			if strings.HasPrefix(l.value, "ami-") {
				continue
			}
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// nouns are all nouns of an account, by kind and key, as they are stored.
func nouns(t *testing.T, account string) map[string]string {
	t.Helper()
	out := map[string]string{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_ = shared.Follow(ctx, func(ch store.Change) error {
		for _, n := range ch.Puts {
			if strings.Contains(n.Key(), account) {
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

// authority is the certificate of an authority in PEM.
func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
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
	ca := authority(t)
	theirs, mine := w.newTenant(t, owner, ca), w.newTenant(t, stranger, ca)
	w.settled(t, theirs, mine)
	before := nouns(t, owner)
	secrets := theirs.secrets()
	matrix := func(t *testing.T, taking bool) {
		for _, s := range w.services {
			for _, row := range s.Operations {
				if row.Served && takesAway.MatchString(row.Name) == taking {
					op, _ := s.Model.Operation(row.Name)
					w.strange(t, s.Model, op, mine, theirs, secrets)
				}
			}
		}
	}
	t.Run("calls", func(t *testing.T) { matrix(t, false) })
	t.Run("page tokens", func(t *testing.T) { w.strangeTokens(t, mine, theirs) })
	t.Run("a share", func(t *testing.T) { w.sharing(t, mine, theirs, secrets) })
	t.Run("calls that take away", func(t *testing.T) { matrix(t, true) })
	after := nouns(t, owner)
	for key, text := range before {
		if after[key] != text {
			t.Errorf("%s was\n%s\nand is\n%s", key, text, after[key])
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

// names are the operations whose inputs name new things: of those, names that others use are free.
var names = regexp.MustCompile(`^(Create|Import|Put|Request|Run|Start|Update|Modify|Register)`)

// strange probes one operation.
func (w *whole) strange(t *testing.T, m *wire.Model, op *wire.Operation, mine, theirs *tenant, secrets []string) {
	base := mine.base(m, op)
	if reads.MatchString(op.Name) {
		w.probe(t, stranger, m, op, base, nil, secrets)
	}
	for _, at := range places(op.In, nil, nil) {
		if op.Name == "RunInstances" && (len(at.path) > 2 || at.path[0] == "Placement" || at.path[0] == "ImageId") {
			continue // what it does not look at
		}
		prefix := map[bool]string{true: "each", false: ""}[at.each]
		for _, value := range theirs.names(m, at.field, prefix) {
			none := nobodys(value)
			if none == value || !identifying.MatchString(value) && names.MatchString(op.Name) {
				continue
			}
			base = mine.base(m, op)
			hidden := slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return strings.Contains(value, s) })
			got := w.probe(t, stranger, m, op, put(base, at.path, value).(map[string]any), []string{value}, hidden)
			want := w.probe(t, stranger, m, op, put(base, at.path, none).(map[string]any), []string{none}, hidden)
			if m.Folder == "vpclattice" && strings.HasPrefix(want, "409") {
				t.Errorf("%s with %s = %s does not come to the look-up: %.200s", op.Name, strings.Join(at.path, "."), none, want)
			}
			if got != want {
				t.Errorf("%s with %s = %s\ngot  %.500s\nwant %.500s", op.Name, strings.Join(at.path, "."), value, got, want)
			}
		}
	}
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
	others := &tenant{account: owner, leaves: slices.DeleteFunc(slices.Clone(theirs.leaves), func(l leaf) bool { return strings.Contains(l.value, id) })}
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return strings.Contains(id, s) })
	for i := range lattice.Operations {
		if op := &lattice.Operations[i]; !takesAway.MatchString(op.Name) {
			w.strange(t, lattice, op, mine, others, secrets)
		}
	}
	if _, err := a.Call(t.Context(), "ram", "DeleteResourceShare", map[string]any{"resourceShareArn": find(share, []string{"resourceShare", "resourceShareArn"})}); err != nil {
		t.Fatal(err)
	}
	if got := seen(); got != nothing {
		t.Errorf("after the share is deleted\ngot  %s\nwant %s", got, nothing)
	}
	one := &tenant{account: owner, leaves: slices.DeleteFunc(slices.Clone(theirs.leaves), func(l leaf) bool { return !strings.Contains(l.value, id) })}
	for i := range lattice.Operations {
		if op := &lattice.Operations[i]; !takesAway.MatchString(op.Name) {
			w.strange(t, lattice, op, mine, one, append(secrets, id))
		}
	}
}
