package authpolicy

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// layered is one line of testdata/layers.txt.
type layered struct {
	line             int
	request          *Request
	network, service Layer
	resource         *Policy // of Access
	grants           *Policy // of Granted
	owner            string
	want             string
}

// decide asks Invoke, or Access where the line has a resource's owner, or Granted where it has grants.
func (c *layered) decide() Decision {
	if c.grants != nil {
		return Granted(c.request, c.resource, c.grants)
	}
	if c.owner != "" {
		return Access(c.request, c.resource, c.owner)
	}
	return Invoke(c.request, c.network, c.service)
}

// readLayers reads testdata/layers.txt, whose first lines explain its form.
func readLayers(t testing.TB) (out []layered) {
	t.Helper()
	b, err := os.ReadFile("testdata/layers.txt")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for i, line := range strings.Split(string(b), "\n") {
		name, text, isPolicy := strings.Cut(line, " = ")
		before, want, isCase := strings.Cut(line, "-> ")
		switch {
		case line == "" || line[0] == '#':
		case isPolicy && !strings.Contains(name, " "):
			texts[name] = text
		case isCase:
			c := layered{line: i + 1, want: want}
			c.read(t, texts, strings.Fields(before))
			out = append(out, c)
		default:
			t.Fatalf("line %d is neither a policy nor a case", i+1)
		}
	}
	return out
}

// read reads the words before the arrow.
func (c *layered) read(t testing.TB, texts map[string]string, words []string) {
	t.Helper()
	named := func(kind PolicyKind, names string) (ps Policies) {
		for _, n := range strings.Split(names, ",") {
			text, ok := texts[n]
			if !ok && n != "" {
				t.Fatalf("line %d: there is no policy %s", c.line, n)
			}
			if ok {
				ps = append(ps, Named{n, compile(t, text, kind)})
			}
		}
		return ps
	}
	auth := func(name string) Layer {
		switch name {
		case "missing":
			return Layer{Enforced: true}
		case "broken":
			return Layer{Enforced: true, Broken: errors.New("broken")}
		}
		return Layer{Enforced: true, Policy: named(Resource, name)[0].Policy}
	}
	var rest []string
	caller := &Caller{}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		switch k {
		case "network":
			c.network = auth(v)
		case "service":
			c.service = auth(v)
		case "identity":
			caller.Identity = named(Identity, v)
		case "boundary":
			caller.Boundary = &named(Identity, v)[0]
		case "session":
			caller.Session = append(Policies{}, named(Session, v)...)
		case "scp":
			caller.Organization = append(caller.Organization, named(ServiceControl, v))
		case "rcp":
			rest = append(rest, w)
		case "resource":
			c.resource = named(Resource, v)[0].Policy
		case "grants":
			c.grants = named(Key, v)[0].Policy
		case "trust":
			c.resource = named(Trust, v)[0].Policy
		case "owner":
			c.owner = v
		case "broken":
			caller.Broken = errors.New("broken")
		default:
			rest = append(rest, w)
		}
	}
	var words2 []string
	var rcps []Policies
	for _, w := range rest {
		if v, ok := strings.CutPrefix(w, "rcp="); ok {
			rcps = append(rcps, named(ResourceControl, v))
		} else {
			words2 = append(words2, w)
		}
	}
	c.request = scriptRequest(t, callers(), words2)
	c.request.ResourceControl = rcps
	if c.request.Caller != nil {
		caller.Principal = c.request.Caller.Principal
		c.request.Caller = caller
	}
}

// TestLayers holds Invoke, Access and Granted against testdata/layers.txt, with AWS's sentence, and Explain against Invoke.
func TestLayers(t *testing.T) {
	cases := readLayers(t)
	for _, c := range cases {
		d := c.decide()
		got := "allow"
		if !d.Allowed {
			_, got, _ = strings.Cut(d.Sentence(c.request), c.request.Resource)
			got = strings.ReplaceAll(strings.TrimSpace(got), c.request.Action, "ACTION")
		}
		if got != c.want {
			t.Errorf("line %d: got %s, want %s", c.line, got, c.want)
		}
		if d.Explicit != (d.Statement != nil) || d.Allowed != (d.Layer == "") {
			t.Errorf("line %d: decision is %+v", c.line, d)
		}
		if n := testing.AllocsPerRun(10, func() { c.decide() }); n != 0 {
			t.Errorf("line %d: %v allocations", c.line, n)
		}
		if c.owner != "" || c.grants != nil {
			continue
		}
		reasons := Explain(c.request, c.network, c.service)
		decided, denied := decided(reasons)
		if (denied == 0) != d.Allowed {
			t.Errorf("line %d: decided %+v, and Explain says %+v", c.line, d, reasons)
		} else if denied > 0 && (decided[0].Layer != d.Layer || decided[0].Statement != d.Statement) {
			t.Errorf("line %d: %s decided, and Explain says %+v", c.line, d.Layer, decided[0])
		}
	}
}

// TestExplainHidesCredentials names credentials in conditions, as keys and by variables, and looks for them in what is told.
func TestExplainHidesCredentials(t *testing.T) {
	p, err := Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{
		"vpc-lattice-svcs:RequestHeader/Authorization":"x","vpc-lattice-svcs:RequestQueryString/X-Amz-Security-Token":"x",
		"vpc-lattice-svcs:RequestMethod":"${vpc-lattice-svcs:RequestHeader/Cookie}","vpc-lattice-svcs:RequestPath":"${vpc-lattice-svcs:RequestHeader/X-Team}"}}}}`, Resource)
	if err != nil {
		t.Fatal(err)
	}
	r := &Request{Action: ActionInvoke, Method: "GET", Path: "/a", RawQuery: "X-Amz-Security-Token=SECRET",
		Headers: []Field{{Name: "authorization", Value: "SECRET"}, {Name: "cookie", Value: "SECRET"}, {Name: "x-team", Value: "blue"}}}
	why := p.explain(r, LayerService, "")
	if text := fmt.Sprintf("%+v", why); strings.Contains(text, "SECRET") || strings.Count(text, "(hidden)") < 3 || !strings.Contains(text, `"blue"`) {
		t.Errorf("%s", text)
	}
}
