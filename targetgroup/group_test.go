package targetgroup

import (
	"net/netip"
	"testing"

	"github.com/trellis-project/trellis"
)

func TestPickGoesRoundWithoutAllocating(t *testing.T) {
	m := New(Options{Dial: newHosts().dial})
	st := stateWith(trellis.TargetGroup{}, member("10.0.0.1"), member("10.0.0.2"), member("10.0.0.3"))
	m.Apply(st)
	g := m.Group(testGroup)
	counts := map[string]int{}
	for range 300 {
		counts[g.Pick().ID()]++
	}
	for id, n := range counts {
		if n != 100 {
			t.Errorf("%s was picked %d times of 300", id, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { m.Group(testGroup).Pick() }); n != 0 {
		t.Errorf("Pick allocates %v times", n)
	}
	before := g.Pick().ID()
	m.Apply(st)
	if after := m.Group(testGroup).Pick().ID(); after == before {
		t.Error("the round began anew with Apply")
	}
	if m.Group("tg-0ffffffffffffffff") != nil {
		t.Error("an unknown id has a group")
	}
}

func TestMatcher(t *testing.T) {
	for text, cases := range map[string]struct{ yes, no []int }{
		"":            {[]int{200}, []int{201, 404}},
		"200":         {[]int{200}, []int{199, 201}},
		"200,202":     {[]int{200, 202}, []int{201}},
		"200-299,404": {[]int{200, 250, 299, 404}, []int{199, 300, 403}},
	} {
		m, err := parseMatcher(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for _, c := range cases.yes {
			if !m.matches(c) {
				t.Errorf("%q does not match %d", text, c)
			}
		}
		for _, c := range cases.no {
			if m.matches(c) {
				t.Errorf("%q matches %d", text, c)
			}
		}
	}
	for _, text := range []string{"x", "200-", "-200", "300-200", "200,", "20", "99999999999999999999"} {
		if _, err := parseMatcher(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestPermittedAddresses(t *testing.T) {
	wide := &trellis.VPC{Meta: trellis.Meta{ID: testVPC}, CIDR: netip.MustParsePrefix("0.0.0.0/0"), IPv6CIDR: netip.MustParsePrefix("::/0")}
	for _, a := range []string{"127.0.0.1", "169.254.169.254", "169.254.171.33", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "ff02::1", "::",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254"} {
		if permitted(wide, netip.MustParseAddr(a)) == nil {
			t.Errorf("%s may be connected to", a)
		}
	}
	small := &trellis.VPC{CIDR: netip.MustParsePrefix("10.0.0.0/16")}
	if err := permitted(small, netip.MustParseAddr("10.0.3.4")); err != nil {
		t.Error(err)
	}
	if permitted(small, netip.MustParseAddr("10.1.0.1")) == nil || permitted(nil, netip.MustParseAddr("10.0.0.1")) == nil || permitted(small, netip.Addr{}) == nil {
		t.Error("an address outside of the VPC may be connected to")
	}
	if err := permitted(&trellis.VPC{CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback}, netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Error(err)
	}
}
