package routing

import (
	"net/netip"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// Options configures Build.
type Options struct {
	Region string
}

// Table is everything that the data plane and DNS know, at one revision.
type Table struct {
	revision trellis.Revision
	vpcs     map[string]*VPC
	groups   map[string]*TargetGroup
}

// Build makes the Table of a state. What did not change since prev (nil at first) is taken from it.
func Build(st *trellis.State, o Options, prev *Table) *Table { return &Table{revision: st.Revision} }

// Revision is the store revision that the Table was made at.
func (t *Table) Revision() trellis.Revision { return t.revision }

// VPC finds a VPC by its id, nil when there is none.
func (t *Table) VPC(id string) *VPC { return t.vpcs[id] }

// Group finds a target group by its id, nil when there is none.
func (t *Table) Group(id string) *TargetGroup { return t.groups[id] }

// Ports are the distinct ports of the HTTP listeners behind one association, sorted.
func (t *Table) Ports(vpcID string, slot int) []int { return nil }

// Resolve is the DNS answer for a name inside a VPC.
func (t *Table) Resolve(vpcID, name string) (v4, v6 netip.Addr, ok bool) { return }

// VPC is a VPC with its associations.
type VPC struct {
	ID, ARN, Account string
	networks         [256]*Network // by slot
}

// Network is the network behind a slot, nil when there is none.
func (v *VPC) Network(slot int) *Network { return nil }

// Network is a service network as one VPC association reaches it.
type Network struct {
	ID, ARN, Account string
	Name             string
	Layer            authpolicy.Layer
	AssociationID    string
	Slot             int
}

// Service finds a service of the network by a Host header's value, nil when there is none.
func (n *Network) Service(host string) *Service { return nil }

// Service is a service with its listeners.
type Service struct {
	ID, ARN, Name, Account       string
	DomainName, CustomDomainName string
	Layer                        authpolicy.Layer
	IdleTimeout                  time.Duration
	Tags                         map[string]string
}

// Listener finds the listener of a port, nil when there is none.
func (s *Service) Listener(port int) *Listener { return nil }

// Listener is a listener with its rules.
type Listener struct {
	ID, ARN, Name string
	Protocol      trellis.Protocol
	Port          int
}

// Field is one header field. It is an alias of a plain struct, so that the codec's fields pass unconverted.
type Field = struct{ Name, Value string }

// Request is what rules match.
type Request struct {
	Method  string
	Path    string // raw, without the query
	Headers []Field
}

// Match finds the rule of a request: the first by priority that matches, else the default rule.
func (l *Listener) Match(r *Request) *Rule { return nil }

// Rule is a rule, or the default action of a listener.
type Rule struct {
	ID, ARN, Name string
	Priority      int // 0 for the default rule
	Default       bool
	Action        Action
}

// Action is what a rule does with a request.
type Action struct {
	// FixedStatus is the status to answer, 0 for a forward action.
	FixedStatus int
	// Groups are the target groups of a forward action with their weights.
	Groups []trellis.WeightedTargetGroup
}

// Pick chooses a target group for the n-th request. Empty when the weights are all zero.
func (a *Action) Pick(n uint64) (targetGroupID string) { return "" }

// TargetGroup is what the data plane says of a target group in its records.
type TargetGroup struct {
	ID, ARN, Name, Account, VPCID string
	Type                          trellis.TargetGroupType
	Protocol                      trellis.Protocol
	ProtocolVersion               string
	Port                          int
}
