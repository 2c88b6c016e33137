package trellis_test

import (
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestSlotAddrs holds the two forms of a slot's address against each other.
func TestSlotAddrs(t *testing.T) {
	for slot, want := range map[int][2]string{
		trellis.SourceSlot:  {"169.254.171.1", "fd00:ec2:80::a9fe:ab01"},
		trellis.FirstSlot:   {"169.254.171.32", "fd00:ec2:80::a9fe:ab20"},
		trellis.LastSlot:    {"169.254.171.223", "fd00:ec2:80::a9fe:abdf"},
		trellis.NowhereSlot: {"169.254.171.254", "fd00:ec2:80::a9fe:abfe"},
	} {
		v4, v6 := trellis.SlotAddrs(slot)
		if got := [2]string{v4.String(), v6.String()}; got != want {
			t.Errorf("slot %d: %v, want %v", slot, got, want)
		}
	}
}

// TestParseLogGroupARN reads names with and without the end that some ARNs have, and refuses what is none.
func TestParseLogGroupARN(t *testing.T) {
	arn := trellis.LogGroupARN("eu-west-1", "111122223333", "/aws/vpclattice/orders")
	for _, s := range []string{arn, arn + ":*"} {
		a, name, err := trellis.ParseLogGroupARN(s)
		if err != nil || name != "/aws/vpclattice/orders" || a.Account != "111122223333" || a.Region != "eu-west-1" {
			t.Errorf("%s: %+v, %q, %v", s, a, name, err)
		}
	}
	for _, s := range []string{"", "orders", "arn:aws:s3:::logs", "arn:aws:logs:eu-west-1:111122223333:log-group:",
		"arn:aws:logs:eu-west-1:111122223333:log-group:a b", arn + ":log-stream:x", "arn:aws:logs:eu-west-1:111122223333:log-group:" + strings.Repeat("x", 513)} {
		if _, name, err := trellis.ParseLogGroupARN(s); err == nil {
			t.Errorf("%q is taken for the log group %q", s, name)
		}
	}
}

// TestIdentifiers looks at the forms of what is made and read.
func TestIdentifiers(t *testing.T) {
	if id := trellis.NewID("svc"); len(id) != len("svc-")+17 || !strings.HasPrefix(id, "svc-0") {
		t.Errorf("id %s", id)
	}
	if u := trellis.NewUUID(); len(u) != 36 || u[8] != '-' || u[14] != '4' || !strings.Contains("89ab", u[19:20]) || u == trellis.NewUUID() {
		t.Errorf("UUID %s", u)
	}
	for s, want := range map[string]bool{"111122223333": true, "11112222333": false, "1111222233334": false, "11112222333a": false, "": false} {
		if trellis.IsAccountID(s) != want {
			t.Errorf("account id %q: want %t", s, want)
		}
	}
}

// TestSeen tells States apart by the nouns of some kinds alone.
func TestSeen(t *testing.T) {
	kinds := []trellis.Kind{trellis.KindVPC, trellis.KindSubnet}
	one, two := &trellis.VPC{Meta: trellis.Meta{Account: "a", ID: "vpc-1"}}, &trellis.VPC{Meta: trellis.Meta{Account: "a", ID: "vpc-1"}}
	st := trellis.NewState()
	var s trellis.Seen
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"first", func() {}, true},
		{"again", func() {}, false},
		{"a noun more", func() { st.Put(one) }, true},
		{"another kind", func() { st.Put(&trellis.User{Name: "u"}) }, false},
		{"the same noun in another state", func() { st = trellis.NewState(); st.Put(one) }, false},
		{"another value", func() { st.Put(two) }, true},
		{"forgotten", s.Forget, true},
		{"gone", func() { st.Delete(two.Kind(), two.Key()) }, true},
		{"still gone", func() {}, false},
	} {
		step.do()
		if got := s.Changed(st, kinds...); got != step.want {
			t.Errorf("%s: changed is %t", step.name, got)
		}
	}
}

// TestCheckTag counts characters, not bytes.
func TestCheckTag(t *testing.T) {
	for tag, want := range map[[2]string]trellis.TagFault{
		{"team", "orders"}: "", {strings.Repeat("é", 128), strings.Repeat("é", 256)}: "", {"team", ""}: "",
		{"", "x"}: trellis.TagKeyLength, {strings.Repeat("a", 129), ""}: trellis.TagKeyLength,
		{"k", strings.Repeat("a", 257)}: trellis.TagValueLength, {"AWS:x", ""}: trellis.TagReserved,
	} {
		if got := trellis.CheckTag(tag[0], tag[1]); got != want {
			t.Errorf("%q: %q, want %q", tag, got, want)
		}
	}
}
