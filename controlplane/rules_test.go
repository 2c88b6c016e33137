package controlplane_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/controlplane"
)

// fixed404 is an action that needs no target group.
var fixed404 = trellis.Action{FixedResponse: 404}

// listenerWith makes a service and a listener with fixed responses at the priorities.
func listenerWith(t testing.TB, p *controlplane.Plane, c *authpolicy.Caller, priorities ...int) (service, listener string, rules []string) {
	t.Helper()
	s, _, err := p.CreateService(t.Context(), c, "", trellis.Service{Name: "s-" + trellis.RandomHex(8)})
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := p.CreateListener(t.Context(), c, s.ID, "", trellis.Listener{Name: "http", Protocol: "HTTP", DefaultAction: fixed404})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range priorities {
		r, _, err := p.CreateRule(t.Context(), c, s.ID, l.ID, "", trellis.Rule{Name: fmt.Sprint("rule", n), Priority: n, Action: fixed404})
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r.ID)
	}
	return s.ID, l.ID, rules
}

// TestRuleValidation creates rules that AWS takes and such that it refuses.
func TestRuleValidation(t *testing.T) {
	p := running(t, controlplane.Options{})
	c := admin(t)
	service, listener, _ := listenerWith(t, p, c, 1000)
	path := func(exact, prefix string) trellis.HTTPMatch {
		return trellis.HTTPMatch{Path: &trellis.PathMatch{Exact: exact, Prefix: prefix}}
	}
	header := func(h ...trellis.HeaderMatch) trellis.HTTPMatch { return trellis.HTTPMatch{Headers: h} }
	const ok, invalid, conflict = "", "ValidationException", "ConflictException"
	cases := map[string]struct {
		rule trellis.Rule
		want string
	}{
		"empty match":              {trellis.Rule{}, ok},
		"method":                   {trellis.Rule{Match: trellis.HTTPMatch{Method: "PATCH"}}, ok},
		"custom method":            {trellis.Rule{Match: trellis.HTTPMatch{Method: "PURGE"}}, ok},
		"method with a space":      {trellis.Rule{Match: trellis.HTTPMatch{Method: "GET /"}}, invalid},
		"method too long":          {trellis.Rule{Match: trellis.HTTPMatch{Method: strings.Repeat("A", 17)}}, invalid},
		"exact path":               {trellis.Rule{Match: path("/orders", "")}, ok},
		"prefix path":              {trellis.Rule{Match: path("", "/")}, ok},
		"both paths":               {trellis.Rule{Match: path("/a", "/b")}, invalid},
		"no path":                  {trellis.Rule{Match: path("", "")}, invalid},
		"path without a slash":     {trellis.Rule{Match: path("orders", "")}, invalid},
		"path with a wildcard":     {trellis.Rule{Match: path("/a*", "")}, invalid},
		"path too long":            {trellis.Rule{Match: path("/"+strings.Repeat("a", 200), "")}, invalid},
		"header":                   {trellis.Rule{Match: header(trellis.HeaderMatch{Name: "x-a", Contains: "b"})}, ok},
		"header without a value":   {trellis.Rule{Match: header(trellis.HeaderMatch{Name: "x-a"})}, invalid},
		"header with two values":   {trellis.Rule{Match: header(trellis.HeaderMatch{Name: "x-a", Exact: "a", Prefix: "b"})}, invalid},
		"header with a bad name":   {trellis.Rule{Match: header(trellis.HeaderMatch{Name: "x a", Exact: "a"})}, invalid},
		"five headers":             {trellis.Rule{Match: header(slices.Repeat([]trellis.HeaderMatch{{Name: "x", Exact: "a"}}, 5)...)}, ok},
		"six headers":              {trellis.Rule{Match: header(slices.Repeat([]trellis.HeaderMatch{{Name: "x", Exact: "a"}}, 6)...)}, invalid},
		"priority 2000":            {trellis.Rule{Priority: 2000}, ok},
		"priority 2001":            {trellis.Rule{Priority: 2001}, invalid},
		"priority -1":              {trellis.Rule{Priority: -1}, invalid},
		"priority in use":          {trellis.Rule{Priority: 1000}, conflict},
		"name in use":              {trellis.Rule{Name: "rule1000"}, conflict},
		"name like an id":          {trellis.Rule{Name: "rule-a"}, invalid},
		"name with capitals":       {trellis.Rule{Name: "Rule"}, invalid},
		"name with two hyphens":    {trellis.Rule{Name: "a--b"}, invalid},
		"status 500":               {trellis.Rule{Action: trellis.Action{FixedResponse: 500}}, ok},
		"status 403":               {trellis.Rule{Action: trellis.Action{FixedResponse: 403}}, invalid},
		"unknown target group":     {trellis.Rule{Action: forward("tg-00000000000000000")}, "ResourceNotFoundException"},
		"forward and fixed":        {trellis.Rule{Action: trellis.Action{FixedResponse: 404, Forward: forward("tg-00000000000000000").Forward}}, invalid},
		"eleven target groups":     {trellis.Rule{Action: forward(slices.Repeat([]string{"tg-00000000000000000"}, 11)...)}, invalid},
		"a reserved tag":           {trellis.Rule{Meta: trellis.Meta{Tags: map[string]string{"aws:x": "y"}}}, invalid},
		"an empty tag value":       {trellis.Rule{Meta: trellis.Meta{Tags: map[string]string{"x": ""}}}, ok},
		"a tag with a bad letter":  {trellis.Rule{Meta: trellis.Meta{Tags: map[string]string{"x": "a\nb"}}}, invalid},
		"a tag in another writing": {trellis.Rule{Meta: trellis.Meta{Tags: map[string]string{"größe": "ü"}}}, ok},
	}
	n := 0
	for name, tc := range cases {
		n++
		t.Run(name, func(t *testing.T) {
			r := tc.rule
			if r.Name == "" {
				r.Name = fmt.Sprint("n", 100+n)
			}
			if r.Priority == 0 {
				r.Priority = n
			}
			if r.Action.FixedResponse == 0 && r.Action.Forward == nil {
				r.Action = fixed404
			}
			_, _, err := p.CreateRule(t.Context(), c, service, listener, "", r)
			wantCode(t, err, tc.want)
		})
	}
}

