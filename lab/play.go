package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/jmespath/go-jmespath"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/vpc"
)

// patience is how long a step waits for what it awaits.
const patience = time.Minute

// Player plays scenarios against a running Trellis.
type Player struct {
	Accounts *Accounts // whose credentials each step uses
	Program  string    // path of the trellis program, run in instances
	Endpoint string    // where processes in a VPC reach the API
	Out      io.Writer
	Quiet    bool // print failures only
}

// Play plays a scenario's steps in order and returns its variables. The error joins everything that was not
// as expected: a failed expectation doesn't end the scenario, a failed call does.
func (p *Player) Play(ctx context.Context, s *Scenario) (map[string]string, error) {
	vars := map[string]string{"region": p.Accounts.Region()}
	maps.Copy(vars, s.Vars)
	var unexpected []error
	for i := range s.Steps {
		st := &s.Steps[i]
		if st.Say != "" {
			p.printf("%s\n", st.Say)
		}
		err := p.step(ctx, st, vars)
		var u unexpectedError
		switch {
		case errors.As(err, &u):
			unexpected = append(unexpected, err)
		case err != nil:
			return vars, fmt.Errorf("scenario %s, step %d (%s): %w", s.Name, i+1, st.name(), err)
		}
	}
	return vars, errors.Join(unexpected...)
}

// unexpectedError is an expectation that was not met.
type unexpectedError struct{ text string }

// Error says what was expected and what was seen.
func (e unexpectedError) Error() string { return e.text }

// name is how errors call a step.
func (st *Step) name() string {
	switch {
	case st.Call != "":
		return st.Call
	case st.Start != nil:
		return "start " + strings.Join(st.Start.Command, " ")
	case st.Request != nil:
		return "request " + st.Request.As
	case st.AtOnce != nil:
		return "request " + st.AtOnce[0].As
	}
	return "show " + st.Show.Title
}

// printf prints unless the player is quiet.
func (p *Player) printf(format string, args ...any) {
	if !p.Quiet {
		fmt.Fprintf(p.Out, format, args...)
	}
}

// step plays one step.
func (p *Player) step(ctx context.Context, st *Step, vars map[string]string) error {
	account, err := fillText(st.Account, vars)
	if err != nil {
		return err
	}
	switch {
	case st.Call != "":
		return p.call(ctx, st, account, vars)
	case st.Start != nil:
		return p.start(st.Start, vars)
	case st.Request != nil:
		return p.requests(ctx, []Request{*st.Request}, vars)
	case st.AtOnce != nil:
		return p.requests(ctx, st.AtOnce, vars)
	}
	return p.show(ctx, st.Show, account, vars)
}

