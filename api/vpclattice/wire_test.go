package vpclattice_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/vpclattice"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/store"
)

// TestMain looks for goroutines that are left behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// update rewrites the answers in testdata.
var update = flag.Bool("update", false, "rewrite the answers in testdata")

// The account of the scripts, and what is in it.
const (
	region    = "eu-west-1"
	accountID = "111122223333"
	secret    = "secret-of-the-tests"
	vpcID     = "vpc-0aa11bb22cc33dd44"
	groupID   = "sg-0aa11bb22cc33dd44"
	subnetID  = "subnet-0aa11bb22cc33dd44"
)

// TestTable holds the table against the model in both modes.
func TestTable(t *testing.T) {
	for _, strict := range []bool{false, true} {
		s := vpclattice.New(controlplane.New(controlplane.Options{Region: region, Strict: strict}))
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		if len(s.Operations) != 73 {
			t.Errorf("%d operations", len(s.Operations))
		}
	}
}

// serve runs a store, a control plane in one of the modes and the API, and returns a client of its administrator.
func serve(t *testing.T, strict bool) *client.Client {
	t.Helper()
	st, err := store.New(store.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	plane := controlplane.New(controlplane.Options{Store: st, Region: region, Strict: strict, LookupTXT: func(ctx context.Context, name string) ([]string, error) {
		return recordOf(ctx, st, name)
	}})
	done := make(chan error, 2)
	go func() { done <- st.Run(ctx) }()
	<-st.Ready()
	go func() { done <- plane.Run(ctx) }()
	_, err = st.Commit(ctx, func(tx *store.Tx) error {
		tx.Put(&trellis.VPC{Meta: trellis.Meta{Account: accountID, ID: vpcID}, CIDR: netip.MustParsePrefix("10.0.0.0/16")})
		tx.Put(&trellis.SecurityGroup{Meta: trellis.Meta{Account: accountID, ID: groupID}, VPCID: vpcID})
		tx.Put(&trellis.Subnet{Meta: trellis.Meta{Account: accountID, ID: subnetID}, VPCID: vpcID, CIDR: netip.MustParsePrefix("10.0.1.0/24")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	caller := &authpolicy.Caller{Identity: authpolicy.Policies{{Policy: policy}},
		Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: accountID, ARN: trellis.IAMARN(accountID, "user/administrator")}}
	key := sigv4.NewKey(secret)
	h := httptest.NewServer(api.NewServer(api.Options{Services: []api.Service{vpclattice.New(plane)}, Region: region,
		Callers: func(string, string) (*authpolicy.Caller, *sigv4.Key, error) { return caller, key, nil }}))
	c, err := client.New(h.URL, client.Credentials{AccessKeyID: "AKIATESTER", SecretAccessKey: trellis.NewSecret(secret)}, region)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.HTTP.CloseIdleConnections()
		h.Close()
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

// recordOf is what the owner of a domain has put where its verification looks.
func recordOf(ctx context.Context, st *store.Store, name string) (found []string, err error) {
	err = st.Read(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.DomainVerification](tx, "")
		for _, v := range all {
			if v.TXTName+"."+v.DomainName == name {
				found = append(found, v.TXTValue)
			}
		}
		return err
	})
	return found, err
}

// TestScripts plays the scripts in testdata. A line that begins with a letter calls an operation with its
// input; the answer follows, indented. "until VALUE Operation" calls again until the answer contains VALUE. Ids
// and times differ from run to run: an answer shows them as <svc-1> and <time>, and an input may name them so.
// A script whose name begins with strict is played in strict mode.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || files == nil {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &player{c: serve(t, strings.HasPrefix(filepath.Base(file), "strict")), names: map[string]string{}, counts: map[string]int{}}
			got := p.play(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("run with -update and look at the difference:\n%s", difference(string(text), got))
			}
		})
	}
}

// difference shows the first lines that differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// player plays one script.
type player struct {
	c      *client.Client
	names  map[string]string // id: its name in the script
	counts map[string]int    // of names with a prefix
}

// What differs from run to run.
var (
	ids   = regexp.MustCompile(`\b(svc|sn|tg|listener|rule|snsa|snva|als|rgw|rcfg|snra|dv)-0[0-9a-f]{16}\b`)
	hexes = regexp.MustCompile(`\b0[0-9a-f]{16}\b`)
	token = regexp.MustCompile(`"nextToken": "[^"]*"`)
	txt   = regexp.MustCompile(`"(_|vpc-lattice:)[0-9a-f]{14,32}"`)
	times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.0-9]*Z`)
)

// play returns the script with the answers that it gets.
func (p *player) play(t *testing.T, script string) string {
	var out strings.Builder
	lines := bufio.NewScanner(strings.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, " "):
			continue
		case line == "" || strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
			continue
		}
		call, until := line, ""
		if rest, ok := strings.CutPrefix(line, "until "); ok {
			until, call, _ = strings.Cut(rest, " ")
		}
		answer := p.call(t, call)
		for deadline := time.Now().Add(10 * time.Second); !strings.Contains(answer, until); answer = p.call(t, call) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: still %s", line, answer)
			}
		}
		fmt.Fprintf(&out, "%s\n%s", line, answer)
	}
	return out.String()
}

// call calls an operation and returns its answer, indented.
func (p *player) call(t *testing.T, line string) string {
	operation, text, _ := strings.Cut(line, " ")
	for id, name := range p.names {
		text = strings.ReplaceAll(text, name, id)
	}
	input := map[string]any{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &input); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	answer, err := p.c.Call(t.Context(), "vpc-lattice", operation, input)
	var te *trellis.Error
	switch {
	case errors.As(err, &te):
		return p.hide(fmt.Sprintf("  %d %s\n", te.Status, te.Error()))
	case err != nil:
		t.Fatalf("%s: %v", line, err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("  ", "  ")
	if err := e.Encode(answer); err != nil {
		t.Fatal(err)
	}
	return p.hide("  " + b.String())
}

// hide replaces what differs from run to run.
func (p *player) hide(s string) string {
	s = ids.ReplaceAllStringFunc(s, func(id string) string {
		if p.names[id] == "" {
			prefix, _, _ := strings.Cut(id, "-")
			p.counts[prefix]++
			p.names[id] = fmt.Sprintf("<%s-%d>", prefix, p.counts[prefix])
		}
		return p.names[id]
	})
	s = token.ReplaceAllString(s, `"nextToken": "<token>"`)
	s = txt.ReplaceAllString(s, `"${1}<random>"`)
	return times.ReplaceAllString(hexes.ReplaceAllString(s, "<hex>"), "<time>")
}