// TestTargetGroupOfOneService forwards to one target group from two services.
func TestTargetGroupOfOneService(t *testing.T) {
	p := running(t, controlplane.Options{})
	o := newOrders(t, p)
	ctx := t.Context()
	service, listener, rules := listenerWith(t, p, o.c, 5)
	_, _, err := p.UpdateListener(ctx, o.c, service, listener, forward(o.v1.ID))
	wantCode(t, err, "ConflictException")
	if want := "TargetGroup " + o.v1.ID + " has been associated with other services"; err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	a := forward(o.v2.ID)
	_, _, err = p.UpdateRule(ctx, o.c, service, listener, controlplane.RuleUpdate{Rule: rules[0], Action: &a})
	wantCode(t, err, "ConflictException")
	_, err = p.DeleteRule(ctx, o.c, o.service.ID, o.listener.ID, o.rule.ID)
	wantCode(t, err, "")
	_, _, err = p.UpdateRule(ctx, o.c, service, listener, controlplane.RuleUpdate{Rule: rules[0], Action: &a})
	wantCode(t, err, "") // free now
	_, _, err = p.UpdateListener(ctx, o.c, service, listener, forward(o.v2.ID, o.v2.ARN(region)))
	wantCode(t, err, "ValidationException") // twice
}

// TestDefaultRule reads and changes the default rule in both modes.
func TestDefaultRule(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprint("strict ", strict), func(t *testing.T) {
			p := running(t, controlplane.Options{Strict: strict})
			c := admin(t)
			ctx := t.Context()
			s, _, err := p.CreateService(ctx, c, "", trellis.Service{Name: "parent"})
			wantCode(t, err, "")
			await(t, "ACTIVE", func() bool {
				return must[*trellis.Service](t)(p.GetService(ctx, c, s.ID)).Status == trellis.StatusActive
			})
			l, _, err := p.CreateListener(ctx, c, s.ID, "", trellis.Listener{Name: "http", Protocol: "HTTP", DefaultAction: fixed404})
			wantCode(t, err, "")
			r, err := p.GetRule(ctx, c, s.ID, l.ID, l.DefaultRuleID)
			if err != nil || !r.Default || r.Priority != 0 {
				t.Errorf("%+v %v", r, err)
			}
			wantAlias, wantUpdate := "", ""
			if strict {
				wantAlias, wantUpdate = "ResourceNotFoundException", "ValidationException"
			}
			_, err = p.GetRule(ctx, c, s.ID, l.ID, "default")
			wantCode(t, err, wantAlias)
			_, _, err = p.UpdateRule(ctx, c, s.ID, l.ID, controlplane.RuleUpdate{Rule: l.DefaultRuleID, Action: &trellis.Action{FixedResponse: 500}})
			wantCode(t, err, wantUpdate)
			_, _, err = p.UpdateRule(ctx, c, s.ID, l.ID, controlplane.RuleUpdate{Rule: l.DefaultRuleID, Priority: new(5)})
			wantCode(t, err, "ValidationException")
			_, err = p.DeleteRule(ctx, c, s.ID, l.ID, l.DefaultRuleID)
			wantCode(t, err, "ValidationException")
			list, _, err := p.ListRules(ctx, c, s.ID, l.ID, controlplane.Page{})
			if err != nil || len(list) != 1 || !list[0].Default {
				t.Errorf("%v %v", list, err)
			}
		})
	}
}