// call makes a step's API call, unless what it creates is there already.
func (p *Player) call(ctx context.Context, st *Step, account string, vars map[string]string) error {
	var answer any
	if st.Unless != nil {
		found, err := p.ask(ctx, account, st.Unless.Call, st.Unless.With, st.Unless.Query, vars)
		if err != nil && !absent(err) {
			return err
		}
		answer = found
	}
	if answer == nil {
		made, err := p.ask(ctx, account, st.Call, st.With, "", vars)
		var e *trellis.Error
		switch {
		case st.Refused != "" && errors.As(err, &e) && e.Code == st.Refused:
			p.printf("  refused, as it must be: %s\n", e.Code)
			return nil
		case st.Refused != "":
			return unexpectedError{fmt.Sprintf("%s: expected to be refused with %s, got %v", st.Call, st.Refused, err)}
		case err != nil:
			return err
		}
		if answer = made; st.Of != "" {
			if answer, err = jmespath.Search(st.Of, made); err != nil {
				return fmt.Errorf("of: %w", err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(st.Save)) {
		v, err := jmespath.Search(st.Save[name], answer)
		if err != nil {
			return fmt.Errorf("save %s: %w", name, err)
		}
		if v == nil {
			return fmt.Errorf("save %s: %s is not in the answer of %s", name, st.Save[name], st.Call)
		}
		vars[name] = text(v)
	}
	if st.Until != nil {
		return p.until(ctx, account, st.Until, vars)
	}
	return nil
}

// absent tells whether an error says that what was looked for isn't there, for example that no organization
// exists yet.
func absent(err error) bool {
	var e *trellis.Error
	return errors.As(err, &e) && e.Status < 500 && e.Status != 403 && e.Status != 429
}

// ask calls an operation ("service Operation") and applies a JMESPath to its answer when there is one.
func (p *Player) ask(ctx context.Context, account, call string, with map[string]any, query string, vars map[string]string) (any, error) {
	service, operation, _ := strings.Cut(call, " ")
	in, err := fillInput(with, vars)
	if err != nil {
		return nil, err
	}
	c, err := p.Accounts.Client(ctx, account)
	if err != nil {
		return nil, err
	}
	answer, err := c.Call(ctx, service, strings.TrimSpace(operation), in)
	if err != nil {
		return nil, err
	}
	if query == "" {
		return answer, nil
	}
	if query, err = fillText(query, vars); err != nil {
		return nil, err
	}
	return jmespath.Search(query, plain(answer))
}

// plain gives an answer the types that JSON has: JMESPath knows no others.
func plain(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if json.Unmarshal(b, &out) != nil {
		return v
	}
	return out
}

// until asks until the answer is as wanted.
func (p *Player) until(ctx context.Context, account string, u *Until, vars map[string]string) error {
	want, err := fillText(u.Is, vars)
	if err != nil {
		return err
	}
	var last string
	return poll(ctx, func() (bool, error) {
		v, err := p.ask(ctx, account, u.Call, u.With, u.Query, vars)
		last = text(v)
		return last == want, err
	}, func() string { return fmt.Sprintf("%s: %s is %q, not %q", u.Call, u.Query, last, want) })
}

// poll tries until it is done, for as long as the patience lasts.
func poll(ctx context.Context, try func() (bool, error), last func() string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := try(); err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return unexpectedError{"after " + patience.String() + ": " + last()}
		case <-tick.C:
		}
	}
}

// WithoutProxies removes HTTP proxies from an environment: a VPC reaches none of the host's.
func WithoutProxies(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		switch strings.ToLower(name) {
		case "http_proxy", "https_proxy", "all_proxy":
			return true
		}
		return false
	})
}

// environment is what a process in a VPC needs to find the API, and no credentials of ours.
func (p *Player) environment() []string {
	return append(Environment(WithoutProxies(os.Environ())), "AWS_ENDPOINT_URL="+p.Endpoint, "AWS_REGION="+p.Accounts.Region(), "AWS_DEFAULT_REGION="+p.Accounts.Region())
}

// Environment removes from an environment what would give a process in a VPC somebody else's credentials.
func Environment(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
			"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION",
			"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
			"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN":
			return true
		}
		return false
	})
}

// start runs a process in an instance. It outlives this program, and ends with the instance.
func (p *Player) start(pr *Process, vars map[string]string) error {
	instance, err := fillText(pr.Instance, vars)
	if err != nil {
		return err
	}
	cmd, err := p.command(pr.Command, vars)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := vpc.Start(instance, cmd); err != nil {
		return err
	}
	go cmd.Wait() // reaps it; ends with the process, which ends with its instance
	return nil
}

