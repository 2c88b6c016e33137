//go:build thorough

package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
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
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/store"
)

// tenant is what an account has made by testdata/tenant.txt, and what the file says of it.
type tenant struct {
	account string
	answers map[string]any // of the last turn, by name
	inputs  map[string]any // of the first turn, by service and operation
	made    int            // names of things that were asked for since
	leaves  []leaf         // in the order in which they came
	said    []foreign      // what of others it has named
	further []further
	rules   []rule
	reasons map[string]string // why an operation is not tried, by service and operation
}

// leaf is a text in an answer of a service, by the name of the member that holds it.
type leaf struct{ service, key, value string }

// further is a text that members of a service are given besides those that were found under their names.
type further struct {
	service string
	members []string // in small letters
	value   string
	none    string // the like of nothing, empty: as of other texts
}

// rule is what a stranger gets where AWS tells him whether there is what he names: for what is there and for what is not.
type rule struct {
	service    string
	operations []string // "*": all
	members    []string // in small letters, or the ends of their paths; NAME=TEXT: where the text begins what is named
	there, not string   // a status, a code of an error, or own: success that touches the caller's account alone; | between several
}

// newTenant plays the file for an account.
func (w *whole) newTenant(t *testing.T, account string, made map[string]string) *tenant {
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
	me := &tenant{account: account, answers: map[string]any{}, inputs: map[string]any{}, reasons: map[string]string{}}
	for n := range 2 {
		if _, err := file.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		names := []string{"%account", account, "%n", strconv.Itoa(n + 1)}
		for name, text := range made {
			names = append(names, name, strings.ReplaceAll(text, "\n", `\n`))
		}
		turn := maps.Clone(me.answers)
		for lines := bufio.NewScanner(file); lines.Scan(); {
			line := lines.Text()
			if line == "" || strings.HasPrefix(line, "#") || n > 0 && !creates.MatchString(line) {
				continue
			}
			parts := strings.SplitN(line, " ", 5)
			text := strings.NewReplacer(names...).Replace(parts[4])
			text = reference.ReplaceAllStringFunc(text, func(r string) string { return find(turn, strings.Split(r[1:], ".")) })
			me.read(t, w, turn, parts[0], parts[2], parts[3], text)
		}
	}
	return me
}

// creates are the lines of what is made in each turn.
var creates = regexp.MustCompile(`^[a-z]`)

// read plays one line.
func (me *tenant) read(t *testing.T, w *whole, turn map[string]any, name, service, operation, text string) {
	t.Helper()
	words := strings.Fields(text)
	switch {
	case name == "-":
		for o := range strings.SplitSeq(operation, ",") {
			me.reasons[service+" "+o] = text
		}
		return
	case name == "@":
		f := further{service: service, members: strings.Split(strings.ToLower(operation), ","), value: words[0]}
		if len(words) > 1 {
			f.none = words[1]
		}
		me.further = append(me.further, f)
		return
	case name == "!":
		me.rules = append(me.rules, rule{service, strings.Split(operation, ","), strings.Split(strings.ToLower(words[0]), ","), words[1], words[2]})
		return
	}
	var in map[string]any
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatalf("%s: %s: %v", name, text, err)
	}
	if name == "?" {
		me.inputs[service+" "+operation] = in
		return
	}
	if strings.HasPrefix(name, "the-") && turn[name] != nil {
		return
	}
	out, err := w.as(t, me.account).Call(t.Context(), service, operation, in)
	if err != nil {
		t.Fatalf("%s = %s %s: %s: %v", name, service, operation, text, err)
	}
	turn[name], me.answers[name] = out, out
	me.collect(service, "", out)
	me.collect(service, "", in)
	if name := service + " " + operation; me.inputs[name] == nil {
		me.inputs[name] = in
	}
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
	if b, is := tree.([]byte); is {
		return base64.StdEncoding.EncodeToString(b)
	}
	return fmt.Sprint(tree)
}

// collect notes the texts of an answer.
func (me *tenant) collect(service, key string, tree any) {
	switch v := tree.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			me.collect(service, k, v[k])
		}
	case []any:
		for _, sub := range v {
			me.collect(service, key, sub)
		}
	case string:
		me.leaves = append(me.leaves, leaf{service, singular(key), v})
	}
}

// singular is the name of a member as that of one value, in small letters.
func singular(name string) string { return strings.TrimSuffix(strings.ToLower(name), "s") }

// identifying are the texts that name something: ids, ARNs, UUIDs.
var identifying = regexp.MustCompile(`^(arn:.*|[a-z]+-[0-9a-f]{17}|[a-z]+-(assoc|attach)-[0-9a-f]{17}|a-[0-9a-z]{17}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(o|p|r|h|ou|car)-[0-9a-z-]{4,}|` +
	`[0-9a-f]{64}|(AIDA|AROA|ANPA|AGPA|AIPA|AKIA)[A-Z2-7]{10,}|(/hostedzone/)?Z[0-9A-Z]{13,24}|/change/C[0-9A-Z]{13,24})$`)

// foreign is a text of a tenant that a member may be given, and the like of nothing.
type foreign struct{ value, none string }

// holds tells whether a text is in what is given, or in the bytes that it stands for.
func (f foreign) holds(s string) bool {
	b, err := base64.StdEncoding.DecodeString(f.value)
	if err != nil {
		b, _ = base64.RawURLEncoding.DecodeString(f.value)
	}
	return strings.Contains(f.value, s) || strings.Contains(string(b), s)
}

// free tells whether a text is a name that others may give things too, where an operation names new things.
func (f foreign) free(op *wire.Operation) bool {
	return names.MatchString(op.Name) && !identifying.MatchString(f.value)
}