// TestBatchUpdateRule changes priorities that are unique only in the end.
func TestBatchUpdateRule(t *testing.T) {
	p := running(t, controlplane.Options{})
	for name, tc := range map[string]struct {
		priorities []int
		set        map[int]int // index of the rule: its new priority
		want       []int
		failed     int
	}{
		"swap":                         {[]int{10, 20}, map[int]int{0: 20, 1: 10}, []int{20, 10}, 0},
		"rotate":                       {[]int{10, 20, 30}, map[int]int{0: 20, 1: 30, 2: 10}, []int{20, 30, 10}, 0},
		"taken by one outside":         {[]int{10, 20}, map[int]int{0: 20}, []int{10, 20}, 1},
		"two of the same":              {[]int{10, 20}, map[int]int{0: 30, 1: 30}, []int{30, 20}, 1},
		"a failure holds the next one": {[]int{10, 20, 30}, map[int]int{0: 30, 1: 10}, []int{10, 20, 30}, 2},
		"out of range":                 {[]int{10, 20}, map[int]int{0: 3000, 1: 40}, []int{10, 40}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := admin(t)
			ctx := t.Context()
			service, listener, rules := listenerWith(t, p, c, tc.priorities...)
			var updates []controlplane.RuleUpdate
			for i := range rules {
				if n, ok := tc.set[i]; ok {
					updates = append(updates, controlplane.RuleUpdate{Rule: rules[i], Priority: &n})
				}
			}
			done, failed, _, err := p.BatchUpdateRule(ctx, c, service, listener, updates)
			if err != nil || len(failed) != tc.failed || len(done)+len(failed) != len(updates) {
				t.Fatalf("%v %v %v", done, failed, err)
			}
			for i, id := range rules {
				if r := must[controlplane.Rule](t)(p.GetRule(ctx, c, service, listener, id)); r.Priority != tc.want[i] {
					t.Errorf("rule %d has priority %d, want %d", i, r.Priority, tc.want[i])
				}
			}
			// What was given back can be taken, what is held can not.
			_, _, err = p.CreateRule(ctx, c, service, listener, "", trellis.Rule{Name: "probe", Priority: tc.want[0], Action: fixed404})
			wantCode(t, err, "ConflictException")
		})
	}
}

