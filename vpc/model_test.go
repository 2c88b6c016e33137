package vpc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// sgModel decides as EC2's user guide says (security groups): a packet passes when some rule of some group of the sender lets it out, and
// some rule of some group of the receiver lets it in; and the network ACLs of their subnets let it cross.
type sgModel struct {
	groups    map[string]*trellis.SecurityGroup
	lists     map[string]*trellis.PrefixList
	acls      aclModel
	instances []*trellis.Instance
}

// passes tells whether a first UDP packet passes.
func (m *sgModel) passes(from, to *trellis.Instance, port int) bool {
	return m.allowed(from, to, port, true) && m.allowed(to, from, port, false) && m.acls.crosses(from, to, port)
}

// allowed tells whether an instance's groups allow traffic with a peer in one direction.
func (m *sgModel) allowed(of, peer *trellis.Instance, port int, egress bool) bool {
	for _, id := range of.SecurityGroupIDs {
		for _, r := range m.groups[id].Rules {
			inPorts := r.Protocol == "-1" || r.Protocol == "udp" && r.FromPort <= port && port <= r.ToPort
			if r.Egress == egress && inPorts && m.names(r, peer) {
				return true
			}
		}
	}
	return false
}

// names tells whether a rule's source or destination is an instance.
func (m *sgModel) names(r trellis.SecurityGroupRule, i *trellis.Instance) bool {
	switch {
	case r.GroupID != "":
		return slices.Contains(i.SecurityGroupIDs, r.GroupID)
	case r.PrefixListID != "":
		return slices.ContainsFunc(m.lists[r.PrefixListID].Entries, func(e trellis.PrefixListEntry) bool { return e.CIDR.Contains(i.PrivateIP) })
	}
	return r.CIDR.Contains(i.PrivateIP)
}

// modelPorts are the ports that packets of TestSecurityGroupsAreAsTheModelSays go to.
var modelPorts = []int{1000, 1001, 2000}

// TestSecurityGroupsAreAsTheModelSays gives instances random security groups, sends a packet from each to each, and compares
// what arrives with what the model lets pass.
func TestSecurityGroupsAreAsTheModelSays(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	m := &sgModel{groups: map[string]*trellis.SecurityGroup{}, lists: map[string]*trellis.PrefixList{}}
	var groups []*trellis.SecurityGroup
	for range 4 {
		groups = append(groups, l.group(v))
	}
	for n := range 4 {
		m.instances = append(m.instances, l.instance(s, fmt.Sprintf("10.20.0.%d", 10+n)))
	}
	l.apply()
	ears := m.ears(l)
	for round := range 15 {
		m.shuffle(l, r, groups)
		l.apply()
		want := map[string]bool{}
		for _, from := range m.instances {
			l.inside(from, func() error { return m.sendToAll(from, want, round) })
		}
		if got := heard(ears, want); got != "" {
			for _, g := range groups {
				t.Logf("%s: %+v", g.ID, m.groups[g.ID].Rules)
			}
			for _, i := range m.instances {
				t.Logf("%s: %v", i.PrivateIP, i.SecurityGroupIDs)
			}
			t.Fatalf("seed %d, round %d:\n%s", seed, round, got)
		}
	}
}

// ears listens at every port of every instance.
func (m *sgModel) ears(l *lab) map[string]net.PacketConn {
	ears := map[string]net.PacketConn{}
	for _, i := range m.instances {
		for _, port := range modelPorts {
			at := fmt.Sprintf("%s:%d", i.PrivateIP, port)
			l.inside(i, func() (err error) { ears[at], err = net.ListenPacket("udp4", at); return err })
			l.opened = append(l.opened, ears[at])
		}
	}
	return ears
}

// shuffle gives the groups new rules and the instances new groups.
func (m *sgModel) shuffle(l *lab, r *rand.Rand, groups []*trellis.SecurityGroup) {
	list := &trellis.PrefixList{Meta: trellis.Meta{Account: account, ID: "pl-0123456789abcdef0"}}
	for range r.IntN(3) {
		list.Entries = append(list.Entries, trellis.PrefixListEntry{CIDR: randomBlock(r)})
	}
	m.lists[list.ID] = list
	l.st.Put(list)
	for _, g := range groups {
		g = &trellis.SecurityGroup{Meta: g.Meta, VPCID: g.VPCID}
		for range r.IntN(5) {
			rule := trellis.SecurityGroupRule{Egress: r.IntN(2) == 0, Protocol: []string{"-1", "udp", "udp", "tcp"}[r.IntN(4)]}
			rule.FromPort = modelPorts[r.IntN(3)]
			rule.ToPort = rule.FromPort + r.IntN(2)
			switch r.IntN(3) {
			case 0:
				rule.GroupID = groups[r.IntN(len(groups))].ID
			case 1:
				rule.PrefixListID = list.ID
			default:
				rule.CIDR = randomBlock(r)
			}
			g.Rules = append(g.Rules, rule)
		}
		m.groups[g.ID] = g
		l.st.Put(g)
	}
	for n, i := range m.instances {
		changed := *i
		changed.SecurityGroupIDs = nil
		for _, g := range r.Perm(len(groups))[:1+r.IntN(2)] {
			changed.SecurityGroupIDs = append(changed.SecurityGroupIDs, groups[g].ID)
		}
		m.instances[n] = &changed
		l.st.Put(&changed)
	}
}

// randomBlock is a block that holds some or all of the instances.
func randomBlock(r *rand.Rand) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 20, 0, byte(10 + r.IntN(4))}), []int{0, 16, 30, 31, 32}[r.IntN(5)]).Masked()
}

// sendToAll sends a packet to every port of every other instance, and notes which should arrive. Each is sent from a port that
// none was sent from before, so that none is taken for more of what an earlier round allowed.
func (m *sgModel) sendToAll(from *trellis.Instance, want map[string]bool, round int) error {
	source := net.UDPAddr{IP: from.PrivateIP.AsSlice(), Port: 20000 + 100*round}
	for _, to := range m.instances {
		if to == from {
			continue
		}
		for _, port := range modelPorts {
			at := net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.PrivateIP, uint16(port)))
			source.Port++
			c, err := net.DialUDP("udp4", &source, at)
			if err != nil {
				return err
			}
			text := fmt.Sprintf("%d: %s to %s", round, from.PrivateIP, at)
			_, err = c.Write([]byte(text))
			c.Close()
			if err != nil {
				return err
			}
			want[text] = m.passes(from, to, port)
		}
	}
	return nil
}

// heard waits until all wanted packets have arrived, and for a moment more for others. It returns what differs.
func heard(ears map[string]net.PacketConn, want map[string]bool) string {
	var differ []string
	b := make([]byte, 200)
	for at, ear := range ears {
		missing := map[string]bool{}
		for text, passes := range want {
			if passes && strings.HasSuffix(text, " to "+at) {
				missing[text] = true
			}
		}
		for {
			wait := time.Millisecond
			if len(missing) > 0 {
				wait = certainty
			}
			ear.SetReadDeadline(time.Now().Add(wait))
			n, _, err := ear.ReadFrom(b)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return err.Error()
			}
			text := string(b[:n])
			if !want[text] {
				differ = append(differ, text+" arrived")
			}
			delete(missing, text)
		}
		for text := range missing {
			differ = append(differ, text+" was lost")
		}
	}
	slices.Sort(differ)
	return strings.Join(differ, "\n")
}
