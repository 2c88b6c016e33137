package routing

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"github.com/trellis-project/trellis"
)

// heap is how many bytes live, after two collections.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// weigh returns how many bytes a service of a crowd costs: its nouns in the State, with all their text, and its part
// of the Table, which shares that text.
func weigh(services, rules int) (nouns, table int64) {
	before := heap()
	st := crowd(services, rules, 500)
	with := heap()
	t := build(st, nil)
	all := heap()
	runtime.KeepAlive(t)
	runtime.KeepAlive(st)
	return (with - before) / int64(services), (all - with) / int64(services)
}

// TestMemory bounds what a service costs beyond its own text: 4 KB with one rule, 5 KB with a hundred, whose texts stand
// in the index once more.
func TestMemory(t *testing.T) {
	for _, c := range []struct {
		services, rules int
		most            int64
	}{{10_000, 1, 4 << 10}, {2000, 100, 5 << 10}} {
		nouns, table := weigh(c.services, c.rules)
		t.Logf("%d services of %d rules: %d bytes of nouns and %d bytes of table a service", c.services, c.rules, nouns, table)
		if table > c.most {
			t.Errorf("%d services of %d rules: %d bytes of table a service, want at most %d", c.services, c.rules, table, c.most)
		}
	}
}

// allocated returns how many bytes f allocates in a call, of many.
func allocated(f func(i int)) int64 {
	const calls = 50
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range calls {
		f(i)
	}
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc-before.TotalAlloc) / calls
}

// TestSwapAllocates bounds what the Table after a change of one rule, policy or service allocates: what changed, a
// service of 100 rules, and the paths to it, whether there are a hundred other services or 10,000.
func TestSwapAllocates(t *testing.T) {
	const rules = 100
	for _, services := range []int{100, 10_000} {
		st := crowd(services, 1, 500)
		id := func(i int) string { return fmt.Sprintf("svc-%017x", i%50*services/50) }
		for i := range 50 {
			for r := range rules {
				st.Put(crowdRule(id(i), "listener-80", r))
			}
		}
		table := build(st, nil)
		for _, c := range []struct {
			what string
			most int64
			noun func(i int) trellis.Noun
		}{
			{"rule", 72 << 10, func(i int) trellis.Noun { return crowdRule(id(i), "listener-80", i%rules) }},
			{"policy", 72 << 10, func(i int) trellis.Noun {
				return &trellis.AuthPolicy{Resource: trellis.Ref{Account: acct, ID: id(i)}, Text: fmt.Sprintf("%s%*s", policy, i, "")}
			}},
			{"rule of another service", 72 << 10, func(i int) trellis.Noun { return crowdRule(id(i+1), "listener-80", i%rules) }},
			{"new name", 320 << 10, func(i int) trellis.Noun {
				return &trellis.Service{Meta: meta(acct, id(i)), Name: id(i)[4:], Status: trellis.StatusActive, AuthType: trellis.AuthIAM,
					CustomDomainName: fmt.Sprintf("name-%d.internal", i)}
			}},
		} {
			n := allocated(func(i int) {
				st.Put(c.noun(i))
				table = build(st, table)
			})
			t.Logf("%s among %d services: %d bytes", c.what, services, n)
			if n > c.most {
				t.Errorf("%s among %d services: a new Table allocates %d bytes, want at most %d", c.what, services, n, c.most)
			}
		}
	}
}

// shape is a kind of rules that a service may have a hundred of: the r-th rule, and a request that it alone matches.
type shape struct {
	name    string
	rule    func(r int) trellis.HTTPMatch
	request func(r int) *Request
}