// TestListRules pages through rules in the order of their priority, the default rule last.
func TestListRules(t *testing.T) {
	p := running(t, controlplane.Options{})
	c := admin(t)
	service, listener, _ := listenerWith(t, p, c, 300, 20, 1000)
	var got []int
	pg := controlplane.Page{Max: 2}
	for {
		list, next, err := p.ListRules(t.Context(), c, service, listener, pg)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			got = append(got, r.Priority)
		}
		if pg.After = next; next == "" {
			break
		}
	}
	if want := []int{20, 300, 1000, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestQuotas meets the limits of strict mode.
func TestQuotas(t *testing.T) {
	q := quota.Limits{Strict: true, Others: map[quota.ID]int{quota.Services: 1, quota.RulesPerListener: 2, quota.TargetGroupsPerService: 1, quota.TargetsPerTargetGroup: 2}}
	p := running(t, controlplane.Options{Quotas: q, Draining: time.Millisecond})
	c := admin(t)
	ctx := t.Context()
	vpc, _, _ := newVPC(t, c, "10.0.0.0/16")
	service, listener, _ := listenerWith(t, p, c, 1, 2)
	exceeded := func(err error, want string) {
		t.Helper()
		wantCode(t, err, "ServiceQuotaExceededException")
		if e, ok := err.(*trellis.Error); ok && (e.QuotaCode != want || e.Status != 402 || e.ServiceCode != "vpc-lattice") {
			t.Errorf("%+v, want %s", e, want)
		}
	}
	_, _, err := p.CreateService(ctx, c, "", trellis.Service{Name: "another"})
	exceeded(err, "L-620C821E")
	_, _, err = p.CreateRule(ctx, c, service, listener, "", trellis.Rule{Name: "third", Priority: 3, Action: fixed404})
	exceeded(err, "L-CF78395E")
	_, _, err = p.CreateListener(ctx, c, service, "", trellis.Listener{Name: "two", Protocol: "HTTP", Port: 81, DefaultAction: fixed404})
	wantCode(t, err, "")
	_, _, err = p.CreateListener(ctx, c, service, "", trellis.Listener{Name: "three", Protocol: "HTTP", Port: 82, DefaultAction: fixed404})
	exceeded(err, "L-D64E952E")
	_, _, err = quota.New(companion.Options{Store: shared, Region: region, Strict: true}).Request(ctx, c, "vpc-lattice", "L-D64E952E", 3)
	wantCode(t, err, "")
	_, _, err = p.CreateListener(ctx, c, service, "", trellis.Listener{Name: "three", Protocol: "HTTP", Port: 82, DefaultAction: fixed404})
	wantCode(t, err, "")
	_, _, err = p.CreateListener(ctx, c, service, "", trellis.Listener{Name: "four", Protocol: "HTTP", Port: 83, DefaultAction: fixed404})
	exceeded(err, "L-D64E952E")
	a, _, err := p.CreateTargetGroup(ctx, c, "", ipGroup("group-a", vpc), nil)
	wantCode(t, err, "")
	b, _, err := p.CreateTargetGroup(ctx, c, "", ipGroup("group-b", vpc), nil)
	wantCode(t, err, "")
	_, _, err = p.UpdateListener(ctx, c, service, listener, forward(a.ID, b.ID))
	exceeded(err, "L-3DEC3B9F")
	_, _, _, err = p.RegisterTargets(ctx, c, a.ID, []controlplane.TargetID{{ID: "10.0.0.1"}, {ID: "10.0.0.2"}, {ID: "10.0.0.3"}})
	exceeded(err, "L-D71303F3")
}
