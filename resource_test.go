package trellis_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestPortRanges reads ranges of ports, and asks which ports are in them.
func TestPortRanges(t *testing.T) {
	for s, want := range map[string]trellis.PortRange{"80": {From: 80, To: 80}, "1-65535": {From: 1, To: 65535}, "007": {From: 7, To: 7}, "5-5": {From: 5, To: 5}} {
		if got, err := trellis.ParsePortRange(s); err != nil || got != want {
			t.Errorf("%q: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0", "-", "1-", "-1", "2-1", "1-65536", "+5", " 5", "1-2-3", "99999999999999999999"} {
		if got, err := trellis.ParsePortRange(s); err == nil {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
	c := trellis.ResourceConfiguration{Ports: []trellis.PortRange{{From: 80, To: 80}, {From: 6000, To: 6010}}}
	for port, want := range map[int]bool{79: false, 80: true, 81: false, 6000: true, 6010: true, 6011: false} {
		if c.Serves(port) != want {
			t.Errorf("port %d: %t", port, !want)
		}
	}
}

// FuzzPortRange reads what it has written again.
func FuzzPortRange(f *testing.F) {
	for _, s := range []string{"80", "1-65535", "0", "2-1", "+5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := trellis.ParsePortRange(s)
		if err != nil {
			return
		}
		if again, err := trellis.ParsePortRange(r.String()); err != nil || again != r || r.From < 1 || r.From > r.To || r.To > 65535 {
			t.Errorf("%q: %v, and then %v %v", s, r, again, err)
		}
	})
}

// TestResourceAddr looks at the ends of the addresses that resources can have.
func TestResourceAddr(t *testing.T) {
	for n, want := range map[int]string{0: "129.224.0.1", 254: "129.224.0.255", 255: "129.224.1.0", trellis.ResourceAddrs - 1: "129.224.127.254"} {
		if got := trellis.ResourceAddr(n); got != netip.MustParseAddr(want) {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	a := trellis.ResourceAssociation{Meta: trellis.Meta{ID: "snra-1"}, Configuration: trellis.Ref{ID: "rcfg-1"}}
	if v4, v6 := a.Addrs(); v4.IsValid() || v6.IsValid() || a.DomainName("eu-west-1") != "" {
		t.Errorf("a group's association has %s and %s", v4, v6)
	}
	a.Address = trellis.ResourceAddr(255)
	if v4, v6 := a.Addrs(); v4 != a.Address || v6 != netip.MustParseAddr("fd00:ec2:80::81e0:100") {
		t.Errorf("%s and %s", v4, v6)
	}
}

// TestResourceNames holds the generated names against AWS's forms.
func TestResourceNames(t *testing.T) {
	e := trellis.VPCEndpoint{Meta: trellis.Meta{ID: "vpce-1"}}
	for got, want := range map[string]string{
		e.ServiceName("eu-west-1", "snsa-2"):            "vpce-1-snsa-2.7d67968.vpc-lattice-svcs.eu-west-1.on.aws",
		e.ResourceName("eu-west-1", "snra-3", "rcfg-4"): "vpce-1-snra-3.rcfg-4.4232ccc.vpc-lattice-rsc.eu-west-1.on.aws",
		e.ResourceName("eu-west-1", "", "rcfg-4"):       "vpce-1.rcfg-4.4232ccc.vpc-lattice-rsc.eu-west-1.on.aws",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestResourceNouns writes the nouns as the store does, and finds what an endpoint leads to below its key.
func TestResourceNouns(t *testing.T) {
	meta := trellis.Meta{Account: "111122223333", ID: "x-1"}
	led := &trellis.EndpointAddress{Account: "111122223333", EndpointID: "vpce-1", Configuration: trellis.Ref{Account: "444455556666", ID: "rcfg-1"},
		Addresses: []trellis.SubnetAddress{{SubnetID: "subnet-1", Address: netip.MustParseAddr("10.0.0.5")}}}
	st := trellis.NewState()
	for _, n := range []trellis.Noun{&trellis.ResourceGateway{Meta: meta}, &trellis.ResourceConfiguration{Meta: meta}, &trellis.ResourceAssociation{Meta: meta},
		&trellis.VPCEndpoint{Meta: meta}, &trellis.ResourceEndpointAssociation{Meta: meta}, &trellis.DomainVerification{Meta: meta}, led} {
		text, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		again, err := trellis.NewNoun(n.Kind())
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, again); err != nil || again.Key() != n.Key() {
			t.Errorf("%s: %v %v", n.Kind(), again, err)
		}
		st.Put(again)
	}
	found := 0
	for a := range trellis.Under[*trellis.EndpointAddress](st, "111122223333/vpce-1") {
		if found++; a.Addresses[0] != led.Addresses[0] {
			t.Errorf("%+v", a)
		}
	}
	if found != 1 {
		t.Errorf("%d endpoint addresses", found)
	}
}