// browser are fields that a request usually has.
func browser(more ...Field) []Field {
	return append([]Field{{"Host", ordersName}, {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}, {"Accept", "*/*"},
		{"Accept-Encoding", "gzip, deflate, br"}, {"X-Amz-Date", "20261122T191723Z"}, {"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"},
		{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/eu-west-1/vpc-lattice-svcs/aws4_request"}}, more...)
}

// shapes are the kinds of rules that are measured.
var shapes = []shape{
	{"prefix", func(r int) trellis.HTTPMatch {
		return trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: fmt.Sprintf("/part-%d/", r), CaseSensitive: true}}
	}, func(r int) *Request {
		return &Request{Method: "GET", Path: fmt.Sprintf("/part-%d/items/17", r), Headers: browser()}
	}},
	{"exact", func(r int) trellis.HTTPMatch {
		return trellis.HTTPMatch{Path: &trellis.PathMatch{Exact: fmt.Sprintf("/part-%d/items", r), CaseSensitive: true}}
	}, func(r int) *Request {
		return &Request{Method: "GET", Path: fmt.Sprintf("/part-%d/items", r), Headers: browser()}
	}},
	{"prefix without case", func(r int) trellis.HTTPMatch {
		return trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: fmt.Sprintf("/Part-%d/", r)}}
	}, func(r int) *Request {
		return &Request{Method: "GET", Path: fmt.Sprintf("/pART-%d/items/17", r), Headers: browser()}
	}},
	{"prefix within prefix", func(r int) trellis.HTTPMatch {
		return trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: "/" + fmt.Sprintf("%0*d", 100-r, 0), CaseSensitive: true}}
	}, func(r int) *Request {
		return &Request{Method: "GET", Path: "/" + fmt.Sprintf("%0*dx", 100-r, 0), Headers: browser()}
	}},
	{"header value", func(r int) trellis.HTTPMatch {
		return trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: "/", CaseSensitive: true}, Headers: []trellis.HeaderMatch{{Name: "X-Tenant", Exact: fmt.Sprintf("Tenant-%d", r)}}}
	}, func(r int) *Request {
		return &Request{Method: "GET", Path: "/items", Headers: browser(Field{"x-tenant", fmt.Sprintf("tenant-%d", r)})}
	}},
	{"header name", func(r int) trellis.HTTPMatch {
		return trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: "/", CaseSensitive: true}, Headers: []trellis.HeaderMatch{{Name: fmt.Sprintf("X-Flag-%d", r), Contains: "on"}}}
	}, func(r int) *Request {
		return &Request{Method: "GET", Path: "/items", Headers: browser(Field{fmt.Sprintf("X-Flag-%d", r), "is on"})}
	}},
	{"header contains", func(r int) trellis.HTTPMatch {
		return trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: "/", CaseSensitive: true}, Headers: []trellis.HeaderMatch{{Name: "X-Route", Contains: fmt.Sprintf("cell-%03d", r)}}}
	}, func(r int) *Request {
		return &Request{Method: "GET", Path: "/items", Headers: browser(Field{"x-route", fmt.Sprintf("region=eu; cell-%03d; zone=b", r)})}
	}},
	{"five headers", func(r int) trellis.HTTPMatch {
		m := trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: "/", CaseSensitive: true}}
		for i := range 4 {
			m.Headers = append(m.Headers, trellis.HeaderMatch{Name: fmt.Sprintf("X-Common-%d", i), Exact: "same"})
		}
		m.Headers = append(m.Headers, trellis.HeaderMatch{Name: "X-Tenant", Prefix: fmt.Sprintf("tenant-%d/", r), CaseSensitive: true})
		return m
	}, func(r int) *Request {
		return &Request{Method: "GET", Path: "/items", Headers: browser(Field{"X-Common-0", "same"}, Field{"X-Common-1", "same"}, Field{"X-Common-2", "same"},
			Field{"X-Common-3", "same"}, Field{"X-Tenant", fmt.Sprintf("tenant-%d/a", r)})}
	}},
	{"method and path", func(r int) trellis.HTTPMatch {
		return trellis.HTTPMatch{Method: []string{"GET", "PUT", "POST", "DELETE"}[r%4], Path: &trellis.PathMatch{Prefix: fmt.Sprintf("/part-%d/", r/4), CaseSensitive: true}}
	}, func(r int) *Request {
		return &Request{Method: []string{"GET", "PUT", "POST", "DELETE"}[r%4], Path: fmt.Sprintf("/part-%d/items/17", r/4), Headers: browser()}
	}},
	{"method", func(r int) trellis.HTTPMatch { return trellis.HTTPMatch{Method: fmt.Sprintf("M%d", r)} },
		func(r int) *Request { return &Request{Method: fmt.Sprintf("M%d", r), Path: "/", Headers: browser()} }},
}

// mixed is a service with rules of all shapes, after one another.
var mixed = shape{"mixed", func(r int) trellis.HTTPMatch { return shapes[r%8].rule(r) }, func(r int) *Request { return shapes[r%8].request(r) }}