// command makes a command that is to run in an instance.
func (p *Player) command(words []string, vars map[string]string) (*exec.Cmd, error) {
	args := make([]string, len(words))
	for i, w := range words {
		var err error
		if args[i], err = fillText(w, vars); err != nil {
			return nil, err
		}
	}
	if args[0] == "trellis" {
		args[0] = p.Program
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = p.environment()
	return cmd, nil
}

// Outcome is what `trellis request -o json` prints: what many requests gave.
type Outcome struct {
	Requests int            `json:"requests"`
	Statuses map[int]int    `json:"statuses"` // status code → how often
	Bodies   map[string]int `json:"bodies"`   // first line of a body → how often
	Timeouts int            `json:"timeouts"` // no answer in time
	Errors   map[string]int `json:"errors"`   // anything else, such as a refused connection
}

// requests makes requests at the same time and compares what each gave with what is expected.
func (p *Player) requests(ctx context.Context, rs []Request, vars map[string]string) error {
	got, errs := make([]Outcome, len(rs)), make([]error, len(rs))
	var all sync.WaitGroup
	for i := range rs {
		all.Go(func() { got[i], errs[i] = p.request(ctx, &rs[i], vars) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var unmet []string
	for i, r := range rs {
		p.printf("  %s=%s\n", r.As, got[i].summary(r.Expect))
		if bad := r.Expect.unmet(got[i]); bad != "" {
			unmet = append(unmet, fmt.Sprintf("%s: %s (saw %+v)", r.As, bad, got[i]))
		}
	}
	if unmet != nil {
		return unexpectedError{strings.Join(unmet, "\n")}
	}
	return nil
}

// request makes a request in an instance, as often as it says.
func (p *Player) request(ctx context.Context, r *Request, vars map[string]string) (got Outcome, err error) {
	instance, err := fillText(r.From, vars)
	if err != nil {
		return got, err
	}
	words := []string{"trellis", "request", "-o", "json", "--count", fmt.Sprint(max(r.Count, 1))}
	if r.Timeout != "" {
		words = append(words, "--timeout", r.Timeout)
	}
	if r.Sign {
		words = append(words, "--sign")
	}
	if r.Method != "" {
		words = append(words, "-X", r.Method)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		words = append(words, "-H", name+": "+r.Headers[name])
	}
	cmd, err := p.command(append(words, r.URL), vars)
	if err != nil {
		return got, err
	}
	var out, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := vpc.Start(instance, cmd); err != nil {
		return got, err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	err = cmd.Wait()
	stop()
	if ctx.Err() != nil {
		return got, ctx.Err()
	}
	if jsonErr := json.Unmarshal([]byte(out.String()), &got); jsonErr != nil {
		return got, fmt.Errorf("request from %s: %w: %s", instance, errors.Join(err, jsonErr), stderr.String())
	}
	return got, nil
}

// summary is the outcome in a word or two, as it is printed beside the request's name.
func (o Outcome) summary(e Expect) string {
	switch {
	case e.Share > 0:
		return fmt.Sprintf("%.2f%% of %d answers from %s", 100*o.share(e.Of), o.Requests, e.Of)
	case o.Timeouts == o.Requests:
		return "timeout"
	case len(o.Statuses) == 1 && e.Body != "" && len(o.Bodies) == 1:
		for status := range o.Statuses {
			for body := range o.Bodies {
				return fmt.Sprintf("%d (%s)", status, body)
			}
		}
	case len(o.Statuses) == 1 && o.Timeouts == 0 && len(o.Errors) == 0:
		for status := range o.Statuses {
			return fmt.Sprint(status)
		}
	}
	return fmt.Sprintf("%+v", o)
}

// share is the part of all requests that was answered by a body that begins with a text.
func (o Outcome) share(of string) float64 {
	n := 0
	for body, count := range o.Bodies {
		if strings.HasPrefix(body, of) {
			n += count
		}
	}
	return float64(n) / float64(max(o.Requests, 1))
}

// unmet says what an outcome lacks, or nothing.
func (e Expect) unmet(o Outcome) string {
	if e.Timeout && o.Timeouts != o.Requests {
		return "expected a time-out"
	}
	if e.Status != 0 && o.Statuses[e.Status] != o.Requests {
		return fmt.Sprintf("expected status %d", e.Status)
	}
	if e.Body != "" && o.share(e.Body) != 1 {
		return fmt.Sprintf("expected every answer from %s", e.Body)
	}
	if e.Share > 0 && math.Abs(o.share(e.Of)-e.Share) > e.Within {
		return fmt.Sprintf("expected %.1f%% ± %.1f%% from %s", 100*e.Share, 100*e.Within, e.Of)
	}
	return ""
}

// show prints a call's answer as a table.
func (p *Player) show(ctx context.Context, s *Show, account string, vars map[string]string) error {
	var rows any
	ask := func() (err error) {
		rows, err = p.ask(ctx, account, s.Call, s.With, s.Query, vars)
		return err
	}
	if s.Until == "" {
		if err := ask(); err != nil {
			return err
		}
	} else if err := poll(ctx, func() (bool, error) {
		ready, err := p.ask(ctx, account, s.Call, s.With, s.Until, vars)
		if yes, _ := ready.(bool); !yes || err != nil {
			return false, err
		}
		return true, ask()
	}, func() string { return s.Title + ": " + s.Until + " did not become true" }); err != nil {
		return err
	}
	list, ok := rows.([]any)
	if !ok {
		list = []any{rows}
	}
	if s.Title != "" {
		p.printf("  %s\n", s.Title)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "    "+strings.ToUpper(strings.Join(s.Columns, "\t")))
	for _, row := range list {
		cells := make([]string, len(s.Columns))
		for i, c := range s.Columns {
			m, _ := row.(map[string]any)
			if cells[i] = text(m[c]); cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(w, "    "+strings.Join(cells, "\t"))
	}
	w.Flush()
	p.printf("%s", b.String())
	return nil
}
