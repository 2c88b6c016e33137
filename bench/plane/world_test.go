package main

import (
	"net/netip"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/targetgroup"
)

// TestChanges makes the worlds of a comparison and changes them: what package bench asks for is found, and leads to
// a target group that runs.
func TestChanges(t *testing.T) {
	const orders = "orders-0cccccccccccccccc.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
	for name, c := range map[string]struct {
		options options
		found   [][2]string // host and path, from the start
		later   [][2]string // after the changes
	}{
		"small":    {options{rules: 50}, [][2]string{{orders, "/svc00025/items"}, {orders, "/svc00049/blob/65536"}}, [][2]string{{orders, "/new/x"}, {"new.bench.test", "/new/x"}}},
		"services": {options{rules: 50, services: 20}, [][2]string{{"svc00000.bench.test", "/svc00000/x"}, {"svc00019.bench.test", "/svc00019/x"}}, [][2]string{{"new.bench.test", "/new/x"}}},
		"rules":    {options{rules: 200, own: true}, [][2]string{{orders, "/svc00000/x"}, {orders, "/svc00199/x"}}, [][2]string{{orders, "/new/x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.protocol, c.options.version = trellis.ProtocolHTTP, "HTTP1"
			w := world{options: c.options, targets: [2]netip.AddrPort{netip.MustParseAddrPort("10.20.0.10:9101"), netip.MustParseAddrPort("10.20.0.10:9102")}}
			p := &plane{state: w.state(), groups: targetgroup.New(targetgroup.Options{Region: region})}
			p.change(func(*trellis.State) {})
			for _, at := range c.found {
				if !p.leads(at[0], at[1]) {
					t.Errorf("%s%s leads nowhere", at[0], at[1])
				}
			}
			for _, at := range c.later {
				if p.leads(at[0], at[1]) {
					t.Errorf("%s%s is there before the change", at[0], at[1])
				}
			}
			p.change(func(st *trellis.State) { st.Put(w.newRule()) })
			p.change(func(st *trellis.State) { put(st, w.service("new", w.targets[0])) })
			for _, at := range c.later {
				if !p.leads(at[0], at[1]) {
					t.Errorf("%s%s leads nowhere after the change", at[0], at[1])
				}
			}
			if n, err := w.textPerService(); err != nil || n < 500 {
				t.Errorf("a service is %d bytes of text, %v", n, err)
			}
		})
	}
}

// TestPassed makes the world of TLS that is passed through: its service leads to targets without a rule.
func TestPassed(t *testing.T) {
	w := world{options: options{protocol: trellis.ProtocolTLSPassthrough, rules: 50}, targets: [2]netip.AddrPort{netip.MustParseAddrPort("10.20.0.10:9101"), netip.MustParseAddrPort("10.20.0.10:9102")}}
	p := &plane{state: w.state(), groups: targetgroup.New(targetgroup.Options{Region: region})}
	p.change(func(*trellis.State) {})
	if !p.leads(passedName, "") {
		t.Error("the service leads nowhere")
	}
}

// TestCarried makes the world of a resource: it is where the listener is, and leads to the first target's address.
func TestCarried(t *testing.T) {
	at, target := netip.MustParseAddr("169.254.171.32"), netip.MustParseAddrPort("10.20.0.10:9101")
	w := world{options: options{protocol: trellis.ProtocolTCP}, targets: [2]netip.AddrPort{target, target}, at: at, source: netip.MustParseAddr("169.254.171.1")}
	p := &plane{state: w.state(), groups: targetgroup.New(targetgroup.Options{Region: region})}
	p.change(func(*trellis.State) {})
	r, ok := p.table.Load().Resource(vpcID, at)
	if !ok || r.Configuration.Address != target.Addr() || !r.Configuration.Serves(9260) || r.Gateway.Interfaces[0].IPv4 != w.source {
		t.Errorf("the resource is %+v, %t", r, ok)
	}
}

// leads tells whether a request would be forwarded to a target.
func (p *plane) leads(host, path string) bool {
	service := p.table.Load().VPC(vpcID).Network(slot).Service(host)
	if service == nil {
		return false
	}
	rule := service.Listener(port).Match(&routing.Request{Method: "GET", Path: path})
	if rule.Action.FixedStatus() != 0 {
		return false
	}
	g := p.groups.Group(rule.Action.Next())
	return g != nil && g.Pick() != nil
}