// shapedRules are a hundred rules of a shape.
func shapedRules(s shape) (rules []*trellis.Rule) {
	for r := range 100 {
		rules = append(rules, &trellis.Rule{Meta: meta(acct, fmt.Sprintf("rule-%d", r)), Priority: r + 1, Match: s.rule(r), Action: trellis.Action{FixedResponse: 404}})
	}
	return rules
}

// TestShapes checks that what is measured is right: the first, the last and each other rule of a shape match what they
// should, and nothing allocates.
func TestShapes(t *testing.T) {
	for _, s := range append(shapes, mixed) {
		l := listenerOf(shapedRules(s))
		for r := range 100 {
			if s.name == "mixed" && r%8 == 3 {
				continue // these begin one another
			}
			q := s.request(r)
			if got := l.Match(q).Priority(); got != r+1 {
				t.Errorf("%s: request %d is matched by rule %d", s.name, r, got-1)
			}
			if n := testing.AllocsPerRun(1, func() { l.Match(q) }); n != 0 {
				t.Errorf("%s: %v allocations", s.name, n)
			}
		}
		if got := l.Match(&Request{Method: "HEAD", Path: "nowhere", Headers: browser()}); !got.Default() {
			t.Errorf("%s: a request for nothing is matched by rule %d", s.name, got.Priority()-1)
		}
	}
}

// BenchmarkMatch is the first and the last rule of a hundred, and a request that none matches, by the shape of the rules.
func BenchmarkMatch(b *testing.B) {
	for _, s := range append(shapes, mixed) {
		l := listenerOf(shapedRules(s))
		for _, c := range []struct {
			name string
			r    *Request
		}{{"first", s.request(0)}, {"last", s.request(98)}, {"none", &Request{Method: "HEAD", Path: "/none/of/them", Headers: browser()}}} {
			b.Run(s.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					l.Match(c.r)
				}
			})
		}
	}
}

// BenchmarkMatchCrowd is a request from its host to its rule among 10,000 services of 100 rules: always of the same
// service (warm), or of one at random, which the caches of the processor do not have (cold). The request itself is warm,
// as one that has just been read.
func BenchmarkMatchCrowd(b *testing.B) {
	const services, rules = 10_000, 100
	table := build(crowd(services, rules, 500), nil)
	vpcs := make([]string, services/500)
	for i := range vpcs {
		vpcs[i] = fmt.Sprintf("vpc-%017x", i*2)
	}
	host := []byte(fmt.Sprintf("%017x-%017x.7d67968.vpc-lattice-svcs.eu-west-1.on.aws", 0, 0))
	for _, c := range []struct {
		name string
		cold bool
		rule int
	}{{"warm/first", false, 0}, {"warm/last", false, rules - 1}, {"cold/first", true, 0}, {"cold/last", true, rules - 1}} {
		r := &Request{Method: "GET", Path: fmt.Sprintf("/part-%d/items/17", c.rule), Headers: browser()}
		b.Run(c.name, func(b *testing.B) {
			rnd := rand.New(rand.NewPCG(1, 1))
			b.ReportAllocs()
			for b.Loop() {
				i := 0
				if c.cold {
					i = rnd.IntN(services)
				}
				for n, at := i, 16; at >= 12; n, at = n>>4, at-1 {
					host[at] = "0123456789abcdef"[n&15]
					host[at+18] = host[at]
				}
				s := table.VPC(vpcs[i/500]).Network(trellis.FirstSlot).Service(unsafe.String(&host[0], len(host)))
				l := s.Listener(80)
				if got := l.Match(r); got != &l.rules[c.rule] {
					b.Fatalf("matched %q", got.ID())
				}
			}
		})
	}
}

// BenchmarkMemory is the bytes of a service among 10,000, as TestMemory has them.
func BenchmarkMemory(b *testing.B) {
	for _, rules := range []int{1, 100} {
		b.Run(fmt.Sprint(rules), func(b *testing.B) {
			for b.Loop() {
				nouns, table := weigh(10_000, rules)
				b.ReportMetric(float64(nouns), "noun-bytes/service")
				b.ReportMetric(float64(table), "table-bytes/service")
			}
		})
	}
}
