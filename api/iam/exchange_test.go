package iam_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/iam"
	"github.com/trellis-project/trellis/api/organizations"
	"github.com/trellis-project/trellis/api/sts"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/store"
)

// update rewrites the answers in testdata with what is answered now.
var update = flag.Bool("update", false, "rewrite testdata")

// TestMain fails the package when a goroutine is left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exchange is a running API with the caller of the next request.
type exchange struct {
	t       *testing.T
	client  *client.Client
	callers map[string]*client.Client
	names   map[string]string // of values that the script has named
	last    map[string]any    // answer
}

// TestExchanges plays the scripts of testdata against the whole API on a store of its own. A line is
//
//	SERVICE OPERATION {INPUT}  a call; the lines "= …" after it are its answer
//	let NAME PATH              names a value of the last answer; $NAME stands for it from then on
//	save NAME                  keeps the credentials of the last answer
//	as NAME                    calls with them; the first caller is admin
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := start(t).play(string(script))
			if *update {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(script) {
				at := 0
				want, have := strings.Split(string(script), "\n"), strings.Split(got, "\n")
				for at < len(want) && at < len(have) && want[at] == have[at] {
					at++
				}
				t.Errorf("%s:%d: got\n%s", f, at+1, strings.Join(have[at:min(at+3, len(have))], "\n"))
			}
		})
	}
}

// start runs a store, identity and the three services.
func start(t *testing.T) *exchange {
	s, err := store.New(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	var i *identity.Identity
	enough := errors.New("enough")
	directory := func() (d *identity.Directory) {
		followed := s.Follow(ctx, func(change store.Change) error {
			st := trellis.NewState()
			for _, n := range change.Puts {
				st.Put(n)
			}
			d = identity.NewDirectory(st, nil, i.SessionKey(), now)
			return enough
		})
		if followed != enough {
			t.Errorf("follow the store: %v", followed)
		}
		return d
	}
	i = identity.New(identity.Options{Store: s, Region: "eu-west-1", Now: now, OrganizationID: "o-exampleorgid", Directory: directory})
	key, _, err := i.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	callers := func(id, token string) (*authpolicy.Caller, *sigv4.Key, error) { return directory().Caller(id, token) }
	server := httptest.NewServer(api.NewServer(api.Options{
		Services: []api.Service{iam.New(i), sts.New(i), organizations.New(i)},
		Callers:  callers, Region: "eu-west-1", TokenKey: make([]byte, 32),
	}))
	c, err := client.New(server.URL, client.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.HTTP.CloseIdleConnections()
		server.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &exchange{t: t, client: c, callers: map[string]*client.Client{"admin": c}, names: map[string]string{}}
}

// chance are parts of answers that differ from run to run.
var chance = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\b(AIDA|AROA|ANPA|AGPA|AIPA|AKIA|ASIA)[A-Z2-7]{16,17}\b`), "$1…"},
	{regexp.MustCompile(`"(SecretAccessKey|SessionToken)":"[^"]*"`), `"$1":"…"`},
	{regexp.MustCompile(`\bcar-[0-9a-f]{32}\b`), "car-…"},
	{regexp.MustCompile(`/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "/…"},
}

// play runs a script and returns it with the answers that it got.
func (x *exchange) play(script string) string {
	var out []string
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "= ") {
			continue
		}
		out = append(out, line)
		words := strings.SplitN(line, " ", 3)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case words[0] == "let":
			x.names[words[1]] = fmt.Sprint(x.find(words[2]))
		case words[0] == "save":
			x.save(words[1])
		case words[0] == "as":
			x.client = x.callers[words[1]]
		default:
			out = append(out, "= "+x.call(words))
		}
	}
	for at, line := range out {
		if strings.HasPrefix(line, "= ") {
			out[at] = x.steady(line)
		}
	}
	return strings.Join(out, "\n") + "\n"
}

// find returns a value of the last answer by its path, names joined by dots.
func (x *exchange) find(path string) any {
	var v any = x.last
	for _, name := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			v = at[0].(map[string]any)[name]
		}
	}
	return v
}

// save keeps the credentials of the last answer under a name.
func (x *exchange) save(name string) {
	c := client.Credentials{}
	for _, in := range []string{"AccessKey", "Credentials"} {
		if m, ok := x.last[in].(map[string]any); ok {
			c.AccessKeyID = fmt.Sprint(m["AccessKeyId"])
			c.SecretAccessKey = trellis.NewSecret(fmt.Sprint(m["SecretAccessKey"]))
			if token, ok := m["SessionToken"]; ok {
				c.SessionToken = fmt.Sprint(token)
			}
		}
	}
	x.callers[name] = x.client.As(c)
}

// call makes one call and returns its answer as a script has it.
func (x *exchange) call(words []string) string {
	input := map[string]any{}
	if len(words) == 3 {
		text := words[2]
		for name, value := range x.names {
			text = strings.ReplaceAll(text, "$"+name, value)
		}
		if err := json.Unmarshal([]byte(text), &input); err != nil {
			x.t.Fatalf("%s: %v", text, err)
		}
	}
	answer, err := x.client.Call(x.t.Context(), words[0], words[1], input)
	text := ""
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		text = fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message)
	} else if err != nil {
		x.t.Fatalf("%s: %v", strings.Join(words, " "), err)
	} else {
		x.last = answer
		b, err := json.Marshal(answer)
		if err != nil {
			x.t.Fatal(err)
		}
		text = string(b)
	}
	return text
}

// steady replaces what differs from run to run in an answer, by names first: a value is also replaced in the
// answer that it was taken from.
func (x *exchange) steady(answer string) string {
	for _, name := range slices.SortedFunc(maps.Keys(x.names), func(a, b string) int { return len(x.names[b]) - len(x.names[a]) }) {
		answer = strings.ReplaceAll(answer, x.names[name], "$"+name)
	}
	for _, c := range chance {
		answer = c.form.ReplaceAllString(answer, c.as)
	}
	return answer
}