// names are the operations whose inputs name new things.
var names = regexp.MustCompile(`^(Create|Import|Put|Request|Run|Start|Update|Modify|Register)`)

// names are the texts of a tenant that a member may be given: those that were found under its name, those that the file
// names, and for members that take ids or ARNs of many things, all of the service that its pattern allows. VPC Lattice and
// RAM take those of others.
func (me *tenant) names(m *wire.Model, f reflect.StructField, prefix string) []foreign {
	t := tags{f.Tag, prefix}
	if t.Get(prefix+"enum") != "" {
		return nil
	}
	var out []foreign
	for _, more := range me.further {
		if more.service == m.Folder && slices.Contains(more.members, strings.ToLower(f.Name)) {
			if more.none == "" {
				more.none = nobodys(more.value)
			}
			out = append(out, foreign{more.value, more.none})
		}
	}
	if f.Type == reflect.TypeFor[[]byte]() {
		return out
	}
	name := singular(f.Name)
	any := manyKinds.MatchString(name)
	seen := map[string]bool{} // the first value of each form is enough
	for _, l := range me.leaves {
		named := l.key == name || strings.HasSuffix(name, l.key) && identifying.MatchString(l.value) && len(l.key) > 4
		taken := any && identifying.MatchString(l.value) && (strings.HasPrefix(l.value, "arn:aws:"+m.SigningName) || m.Folder == "vpclattice" || m.Folder == "ram" && strings.HasPrefix(l.value, "arn:aws:vpc-lattice:"))
		if !named && !taken || !identifying.MatchString(l.value) && (l.service != m.Folder || !strings.Contains(l.value, me.account)) {
			continue
		}
		if n := float64(len(l.value)); n < t.bound("len", 0, 0) || n > t.bound("len", 1, 1<<20) {
			continue
		}
		if p := t.Get(prefix + "pattern"); p != "" && !fits(p, l.value) {
			continue
		}
		form := numbers.ReplaceAllString(hexes.ReplaceAllString(l.value, "<id>"), "<n>")
		if !seen[form] {
			out = append(out, foreign{l.value, nobodys(l.value)})
		}
		seen[form] = true
	}
	return out
}

// rule is what is said of a member of an operation with a value, nil for nothing.
func (me *tenant) rule(m *wire.Model, op *wire.Operation, path []string, value string) *rule {
	member := "." + strings.NewReplacer("*.", "", ".*", "", "|", "").Replace(strings.ToLower(strings.Join(path, ".")))
	for i := range me.rules {
		r := &me.rules[i]
		if r.service != m.Folder || r.operations[0] != "*" && !slices.Contains(r.operations, op.Name) {
			continue
		}
		for _, name := range r.members {
			if name, begins, _ := strings.Cut(name, "="); strings.HasSuffix(member, "."+name) && strings.HasPrefix(value, begins) {
				return r
			}
		}
	}
	return nil
}

// is tells whether an answer is what a rule says.
func is(want, answer string) bool {
	for one := range strings.SplitSeq(want, "|") {
		if one == "own" && strings.HasPrefix(answer, "2") || strings.HasPrefix(answer, one+" ") || regexp.MustCompile(`\b`+one+`\b`).MatchString(answer) {
			return true
		}
	}
	return false
}

// manyKinds are the members that take what identifies things of several kinds.
var manyKinds = regexp.MustCompile(`(identifier|arn|resourceid|resource|resourcearnlist)$`)

// numbers are what differs in names of the two turns.
var numbers = regexp.MustCompile(`[/-]?\b\d\b`)

// hexes are the parts of texts that tell one thing from another.
var hexes = regexp.MustCompile(`\b[0-9a-f]{64}\b|[0-9a-f]{17}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{16}\b|\ba-[0-9a-z]{17}|\b(?:o|p|h|car|ou-[0-9a-z]{4,32})-[0-9a-z]{8,32}\b|\br-[0-9a-z]{4}\b|` +
	`\b(?:AIDA|AROA|ANPA|AGPA|AIPA|AKIA)[A-Z2-7]{10,}\b|\b[CZ][0-9A-Z]{13,24}\b`)

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
		} else if c >= 'A' && c <= 'Z' && i > 3 {
			part[i] = 'A' + 'Z' - c
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
		t = t.Elem()
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
		list := elem.Kind() == reflect.Slice && elem != reflect.TypeFor[[]byte]()
		if list {
			at, elem = append(at, "*"), elem.Elem()
		}
		switch {
		case elem.Kind() == reflect.String, elem == reflect.TypeFor[[]byte]():
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
				v = own[0].value
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

// unsaid are the secrets that a stranger has not named himself, who is shown what he has said: those of the second turn.
func (me *tenant) unsaid(stranger *tenant) []string {
	return slices.DeleteFunc(append(me.secrets(), "tenant-"+me.account+"-2", "tenant"+me.account+"-2"), func(s string) bool {
		return slices.ContainsFunc(stranger.said, func(f foreign) bool { return f.holds(s) })
	})
}

// materials are what the file names that no operation makes: a certificate authority and a list of what it has revoked,
// both in PEM, and the code of a function.
func materials(t *testing.T) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	revoked, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}, c, key)
	if err != nil {
		t.Fatal(err)
	}
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	f, err := z.Create("index.py")
	if err == nil {
		_, err = f.Write([]byte("def handler(event, context): return event\n"))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"%ca":  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"%crl": base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: revoked})),
		"%zip": base64.StdEncoding.EncodeToString(code.Bytes()),
	}
}
